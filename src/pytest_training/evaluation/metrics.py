"""Own what each metric is: its value on one repeat's lines, and how much each line moves it (its influence).

Influences sum to about 0. The square of a person's sum is that person's part of the metric's variance; of an AUC these
are DeLong's structural components.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_training.evaluation.columns import Codes, Floats
from pytest_training.evaluation.record import Predictions, is_constant

CERTAIN = 1e-6  # a risk of 0 or 1 is taken as this close to it, so that its log odds are finite
Target = NDArray[Any]


class Measured(NamedTuple):
    """A metric on some lines, or of a record: then the mean over its repeats."""

    value: float
    influence: Floats  # of each line, of a record repeats × people
    noise: float = 0.0  # that the influences' squares sum to beyond the lines' own: each is seen beside a fold's others


Measure = Callable[[Target, Floats, Codes], Measured]
"""Takes truth, score and fold of one repeat's lines; raises ZeroDivisionError where the metric has no value."""
HEADLINE = {"binary": "roc_auc", "classes": "roc_auc", "number": "r2"}
BASELINES = {
    "binary": ("roc_auc", "average_precision", "brier", "net_benefit"),
    "classes": ("roc_auc", "accuracy", "brier"),
    "number": ("r2", "mae", "rmse"),
}
"""Metrics of the dummy."""


def measures(record: Predictions) -> Mapping[str, Measure]:
    """Return the metrics that answer a record's question, the headline first."""
    if record.question == "binary":
        return {
            "roc_auc": roc_auc,
            "average_precision": average_precision,
            "sensitivity": partial(share_called, label=1, cutoff=record.cutoff),
            "specificity": partial(share_called, label=0, cutoff=record.cutoff),
            "brier": lambda truth, score, _: _mean((score - truth) ** 2),
            "net_benefit": partial(net_benefit, cutoff=record.cutoff),
            "observed_expected": observed_expected,
            "calibration_slope": calibration_slope,
            "calibration_intercept": calibration_intercept,
        }
    if record.question == "classes":
        return {
            "roc_auc": macro_roc_auc,
            "accuracy": lambda truth, score, _: _mean((score.argmax(axis=1) == truth).astype(float)),
            "brier": lambda truth, score, _: _mean(((score - np.eye(score.shape[1])[truth]) ** 2).sum(axis=1)),
        }
    return {"r2": r2, "mae": lambda truth, score, _: _mean(np.abs(score - truth)), "rmse": rmse}


def figure(record: Predictions, measure: Measure) -> Measured:
    """Return a metric over all repeats; raise ZeroDivisionError if it has no value in one."""
    codes, people = record.people
    each = [measure(record.truth[lines], record.score[lines], record.fold[lines]) for lines in record.repeats]
    influence = [
        np.bincount(codes[lines], weights=one.influence, minlength=people)
        for one, lines in zip(each, record.repeats, strict=True)
    ]
    value, noise = np.mean([(one.value, one.noise) for one in each], axis=0)
    return Measured(float(value), np.array(influence), float(noise))


def dummy(record: Predictions) -> Predictions:
    """Return what a dummy predicts: the share of each class, or the mean, of the other folds of the same repeat."""
    target = np.eye(len(record.classes))[record.truth] if record.question == "classes" else record.truth.astype(float)
    score = np.zeros_like(record.score)
    for lines in record.repeats:
        folds = [lines[own] for own in lines_of_folds(record.fold[lines])]
        is_lone = len(folds) == 1 or all(len(np.unique(record.truth[own])) < 2 for own in folds)
        for own in folds:
            rest = target[lines].sum(axis=0) - (0 if is_lone else target[own].sum(axis=0))
            score[own] = rest / (len(lines) - (0 if is_lone else len(own)))
    return record.replaced(score=score)


def _mean(values: NDArray[Any]) -> Measured:
    mean = values.mean()
    return Measured(float(mean), (values - mean) / len(values))


def components(truth: NDArray[np.bool_], score: Floats) -> tuple[Floats, Floats]:
    """Return for each line the share of the other class on its right side, ties half, and the share of ties."""
    positive, negative = np.sort(score[truth]), np.sort(score[~truth])
    if not len(positive) or not len(negative):
        raise ZeroDivisionError
    right, tied = np.empty(len(score)), np.empty(len(score))
    for own, others in ((truth, negative), (~truth, positive)):
        below, up_to = (np.searchsorted(others, score[own], side) for side in ("left", "right"))
        right[own], tied[own] = (below + up_to) / (2 * len(others)), (up_to - below) / len(others)
    right[~truth] = 1 - right[~truth]
    return right, tied


