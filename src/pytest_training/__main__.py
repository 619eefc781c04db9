"""`python -m pytest_training`: the same as `pytest-training`."""

from __future__ import annotations

import sys

from pytest_training.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
