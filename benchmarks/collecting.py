"""The dry run: how much longer than pytest's own start-up `--collect-only` takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from measuring import PYTEST, Measurement, measure, medians
from projects import empty_project, training_project
from tables import Answer

QUESTION = "`pytest --collect-only`"
REPEATS = 9
NOTHING_COLLECTED = 5

EMPTY, WITHOUT = "empty folder", "empty folder, `-p no:training`"
LIMITS_S = {12: 0.150, 1000: 1.5}

JOB = '''"""Predict the outcome of one cohort from its measures."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

GATES = {"roc_auc": ">= 0.8"}


def train(run, *, epochs=50, folds=5, penalty=0.1):
    """Fit and judge."""
    measures, outcome = load(run)
    model = LogisticRegression(C=1 / penalty, max_iter=epochs)
    return {"roc_auc": float(cross_val_score(model, measures, outcome, cv=folds, scoring="roc_auc").mean())}


def load(run):
    random = np.random.default_rng(run.seed)
    table = pd.DataFrame(random.normal(size=(200, 4)))
    return table, table.sum(axis=1) > 0
'''


def answer(folder: Path, repeats: int) -> Answer:
    """Measure with no job, 12 and 1,000."""
    empty = empty_project(folder / "empty")
    alternatives: dict[str, Callable[[], Measurement]] = {
        WITHOUT: partial(_collect, empty, "-p", "no:training", expected=(NOTHING_COLLECTED,)),
        EMPTY: partial(_collect, empty, expected=(NOTHING_COLLECTED,)),
        **{_name(count): partial(_collect, _project(folder, count)) for count in LIMITS_S},
    }
    middle = medians(alternatives, repeats)
    result = Answer(QUESTION, ["project", "s", "CPU s", "CPU s above pytest's own start-up"])
    for name, each in middle.items():
        above = each.cpu_s - middle[WITHOUT].cpu_s
        result.rows.append([name, f"{each.wall_s:.3f}", f"{each.cpu_s:.3f}", f"{above:.3f}"])
    for count, allowed in LIMITS_S.items():
        above = middle[_name(count)].wall_s - middle[WITHOUT].wall_s
        result.limit(f"{_name(count)}, above pytest's own start-up", above, allowed)
    return result


def _name(count: int) -> str:
    return f"{count:,} jobs"


def _project(folder: Path, count: int) -> Path:
    return training_project(folder / str(count), [JOB] * count)


def _collect(project: Path, *options: str, expected: tuple[int, ...] = (0,)) -> Measurement:
    return measure([*PYTEST, "--collect-only", *options], project, expected=expected)