def roc_auc(truth: Target, score: Floats, fold: Codes) -> Measured:
    """Return how often a positive scores above a negative of its fold: the mean over folds that hold both classes.

    A line's component is about the mean over folds: about its fold's, few positives in it would vary too little.
    """
    happened = truth == 1
    folds = [lines for lines in lines_of_folds(fold) if 0 < happened[lines].sum() < len(lines)]
    folds = folds or [np.arange(len(truth))]  # with one held-out row a fold there is no other way
    right, tied, weight = np.zeros((3, len(truth)))
    for lines in folds:
        right[lines], tied[lines] = components(happened[lines], score[lines])
        weight[lines] = 1 / np.where(happened[lines], happened[lines].sum(), (~happened[lines]).sum()) / len(folds)
    value = float(np.mean([right[lines][happened[lines]].mean() for lines in folds]))
    pairs = np.mean([1 / (happened[lines].sum() * (~happened[lines]).sum()) for lines in folds]) / len(folds)
    of_pair = value * (1 - value) - float(weight[happened] @ tied[happened]) / 4
    alone = sum(float(weight[own] @ (right[own] - value) ** 2) for own in (happened, ~happened))
    return Measured(value, weight * (right - value), float(pairs) * (of_pair + max(of_pair - alone, 0.0)))


def compared(record: Predictions) -> NDArray[np.intp]:
    """Return the lines that the AUC is of, of several classes those of the class that has the fewest."""
    each = []
    for label in [1] if record.question == "binary" else np.unique(record.truth):
        is_own, used = record.truth == label, []
        for lines in record.repeats:
            folds = [lines[own] for own in lines_of_folds(record.fold[lines])]
            used += [own for own in folds if 0 < is_own[own].sum() < len(own)] or [lines]
        each.append(np.concatenate(used))
    return min(each, key=len)


def lines_of_folds(fold: Codes) -> list[NDArray[np.intp]]:
    """Return the places of each fold's lines."""
    return [np.flatnonzero(fold == each) for each in np.unique(fold)]


def macro_roc_auc(truth: Target, score: Floats, fold: Codes) -> Measured:
    """Return the mean over classes of one class against the rest."""
    each = [roc_auc((truth == label).astype(int), score[:, label], fold) for label in np.unique(truth)]
    value, noise = np.mean([(one.value, one.noise) for one in each], axis=0)
    return Measured(float(value), np.mean([one.influence for one in each], axis=0), float(noise))


def average_precision(truth: Target, score: Floats, fold: Codes) -> Measured:  # noqa: ARG001  (a Measure)
    """Return the precision averaged over the positives, each at its own cut-off."""
    order = np.argsort(-score, kind="stable")
    happened = truth[order] == 1
    last = np.searchsorted(-score[order], -score[order], "right")  # how many lines are called at the line's score
    first = np.searchsorted(-score[order], -score[order], "left")
    hits = np.cumsum(happened)[last - 1]
    precision, positives = hits / last, happened.sum()
    if not positives:
        raise ZeroDivisionError
    value = float(precision[happened].mean())

    def later(values: Floats) -> Floats:
        """Return for each line the sum over positives that score as it does, or lower."""
        return np.append(np.cumsum((values * happened)[::-1])[::-1], 0.0)[first]

    moved = happened * later(1 / last) - later(precision / last)
    influence = np.empty(len(truth))
    influence[order] = (happened * (precision - value) + moved) / positives
    return Measured(value, influence)


def share_called(truth: Target, score: Floats, fold: Codes, *, label: int, cutoff: float) -> Measured:  # noqa: ARG001  (a Measure)
    """Return the share of a class's lines that the cut-off puts into it: sensitivity, or of class 0 specificity."""
    own = truth == label
    if not own.any():
        raise ZeroDivisionError
    value = float(((score >= cutoff) == label)[own].mean())
    return Measured(value, own * (((score >= cutoff) == label) - value) / own.sum())


