"""Metrics: a mapping of names to finite numbers. The same rule for a returned dict and a file."""

import contextlib
import math
import numbers
from collections.abc import Mapping
from typing import Any

from pytest_training.errors import ResultError
from pytest_training.wording import safe_repr

LONGEST_NAME = 200


def finite_metrics(returned: Any) -> dict[str, float]:
    """Return what a job returned as plain floats, or raise ResultError with the first mistake."""
    if not isinstance(returned, Mapping):
        value = f"{safe_repr(returned)} ({type(returned).__name__})"
        raise ResultError(f"train returned {value}; expected a dict of metric names and numbers")
    return {_metric_name(name): _finite(name, value) for name, value in returned.items()}


def _metric_name(name: Any) -> str:
    if not isinstance(name, str) or not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ResultError(f"train returned a metric named {safe_repr(name)}; expected a short printable string")
    return "".join(name)  # of numpy's own string type a plain string


def _finite(name: str, value: Any) -> float:
    size = value.numel() if callable(getattr(value, "numel", None)) else getattr(value, "size", 1)
    if hasattr(value, "item") and size == 1:
        with contextlib.suppress(Exception):
            value = value.item()  # numpy and torch scalars
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ResultError(f"metric {name!r} is {safe_repr(value)} ({type(value).__name__}); expected a finite number")
    try:
        number = float(value)
    except OverflowError:  # an int or a fraction may be larger than any float
        number = math.inf
    if not math.isfinite(number):
        raise ResultError(f"metric {name!r} is {number}; expected a finite number")
    return number
