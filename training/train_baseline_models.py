"""Baseline models: which family of models suits which question?

Data:   seven classification tables of real people from this folder; simulated ones are left out, since they would
        reward the family that simulated them.
Model:  dummy, logistic regression, random forest and gradient-boosted trees with plain settings: what a job of
        this folder should beat, or have a reason not to.
Reads:  out-of-fold ROC AUC and Brier score of every family on identical folds. `roc_auc` is the mean over tables
        and the three real families, beside the dummy's; every single figure is in comparison.csv.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from artifacts import save_comparison
from cohorts import breast, carotid, csf, monica, pima, speech
from evaluation import bootstrap, cross_validate, dummy_of, with_interval
from fitting import fit_linear
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

if TYPE_CHECKING:
    from collections.abc import Callable

    from cohorts import Cohort
    from evaluation import OutOfFold

    from pytest_training import Run

GATES = {"roc_auc": ">= 0.80"}  # seeds 0 to 9: 0.82 to 0.83; the dummy has 0.49
TABLES = ["csf_panel", "breast_masses", "monica", "pima_training", "pima_test", "parkinsons_speech", "carotid_plaque"]
TREES_PER_EPOCH = 2  # a forest's trees do not build on each other: it takes more of them


def train(run: Run, *, epochs: int = 50, folds: int = 5, shuffle_target: bool = False) -> dict[str, float]:
    """Cross-validate every family on every table; return the means by family and by table."""
    cohorts = load_all(run)
    if shuffle_target:
        cohorts = {name: cohort.shuffled(run.seed) for name, cohort in cohorts.items()}
    families = {"logistic": fit_logistic, "forest": fit_forest, "boosting": fit_boosted}

    predictions: dict[str, dict[str, OutOfFold]] = {}
    stages = len(cohorts) * len(families)
    for table, cohort in cohorts.items():
        answers: dict[str, OutOfFold] = {}
        for family, fit in families.items():
            stage = len(predictions) * len(families) + len(answers), stages
            fitted = partial(fit, epochs=epochs, threads=run.threads)
            answers[family] = cross_validate(run, cohort, fitted, folds=folds, importance=False, stage=stage)
        predictions[table] = {"dummy": dummy_of(answers["logistic"]), **answers}

    values = {name: {f: bootstrap("roc_auc", each) for f, each in by.items()} for name, by in predictions.items()}
    mean = {family: np.mean([by[family] for by in values.values()], axis=0) for family in ("dummy", *families)}
    metrics = with_interval("roc_auc", np.mean([mean[family] for family in families], axis=0))
    metrics["baseline_roc_auc"] = float(mean["dummy"][0])
    for family in families:
        metrics |= with_interval(f"{family}_roc_auc", mean[family])
    for name, by in values.items():
        metrics[f"{name}_roc_auc"] = float(np.mean([by[family][0] for family in families]))
    save_comparison(run, predictions, about=__doc__)
    return metrics


def load_all(run: Run) -> dict[str, Cohort]:
    """Return every table of real people whose question has two answers."""
    panel = csf.load(run.data("csf_panel"))
    return {
        "alzheimers": panel,
        "alzheimers_structured": panel.select(csf.MARKERS),
        "breast": breast.load(run.data("breast_masses")),
        "cardiovascular": monica.load(run.data("monica")),
        "diabetes": pima.load(run.data("pima_training"), run.data("pima_test")),
        "parkinsons": speech.load(run.data("parkinsons_speech")),
        "stroke": carotid.load(run.data("carotid_plaque")),
    }


def preparation(cohort: Cohort) -> ColumnTransformer:
    """Fill numbers with their median and scale them, make every level of a category a column."""
    levels = list(cohort.features.select_dtypes(exclude="number"))
    numbers = [column for column in cohort.features if column not in levels]
    return make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), levels),
    )


def fit_logistic(cohort: Cohort, *, seed: int, log: Callable[..., None], epochs: int, threads: int) -> Pipeline:
    """Fit a logistic regression; inner folds choose its penalty."""
    del threads  # so small an equation has one
    return fit_linear(preparation(cohort), cohort, epochs=epochs, seed=seed, log=log)


def fit_forest(cohort: Cohort, *, seed: int, log: Callable[..., None], epochs: int, threads: int) -> Pipeline:
    """Fit a random forest of two trees per epoch."""
    log(trees=TREES_PER_EPOCH * epochs)
    forest = RandomForestClassifier(TREES_PER_EPOCH * epochs, min_samples_leaf=3, random_state=seed, n_jobs=threads)
    return make_pipeline(preparation(cohort), forest).fit(cohort.features, cohort.target)


def fit_boosted(cohort: Cohort, *, seed: int, log: Callable[..., None], epochs: int, threads: int) -> Pipeline:
    """Fit gradient-boosted trees, one per epoch, each split among a fifth of the columns."""
    del threads  # OpenMP's number of threads is set
    log(trees=epochs)
    trees = HistGradientBoostingClassifier(
        max_iter=epochs, max_leaf_nodes=8, max_features=0.2, early_stopping=False, random_state=seed
    )
    return make_pipeline(preparation(cohort), trees).fit(cohort.features, cohort.target)
