"""Test run_all_training.py: list, dry run, parallel, filter. For `pytest` and for `python` alike."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from verify_run_all import CHECKS, check


@pytest.mark.parametrize("sentence", CHECKS)
def test_run_all_training(sentence: str) -> None:
    assert check(Path(__file__).resolve().parent, sentence) == ""


if __name__ == "__main__":
    sys.exit(subprocess.call([sys.executable, "-m", "pytest", "-q", __file__]))
