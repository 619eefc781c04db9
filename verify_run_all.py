"""Check run_all_training.py: its tests, list, dry runs and a filter. See docs/RUN_ALL_GUIDE.md."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_training.run_all.verification import main

if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
