"""Says whether a value is missing. No library: jobs without numpy state targets too."""

from __future__ import annotations

from typing import Any


def is_missing(value: Any) -> bool:
    """Return whether it is None, NaN, NaT or pandas' NA: these differ from themselves, and NA has no truth value."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124  (see above)
    except TypeError:
        return True
