"""Train all models: `python run_all_training.py --parallel --max-workers 4`. See docs/RUN_ALL_GUIDE.md."""

from __future__ import annotations

import sys
from pathlib import Path

try:
    from pytest_training.run_all import main
except ModuleNotFoundError as error:
    print(f"run_all_training.py: error: {error}: first pip install -e '.[medical]'", file=sys.stderr)
    sys.exit(2)
except KeyboardInterrupt:
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(main(root=Path(__file__).parent))
