"""Made-up cohorts and predictions that the tests of the medical jobs share."""

from __future__ import annotations

import numpy as np
import pandas as pd
from arrays import Floats
from cohorts import Cohort
from evaluation import OutOfFold


def make_cohort(rows: int = 120, *, kind: str = "binary", seed: int = 0, people: int | None = None) -> Cohort:
    """Return a cohort whose first column tells the target, the second nothing; `people` share its rows."""
    random = np.random.default_rng(seed)
    features = pd.DataFrame(random.normal(size=(rows, 2)), columns=["signal", "noise"])
    drive = features["signal"].to_numpy() + random.normal(size=rows)
    target = {
        "binary": (drive > 0).astype(int),
        "classes": np.digitize(drive, [-0.6, 0.6]),
        "number": 10 * drive + 50,
    }[kind]
    classes = {"binary": ("well", "ill"), "classes": ("low", "middle", "high"), "number": ()}[kind]
    person = None if people is None else random.integers(people, size=rows)
    return Cohort(features=features, target=target, classes=classes, person=person)


def make_predictions(cohort: Cohort, predicted: Floats, *, repeats: int = 1, seed: int = 0) -> OutOfFold:
    """Return these predictions as if they had come out of two folds."""
    rows = len(cohort)
    return OutOfFold(
        cohort=cohort,
        predicted=np.tile(predicted, (repeats, *[1] * predicted.ndim)),
        baseline=np.full((repeats, *predicted.shape), cohort.target.mean()),
        fold=np.tile(np.arange(rows) % 2, (repeats, 1)),
        importance=pd.DataFrame({"block": ["signal"], "loss": [0.1]}),
        seed=seed,
    )
