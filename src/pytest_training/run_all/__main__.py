"""`python -m pytest_training.run_all`: the same command line for a project without run_all_training.py."""

import sys

from pytest_training.run_all.main import main

sys.exit(main())