def net_benefit(truth: Target, score: Floats, fold: Codes, *, cutoff: float) -> Measured:  # noqa: ARG001  (a Measure)
    """Return the share of true positives, less false ones weighed by the odds of the cut-off (Vickers 2006)."""
    return _mean((score >= cutoff) * np.where(truth == 1, 1.0, -cutoff / (1 - cutoff)))


def observed_expected(truth: Target, score: Floats, fold: Codes) -> Measured:  # noqa: ARG001  (a Measure)
    """Return how many events there were for each that was expected."""
    expected = max(float(score.sum()), CERTAIN)
    value = float(truth.sum()) / expected
    return Measured(value, (truth - value * score) / expected)


def r2(truth: Target, score: Floats, fold: Codes) -> Measured:  # noqa: ARG001  (a Measure)
    """Return the share of the variance that is explained; negative where the mean would do better."""
    if is_constant(truth):
        raise ZeroDivisionError
    around = (truth - truth.mean()) ** 2
    value = 1 - float(((score - truth) ** 2).sum() / around.sum())
    return Measured(value, ((1 - value) * around - (score - truth) ** 2) / around.sum())


def rmse(truth: Target, score: Floats, fold: Codes) -> Measured:  # noqa: ARG001  (a Measure)
    """Return the root of the mean squared error in the target's unit."""
    squared = _mean((score - truth) ** 2)
    root = float(np.sqrt(squared.value))
    return Measured(root, squared.influence / (2 * root) if root else squared.influence)


def log_odds(risk: Floats) -> Floats:
    """Return the log odds of risks, finite also for 0 and 1."""
    safe = np.clip(risk, CERTAIN, 1 - CERTAIN)
    return np.asarray(np.log(safe / (1 - safe)))


def calibration_slope(truth: Target, score: Floats, fold: Codes) -> Measured:  # noqa: ARG001  (a Measure)
    """Return the slope of what happened over the log odds: 1 is perfect, below it risks are too extreme.

    Equal risks have slope 0: they do not tell people apart. Risks that separate the classes completely have none.
    """
    odds, happened = log_odds(score), truth == 1
    if happened.all() or not happened.any():
        raise ZeroDivisionError
    if np.ptp(odds) < CERTAIN:
        return Measured(0.0, np.zeros(len(truth)))
    if odds[~happened].max() <= odds[happened].min() or odds[happened].max() <= odds[~happened].min():
        raise ZeroDivisionError  # the steeper, the likelier: it grows without end
    coefficients, influence = logistic(np.column_stack([odds, np.ones(len(truth))]), truth, np.zeros(len(truth)))
    return Measured(float(coefficients[0]), influence[:, 0])


def calibration_intercept(truth: Target, score: Floats, fold: Codes) -> Measured:  # noqa: ARG001  (a Measure)
    """Return calibration in the large, with the slope held at 1: above 0 risks are too low (Van Calster 2019)."""
    coefficients, influence = logistic(np.ones((len(truth), 1)), truth, log_odds(score))
    return Measured(float(coefficients[0]), influence[:, 0])


def logistic(columns: Floats, truth: Target, offset: Floats) -> tuple[Floats, Floats]:
    """Fit a logistic regression; return coefficients and each line's influence on them.

    It has no penalty: a ridge of 1e-6 keeps it finite where the classes separate.
    """
    ridge, loss = 1e-6 * np.eye(columns.shape[1]), math.inf
    coefficients, step = np.zeros((2, columns.shape[1]))
    for _ in range(50):
        while (after := _loss(columns, truth, offset, coefficients + step)) > loss + 1e-9 and np.abs(step).max() > 1e-9:
            step /= 2  # Newton's step leads too far: of a curved spline it may even lead away
        coefficients, loss = coefficients + step, after
        risk = 1 / (1 + np.exp(-np.clip(columns @ coefficients + offset, -30, 30)))
        information = (columns * (risk * (1 - risk))[:, None]).T @ columns + ridge
        step = np.linalg.solve(information, columns.T @ (truth - risk) - ridge @ coefficients).astype(np.float64)
        if np.abs(step).max() < 1e-8:
            break
    return coefficients, np.linalg.solve(information, (columns * (truth - risk)[:, None]).T).T.astype(np.float64)


def _loss(columns: Floats, truth: Target, offset: Floats, coefficients: Floats) -> float:
    odds = columns @ coefficients + offset
    return float((np.logaddexp(0, odds) - truth * odds).sum() + 5e-7 * coefficients @ coefficients)
