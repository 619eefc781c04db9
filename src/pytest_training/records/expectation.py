"""How long a job will take, by how long it took before: a fixed part, and one in proportion to epochs and folds."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, TypeGuard

from pytest_training.jobs.model import Value

WEIGHTS = ("epochs", "folds")
"""Parameters that a part of a job's duration is proportional to; the product of their values is its size."""
MEDIAN_OF = 3
FIXED_SHARE = 0.5
"""Part of a duration that is fixed, as long as one size alone was measured: data, intervals, pictures.

It was 53 %, 64 % and 78 % of the CPU seconds of three jobs of this repository; a job of a large net has hardly any.
"""
LARGEST = 1e9
"""Seconds beyond 30 years, and sizes beyond this or below its inverse, are no measurements."""


class Measured(Value, frozen=True, kw_only=True):
    """What one training took."""

    seconds: float
    parameters: dict[str, Any] = {}


def expected_seconds(parameters: Mapping[str, Any], earlier: Iterable[Measured]) -> float | None:
    """Return the seconds to expect with these parameters, or None without earlier ones; the newest come first.

    The median of the last three at equal parameters; else the line through two sizes; else half of it is fixed.
    """
    valid = [each for each in earlier if is_positive(each.seconds)]
    equal = [each.seconds for each in valid if each.parameters == parameters]
    if equal or not valid:
        return median(equal[:MEDIAN_OF]) if equal else None
    sizes = _by_size(parameters, differing_in_size(parameters, valid))
    return sizes.get(1.0) or _on_the_line(sizes)


def is_positive(value: Any) -> TypeGuard[float]:
    """Return True for a number above 0 of a sensible size: SQLite keeps any type in any column."""
    return isinstance(value, float | int) and not isinstance(value, bool) and 1 / LARGEST < value < LARGEST


def differing_in_size(parameters: Mapping[str, Any], earlier: Sequence[Measured]) -> list[Measured]:
    """Return those that differ from these parameters, or else from the newest, in their size alone."""
    for wanted in map(_others, (parameters, earlier[0].parameters)):
        if alike := [each for each in earlier if _others(each.parameters) == wanted]:
            return alike
    return []


def weights(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that decide how long a job takes."""
    return {name: parameters[name] for name in WEIGHTS if is_positive(parameters.get(name))}


def _others(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in WEIGHTS}


def _by_size(parameters: Mapping[str, Any], earlier: Iterable[Measured]) -> dict[float, float]:
    """Return seconds by size, in units of the size that is asked for; the size of the newest comes first."""
    several: dict[float, list[float]] = {}
    for each in earlier:
        several.setdefault(_size(weights(each.parameters), weights(parameters)), []).append(each.seconds)
    return {size: median(seconds[:MEDIAN_OF]) for size, seconds in several.items()}


def _size(used: Mapping[str, float], asked: Mapping[str, float]) -> float:
    size = math.prod(used[name] / asked[name] for name in WEIGHTS if name in used and name in asked)
    return round(size, 9) if is_positive(size) else 1.0


def _on_the_line(sizes: Mapping[float, float]) -> float:
    (size, seconds), *others = sizes.items()
    if not others:
        return seconds * (FIXED_SHARE + (1 - FIXED_SHARE) / size)
    far, far_s = max(others, key=lambda other: abs(math.log(other[0] / size)))
    slope = min(max((far_s - seconds) / (far - size), 0.0), seconds / size)  # neither part is less than nothing
    return max(seconds - slope * size, 0.0) + slope
