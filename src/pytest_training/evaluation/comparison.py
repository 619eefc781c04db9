"""Compare two records of predictions of the same people."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from scipy import special

from pytest_training.evaluation import interval
from pytest_training.evaluation.columns import Floats
from pytest_training.evaluation.metrics import HEADLINE, Figure, figure, measures
from pytest_training.evaluation.record import Predictions
from pytest_training.evaluation.result import LEVEL


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """The difference of two records of the same people, by one test."""

    test: str
    metric: str
    difference: float
    low: float | None = None
    high: float | None = None
    p: float


def paired(record: Predictions, over: Predictions) -> list[Paired]:
    """Return what each test that fits both records says of their difference."""
    own = gain(record, over)
    metric, models = HEADLINE[record.question], "fitted models" if max(record.folds, over.folds) > 1 else "the model"
    test = f"paired by people, with the spread of {models}"
    ends = {"low": own["gain_low"], "high": own["gain_high"], "p": own["gain_p"]}
    return [Paired(test=test, metric=metric, difference=own["gain"], **ends)]


def gain(record: Predictions, over: Predictions) -> dict[str, float]:
    """Return the headline's difference to another record's, paired by people, with its interval and p."""
    _require_same_people(record, over)
    own, other = _headline(record), _headline(over)
    value, influence = own.value - other.value, _difference(own.influence, other.influence)
    error = math.sqrt(interval.variance(influence, max(record.folds, over.folds)))
    quantile = float(special.stdtrit(record.freedom, (1 + LEVEL) / 2))
    p = 2 * float(special.stdtr(record.freedom, -abs(value) / error)) if error else float(value == 0)
    return {"gain": value, "gain_low": value - quantile * error, "gain_high": value + quantile * error, "gain_p": p}


def _headline(record: Predictions) -> Figure:
    return figure(record, measures(record)[HEADLINE[record.question]])


def _difference(own: Floats, other: Floats) -> Floats:
    """Return the differences of influences, of unequal numbers of repeats that of their means."""
    return own - other if len(own) == len(other) else (own.mean(axis=0) - other.mean(axis=0))[None]


def _require_same_people(record: Predictions, over: Predictions) -> None:
    if record.classes != over.classes:
        raise ValueError(
            f"the records to compare have the classes {', '.join(record.classes) or 'none'} and "
            f"{', '.join(over.classes) or 'none'}; expected the same question"
        )
    people, others = np.unique(record.person), np.unique(over.person)
    if not np.array_equal(people, others):
        both = len(np.intersect1d(people, others))
        raise ValueError(
            f"the records to compare are of {len(people)} and {len(others)} people, {both} of them in both; "
            "expected the same people"
        )
    if not np.array_equal(_outcomes(record), _outcomes(over)):
        raise ValueError("the records to compare have other outcomes for the same people; expected the same")


def _outcomes(record: Predictions) -> Floats:
    """Return the mean outcome of each person in a repeat, by the person's text."""
    codes, lines = record.people[0], record.repeats[0]
    sums = np.bincount(codes[lines], weights=record.truth[lines].astype(float))
    outcomes: Floats = np.round(sums / np.bincount(codes[lines]), 9)
    return outcomes
