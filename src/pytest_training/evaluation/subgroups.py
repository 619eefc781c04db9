"""Judges the people of each subgroup: how many, events, the headline metric, observed : expected."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from pytest_training.evaluation import interval
from pytest_training.evaluation.columns import Texts
from pytest_training.evaluation.metrics import measures
from pytest_training.evaluation.record import Predictions
from pytest_training.evaluation.result import Subgroup
from pytest_training.units import number

MOST_VALUES = 8  # of a column; numbers that have more are cut into three parts, of texts the rest is "other"
FEWEST_PEOPLE = 10  # below it the counts alone are shown: an interval over fewer says nothing
CHOSEN = {
    "binary": ("roc_auc", "observed_expected", "brier"),
    "classes": ("roc_auc", "accuracy"),
    "number": ("r2", "mae"),
}
"""Metrics of a subgroup by question."""


def subgroups(record: Predictions) -> tuple[Subgroup, ...]:
    """Return the subgroups of each stated column, in the order in which it was stated."""
    return tuple(_judged(column, value, own) for (column, value), own in parts(record).items())


def parts(record: Predictions) -> dict[tuple[str, str], Predictions]:
    """Return the record of each subgroup, by column and value."""
    return {
        (column, name): record.take(np.flatnonzero(names == name))
        for column, values in record.subgroup.items()
        for names in [_named(values)]
        for name in dict.fromkeys(names[np.argsort(_rank(values), kind="stable")].tolist())
    }


def _judged(column: str, value: str, own: Predictions) -> Subgroup:
    people = own.people[1]
    chosen = {each: measure for each, measure in measures(own).items() if each in CHOSEN[own.question]}
    return Subgroup(
        column=column,
        value=value,
        rows=len(own.repeats[0]),
        people=people,
        events=own.events,
        metrics=interval.measured(own, chosen) if people >= FEWEST_PEOPLE else {},
    )


def _named(values: Texts) -> NDArray[np.str_]:
    """Return the name of each line's subgroup."""
    different, counts = np.unique(values, return_counts=True)
    if len(different) <= MOST_VALUES:
        return values
    with suppress(ValueError):
        numbers = values.astype(np.float64)
        low, high = np.quantile(numbers, [1 / 3, 2 / 3])
        names = [f"up to {number(low)}", f"{number(low)} to {number(high)}", f"over {number(high)}"]
        return np.array(names)[np.searchsorted([low, high], numbers)]
    frequent = different[np.argsort(-counts, kind="stable")[: MOST_VALUES - 1]]
    return np.where(np.isin(values, frequent), values, "other")


def _rank(values: Texts) -> NDArray[np.generic]:
    """Return what orders the subgroups: numbers by size, texts by the alphabet."""
    try:
        return values.astype(np.float64)
    except ValueError:
        return values
