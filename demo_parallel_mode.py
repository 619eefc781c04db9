"""Show what `run_all_training.py --parallel` gains, three times. See docs/RUN_ALL_GUIDE.md."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_training.run_all.demonstration import main

if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
