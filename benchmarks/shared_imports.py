"""Jobs that import scikit-learn and pandas: the saving if the job server imports them once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measuring import PYTEST, WORKERS, Measurement, check_accounting, measure, medians
from projects import program_project, training_project
from tables import Answer

QUESTION = "12 jobs that import scikit-learn and pandas, 4 at a time"
REPEATS = 3
COUNT = 12
TIMES_LESS = 4

IMPORTS = """import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import cross_val_score
"""
JOB = f'{IMPORTS}\n\ndef train(run):\n    """Import and do nothing."""\n    return {{"score": 1.0}}\n'

SHARED, APART = "pytest-training, one job server", "a subprocess per job, ThreadPool(4)"


def answer(folder: Path, repeats: int) -> Answer:
    """Measure with and without sharing."""
    return compare(folder, repeats, QUESTION, TIMES_LESS)


def compare(folder: Path, repeats: int, question: str, times_less: int) -> Answer:
    """Measure one job server beside an interpreter for each job."""
    folder.mkdir(parents=True, exist_ok=True)
    check_accounting(folder)
    ours = training_project(folder / "ours", [JOB] * COUNT)
    fresh = training_project(folder / "fresh", [JOB] * COUNT, "training_start = subprocess\n")
    programs = program_project(folder / "programs", [IMPORTS] * COUNT)
    alternatives: dict[str, Callable[[], Measurement]] = {
        SHARED: partial(measure, [*PYTEST, "-n", str(WORKERS)], ours),
        "pytest-training, `training_start = subprocess`": partial(measure, [*PYTEST, "-n", str(WORKERS)], fresh),
        APART: partial(measure, [sys.executable, "pool.py"], programs),
    }
    middle = medians(alternatives, repeats)
    result = Answer(question, ["runner", "s", "CPU s", "CPU against one server"])
    shared = middle[SHARED].cpu_s
    for name, each in middle.items():
        result.rows.append([name, f"{each.wall_s:.2f}", f"{each.cpu_s:.2f}", f"{each.cpu_s / shared:.2f} x"])
    result.limit(f"CPU, 1/{times_less} of a subprocess per job", shared, middle[APART].cpu_s / times_less, "CPU s")
    return result
