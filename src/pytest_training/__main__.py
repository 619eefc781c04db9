"""`python -m pytest_training`: the same as `pytest-training`."""

import sys

from pytest_training.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
