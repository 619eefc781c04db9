"""Own the 95 % intervals: how far a metric may lie from what models fitted this way show on new people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from scipy import special

from pytest_training.evaluation.columns import Floats
from pytest_training.evaluation.metrics import Measure, compared, figure
from pytest_training.evaluation.ranges import ends
from pytest_training.evaluation.record import Predictions
from pytest_training.evaluation.result import LEVEL

MOST = 1.4
"""How much models add at most: with a shuffled target 1.0 to 1.4 times the sum of squares (benchmarks/covering.py)."""
SHARES = frozenset(["roc_auc", "average_precision", "sensitivity", "specificity", "accuracy"])
"""Metrics between 0 and 1, whose intervals stay there."""
MEANS = frozenset(["accuracy", "brier", "r2", "mae", "rmse"])
"""Metrics that are means over people of any class."""
FEWEST, FEWEST_OF_CLASS = 8, 4  # people of an interval: fewer may be alike by chance, and it narrow
LEAST = 1e-9  # of a metric: what rounding makes of errors that are equal for all, which show no spread
RATIOS = frozenset(["observed_expected"])
"""Metrics above 0, whose intervals are of the logarithm: with few events they are lopsided (Debray 2017)."""


def measured(record: Predictions, measures: Mapping[str, Measure]) -> dict[str, float]:
    """Return each metric that has a value on these lines; of enough people its interval is `X_low` and `X_high`."""
    metrics: dict[str, float] = {}
    for name, measure in measures.items():
        with suppress(ZeroDivisionError):
            own = figure(record, measure)
            metrics[name] = own.value
            spread = variance(own.influence, record.folds, own.noise)
            if is_enough(record, name) and (name in SHARES or math.sqrt(spread) > LEAST * abs(own.value)):
                low, high = bounds(name, own.value, spread, freedom(record, name))
                least, most = ends(name, [own.value])
                metrics |= {f"{name}_low": max(low, least), f"{name}_high": min(high, most)}
    return metrics


def freedom(record: Predictions, name: str) -> int:
    """Return that of Student's t: the people whom a metric is a mean over, of several classes the rarest, less one."""
    codes, people = record.people
    if name in MEANS:
        return people - 1
    if name in {"sensitivity", "specificity"}:
        return len(np.unique(codes[record.truth == (name == "sensitivity")])) - 1
    return record.take(compared(record)).freedom if name == "roc_auc" else record.freedom


def is_enough(record: Predictions, name: str) -> bool:
    """Return whether so many people make a metric that it has an interval."""
    return record.people[1] >= FEWEST and freedom(record, name) + 1 >= FEWEST_OF_CLASS


def variance(influence: Floats, folds: int, noise: float = 0.0, most: float = MOST) -> float:
    """Return the variance of a metric from its influences (repeats × people); each repeat has `noise` of its own.

    Given the models it is the sum of squares. Models of different folds share training rows, so what people and models
    make together counts once there where it occurs twice. Repeats show how much it is: their models share but
    1 - 1/folds of the rows. Two people meet in one fold of two repeats with chance 1/folds, and so does their noise.
    It is at most `most` times the sum of squares.
    """
    repeats = len(influence)
    stable = float((influence.mean(axis=0) ** 2).sum())
    if folds < 2:
        return stable
    if repeats < 2:  # nothing shows how much models differ: the worst case
        return 2 * stable
    spread = (float((influence**2).sum(axis=1).mean()) - stable) * repeats / (repeats - 1) - noise * (1 - 1 / folds)
    return stable + min((folds - 1 + 1 / repeats) * max(spread, 0.0), most * stable)


def bounds(name: str, value: float, variance: float, freedom: float) -> tuple[float, float]:
    """Return the interval's ends; `freedom` is that of Student's t."""
    quantile = float(special.stdtrit(freedom, (1 + LEVEL) / 2))
    variance *= (freedom + 1) / freedom
    if name in RATIOS and value > 0:
        factor = math.exp(quantile * math.sqrt(variance) / value)
        return value / factor, value * factor
    if name not in SHARES:
        return value - quantile * math.sqrt(variance), value + quantile * math.sqrt(variance)
    # Wilson's interval, with as many people as would give this variance: it has a width at 0 and 1 too.
    number = max(value * (1 - value) / variance if variance > 0 else 0.0, 0.0) or freedom + 1
    squared = quantile**2 / number
    middle = (value + squared / 2) / (1 + squared)
    half = math.sqrt(squared * (value * (1 - value) + squared / 4)) / (1 + squared)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def method(folds: int, repeats: int, people: int, *, is_number: bool = False) -> str:
    """Say how the intervals come about; DeLong's method is for areas below ROC curves."""
    name = "the infinitesimal jackknife" if is_number else "DeLong's method"
    how = f"{100 * LEVEL:.0f} %: {name} over {people} people"
    if folds < 2:
        return f"{how}, for one fitted model (no folds are stated)"
    if repeats < 2:
        return f"{how}, its variance doubled as in the worst case: one repeat does not show how {folds} models differ"
    return f"{how}, with the spread of {repeats} × {folds} fitted models"
