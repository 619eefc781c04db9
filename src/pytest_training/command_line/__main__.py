"""`python -m pytest_training.command_line`: the same command line for a project without run_all_training.py."""

from __future__ import annotations

import sys

from pytest_training.command_line.main import main

if __name__ == "__main__":
    sys.exit(main())
