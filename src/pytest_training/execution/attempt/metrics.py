"""Metrics: a mapping of names to finite numbers. A value that is none is named; the others are kept."""

import contextlib
import math
import numbers
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from pytest_training.errors import ResultError
from pytest_training.wording import safe_repr

LONGEST_NAME = 200


class SortedMetrics(NamedTuple):
    """The finite numbers of a mapping, and by name a sentence about each other value."""

    metrics: dict[str, float]
    refused: dict[str, str]


class UnfitMetricError(ResultError):
    """A value that a function returned is no finite number; the others are kept."""

    def __init__(self, message: str, metrics: dict[str, float]) -> None:
        super().__init__(message)
        self.metrics = metrics


def finite_metrics(returned: Any) -> dict[str, float]:
    """Return what a job returned as plain floats, or raise ResultError with the first mistake."""
    metrics, refused = sort_metrics(returned)
    for sentence in refused.values():
        raise UnfitMetricError(sentence, metrics)
    return metrics


def sort_metrics(returned: Any) -> SortedMetrics:
    """Return a mapping's metrics as plain floats, apart from other values; raise ResultError for no mapping."""
    if not isinstance(returned, Mapping):
        value = f"{safe_repr(returned)} ({type(returned).__name__})"
        raise ResultError(f"train returned {value}; expected a dict of metric names and numbers")
    result = SortedMetrics({}, {})
    for name, value in returned.items():
        try:
            result.metrics["".join(name)] = _finite(name, value)  # of numpy's own string type a plain string
        except ResultError as error:
            result.refused[name if isinstance(name, str) else safe_repr(name)] = str(error)
    return result


def scalar(value: Any) -> Any:
    """Return the number in an array or tensor of one number; anything else as it is."""
    if hasattr(value, "item"):
        with contextlib.suppress(Exception):  # of the job's own class
            size = value.numel() if callable(getattr(value, "numel", None)) else getattr(value, "size", 1)
            return value.item() if size == 1 else value
    return value


def _finite(name: Any, value: Any) -> float:
    if not isinstance(name, str) or not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ResultError(f"a metric is named {safe_repr(name)}; expected a short printable string")
    value = scalar(value)
    if not isinstance(value, numbers.Real | Decimal):
        raise ResultError(f"metric {name!r} is {safe_repr(value)} ({type(value).__name__}); expected a finite number")
    try:
        number = float(value)
    except OverflowError:  # an int or a fraction may be larger than any float
        number = math.inf
    except ValueError:  # a signalling NaN
        number = math.nan
    if not math.isfinite(number):
        raise ResultError(f"metric {name!r} is {number}; expected a finite number")
    return number
