"""Baseline models: which family of models suits which question?

Data:   seven classification tables of real people from this folder; simulated ones are left out, since they would
        reward the family that simulated them.
Model:  logistic regression, random forest and gradient-boosted trees with plain settings: what a job of this folder
        should beat, or have a reason not to.
Reads:  out-of-fold risks of every family on identical folds. Of each table: logistic regression's ROC AUC, and the
        paired difference of each other family to it, with interval and p. The verdict counts the tables on which a
        family is surely better, or worse; of such verdicts at most 5 % are expected to be false.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import matplotlib as mpl
import pandas as pd
import pictures
from cohorts import Cohort, breast, carotid, csf, monica, pima, speech
from fitting import fit_linear
from scipy.stats import false_discovery_control
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from validation import Estimator, cross_validate, record_of

from pytest_training import Run
from pytest_training.evaluation.judge import evaluate
from pytest_training.evaluation.record import Predictions

GATES = {"tables_above_dummy": ">= 6"}  # seeds 0 to 4: all seven; the smallest has 126 people
LIMITS = (
    "Plain settings: a family that does badly here may do well when tuned.",
    "The limits of every table are in the model card of its own job.",
)
SURE = 0.05  # the share of verdicts that may be false (Benjamini & Hochberg)
OWN = ("roc_auc", "roc_auc_low", "roc_auc_high", "baseline_roc_auc")
TREES_PER_EPOCH = 2  # of a forest, whose trees do not build on each other: it takes more of them
PAIRED = ("gain", "gain_low", "gain_high", "gain_p")  # to logistic regression


def train(run: Run, *, epochs: int = 50, folds: int = 5, repeats: int = 1) -> dict[str, float]:
    """Cross-validate every family on every table; return the verdict, then the differences on each table."""
    cohorts = {name: cohort.with_target_of(run) for name, cohort in load_all(run).items()}
    families = {"logistic": fit_logistic, "forest": fit_forest, "boosting": fit_boosted}
    lines: list[dict[str, Any]] = []
    risks: list[pd.DataFrame] = []
    for table, cohort in cohorts.items():
        first: Predictions | None = None
        for family, fit in families.items():
            fitted, stage = partial(fit, epochs=epochs), (len(lines), len(cohorts) * len(families))
            several = partial(cross_validate, run, cohort, fitted, folds=folds, repeats=repeats)
            record = record_of(several(importance=False, stage=stage))
            metrics = evaluate(record, against=first).metrics
            first = first or record
            shown = {name: metrics.get(name) for name in (*OWN, *PAIRED)}
            lines.append({"table": table, "people": len(cohort), "model": family, **shown})
            whose = {"table": table, "model": family, "row": record.row, "repeat": record.repeat, "fold": record.fold}
            risks.append(pd.DataFrame(whose | {"truth": record.truth, "risk": record.score.round(6)}))
    run.save("predictions.csv", pd.concat(risks))
    gains = pd.DataFrame(lines)
    run.save("comparison.csv", gains.round(4))
    with mpl.rc_context(pictures.STYLE):
        run.save("comparison.svg", pictures.comparison(gains[gains["model"] != "logistic"]))
    run.describe(method=__doc__, limits=LIMITS)
    return verdict(gains) | {
        f"{line['table']}_{line['model']}_{name}": line[name]
        for line in lines
        for name in (OWN if line["model"] == "logistic" else PAIRED)
    }


def verdict(gains: pd.DataFrame) -> dict[str, float]:
    """Count the tables on which logistic regression is above the dummy, and each other family surely above or below."""
    logistic, others = gains[gains["model"] == "logistic"], gains[gains["model"] != "logistic"]
    sure = others[false_discovery_control(others["gain_p"]) < SURE]
    counts = {"tables_above_dummy": float((logistic["roc_auc_low"] > logistic["baseline_roc_auc"]).sum())}
    for family in others["model"].unique():
        by_family = sure[sure["model"] == family]["gain"]
        counts |= {f"{family}_better": float((by_family > 0).sum()), f"{family}_worse": float((by_family < 0).sum())}
    return counts


def load_all(run: Run) -> dict[str, Cohort]:
    """Return every table of real people whose question has two answers; texts are categories."""
    panel, events = csf.load(run.data("csf_panel")), monica.load(run.data("monica"))
    levels = events.features.select_dtypes(exclude="number").columns
    return {
        "alzheimers": panel,
        "alzheimers_structured": panel.select(csf.MARKERS),
        "breast": breast.load(run.data("breast_masses")),
        "cardiovascular": replace(events, features=events.features.astype(dict.fromkeys(levels, "category"))),
        "diabetes": pima.load(run.data("pima_training"), run.data("pima_test")),
        "parkinsons": speech.load(run.data("parkinsons_speech")),
        "stroke": carotid.load(run.data("carotid_plaque")),
    }


def columns_of(cohort: Cohort, numbers: Estimator) -> Estimator:
    """Return `numbers` as the preparation of all columns but those of categories, which become a column per level."""
    levels = list(cohort.features.select_dtypes("category"))
    if not levels:
        return numbers
    one_hot = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    return make_column_transformer((one_hot, levels), remainder=numbers)


def fit_logistic(cohort: Cohort, *, seed: int, log: Callable[..., None], epochs: int) -> Pipeline:
    """Fit a logistic regression; inner folds choose its penalty."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return fit_linear(columns_of(cohort, numbers), cohort, epochs=epochs, seed=seed, log=log)


def fit_forest(cohort: Cohort, *, seed: int, log: Callable[..., None], epochs: int) -> Pipeline:
    """Fit a random forest by one thread: several would add its trees' risks in any order, to another last digit."""
    log(trees=TREES_PER_EPOCH * epochs)
    forest = RandomForestClassifier(TREES_PER_EPOCH * epochs, min_samples_leaf=3, random_state=seed)
    return make_pipeline(columns_of(cohort, "passthrough"), forest).fit(cohort.features, cohort.target)


def fit_boosted(cohort: Cohort, *, seed: int, log: Callable[..., None], epochs: int) -> HistGradientBoostingClassifier:
    """Fit gradient-boosted trees, one per epoch, each split among a fifth of the columns."""
    log(trees=epochs)
    settings = {"max_leaf_nodes": 8, "max_features": 0.2, "early_stopping": False, "random_state": seed}
    return HistGradientBoostingClassifier(max_iter=epochs, **settings).fit(cohort.features, cohort.target)
