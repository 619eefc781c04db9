"""Train all models: `python run_all_training.py --parallel --max-workers 4`. See RUN_ALL_GUIDE.md."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_training.command_line import main

if __name__ == "__main__":
    sys.exit(main(root=Path(__file__).parent))
