"""`run_all_training.py --list`: how long until somebody sees the jobs, whatever the scripts import."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measuring import Measurement, measure, medians
from projects import training_project
from tables import Answer

QUESTION = "`run_all_training.py --list`"
REPEATS = 9
BARE = "`python -c pass`"
LIMITS_S = {12: 0.5, 200: 1.0}
SCRIPT = """import argparse

import pandas
import sklearn
import torch

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--output-dir")
print(parser.parse_args())
"""


def answer(folder: Path, repeats: int) -> Answer:
    """Measure with 12 scripts and 200."""
    folder.mkdir(parents=True, exist_ok=True)
    alternatives: dict[str, Callable[[], Measurement]] = {
        BARE: partial(measure, [sys.executable, "-c", "pass"], folder),
        **{_name(count): partial(_list, training_project(folder / str(count), [SCRIPT] * count)) for count in LIMITS_S},
    }
    middle = medians(alternatives, repeats)
    result = Answer(QUESTION, ["what", "s", "CPU s", "CPU against a bare start"])
    bare = middle[BARE].cpu_s
    for name, each in middle.items():
        result.rows.append([name, f"{each.wall_s:.3f}", f"{each.cpu_s:.3f}", f"{each.cpu_s / bare:.1f} x"])
    for count, allowed in LIMITS_S.items():
        result.limit(_name(count), middle[_name(count)].wall_s, allowed)
        result.limit(f"{_name(count)}, CPU", middle[_name(count)].cpu_s, allowed, "CPU s")
    return result


def _name(count: int) -> str:
    return f"{count} scripts"


def _list(project: Path) -> Measurement:
    command = [sys.executable, "-m", "pytest_training.run_all", "--list"]
    return measure(command, project)
