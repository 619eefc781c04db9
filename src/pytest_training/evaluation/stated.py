"""Finds what is wrong with values that a job states; without a library: jobs without numpy state targets too."""

from __future__ import annotations

from typing import Any


def is_missing(value: Any) -> bool:
    """Return True for None, NaN, NaT and pandas' NA; they differ from themselves, and NA has no truth value."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124  (see above)
    except TypeError:
        return True


def order_mistake(**stated: Any) -> str:
    """Return a sentence if values, paired by position, have the same index in another order, else an empty text."""
    indexes = [(name, each.index) for name, values in stated.items() for each in _parts(values) if _has_index(each)]
    for name, index in indexes[1:]:
        first, other = indexes[0]
        if len(index) == len(other) and not index.equals(other) and set(index) == set(other):
            return (
                f"{first} and {name} have the same index in another order; "
                "expected one order, or values without an index (.to_numpy()) where rows fit already"
            )
    return ""


def _parts(values: Any) -> Any:
    """Return columns by name, or several Series, apart; a long list of numbers is one part."""
    is_several = isinstance(values, list | tuple) and values and _has_index(values[0])
    return values.values() if isinstance(values, dict) else values if is_several else [values]


def _has_index(values: Any) -> bool:
    return hasattr(getattr(values, "index", None), "equals")
