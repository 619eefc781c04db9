"""`python -m pytest_training.run_all`: the same command line for a project without run_all_training.py."""

from __future__ import annotations

import sys

from pytest_training.run_all.main import main

sys.exit(main())
