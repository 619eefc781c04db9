"""`run_all_training.py`: a command line that people know, on top of pytest. It selects and maps; pytest trains.

Nothing here imports pytest before a run begins: `--list` and `--dry-run` answer at once.
"""

from pytest_training.run_all.main import main

__all__ = ["main"]
