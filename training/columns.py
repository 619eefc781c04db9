"""Own how well each column alone answers the question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from folds import inner_split
from reliance import HEADLINE
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from validation import predict

if TYPE_CHECKING:
    from cohorts import Cohort


def judge_each_column(cohort: Cohort, seed: int) -> dict[str, float]:
    """Return how well each column alone, by a small tree, answers the question on held-out rows."""
    inner = inner_split(cohort, seed)
    headline = HEADLINE[cohort.question]
    kind = DecisionTreeRegressor if cohort.question == "number" else DecisionTreeClassifier
    tree = kind(max_depth=4, min_samples_leaf=5, random_state=seed)
    alone = {}
    for name, values in cohort.features.items():
        column = values.cat.codes if isinstance(values.dtype, pd.CategoricalDtype) else values
        single = np.asarray(column, dtype=float)[:, None]
        answers = [
            predict(tree.fit(single[fit], cohort.target[fit]), single[rest], cohort.classes) for fit, rest in inner
        ]
        target = np.concatenate([cohort.target[rest] for _, rest in inner])
        alone[str(name)] = headline(target, np.concatenate(answers), np.zeros(len(target), dtype=np.int64)).value
    return alone
