"""Alzheimer's disease, established markers: do age, sex, APOE, tau and amyloid tell impairment?

Data:   333 people, 91 impaired: age, sex, APOE alleles, tau, phosphorylated tau and amyloid beta 42 of the
        cerebrospinal fluid (Craig-Schapiro 2011).
Model:  L2 logistic regression: seven columns whose effects are known to be monotone, 91 patients.
Reads:  out-of-fold risks; scaling and penalty are learned inside each fold. On the same
        folds the same model is given the whole protein panel as well (`train_alzheimers.py`): `panel_gain`
        is what it adds.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from artifacts import save_all
from cohorts.csf import MARKERS, load
from evaluation import cross_validate, gain, judge, judge_beside
from fitting import fit_linear
from sklearn.preprocessing import StandardScaler

if TYPE_CHECKING:
    from pytest_training import Run

GATES = {"roc_auc": ">= 0.79"}  # seeds 0 to 9: 0.82 to 0.84; the dummy has 0.49
CUTOFF = 0.27  # the share of impaired people here


def train(run: Run, *, epochs: int = 50, folds: int = 5, shuffle_target: bool = False) -> dict[str, float]:
    """Cross-validate the markers alone and with the panel, and return the metrics of both."""
    cohort = load(run.data("csf_panel"))
    if shuffle_target:
        cohort = cohort.shuffled(run.seed)
    fit = partial(fit_linear, StandardScaler(), epochs=epochs)

    markers = cross_validate(run, cohort.select(MARKERS), fit, folds=folds, stage=(0, 2))
    panel = cross_validate(run, cohort, fit, folds=folds, importance=False, stage=(1, 2))
    metrics = judge(markers, cutoff=CUTOFF) | judge_beside(panel, "panel_")
    metrics |= gain("roc_auc", panel, over=markers, prefix="panel_")
    save_all(run, markers, metrics, fit=fit, about=__doc__, data=["csf_panel"])
    return metrics
