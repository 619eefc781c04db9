"""Stroke: does the plaque in a carotid artery tell who has a stroke?

Data:   126 patients, 64 with a stroke later: 20 measures of CT angiography and eight risk factors (Kuhn &
        Johnson 2019).
Model:  L2 logistic regression on the logarithms of volumes, areas and ratios, which are spread over two
        orders of magnitude: 126 patients are few for trees.
Reads:  out-of-fold risks; scaling and penalty are learned inside each fold. So few patients
        make one division into folds a matter of luck: five are averaged, and the interval is the result.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from artifacts import save_all
from cohorts.carotid import SIZES, load
from fitting import fit_linear
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from validation import cross_validate, judge

from pytest_training import Run

GATES = {"roc_auc": ">= 0.65"}  # seeds 0 to 4: 0.69 to 0.72; the dummy has 0.50
CUTOFF = 0.50  # half of the patients had a stroke


def train(run: Run, *, epochs: int = 50, folds: int = 5, repeats: int = 5) -> None:
    """Cross-validate the model over several divisions and judge it out of fold."""
    cohort = load(run.data("carotid_plaque")).with_target_of(run)
    fit = partial(fit_linear, preparation(), epochs=epochs)

    predictions = cross_validate(run, cohort, fit, folds=folds, repeats=repeats)
    judge(run, predictions, cutoff=CUTOFF)
    save_all(run, predictions, fit=fit, about=__doc__, tried="boosted trees (ROC AUC 0.65 against 0.70)")


def preparation() -> Pipeline:
    """Take logarithms of sizes (of 1 + size: proportions come near zero) and bring all to one scale."""
    logarithms = ColumnTransformer([("sizes", FunctionTransformer(np.log1p), SIZES)], remainder="passthrough")
    return make_pipeline(logarithms, StandardScaler())
