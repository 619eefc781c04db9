"""How long a job is expected to take, from how long it took before."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

WEIGHTS = ("epochs", "folds")
"""Parameters that a job's duration is proportional to."""
MEDIAN_OF = 3


def expected_seconds(parameters: dict[str, Any], earlier: Sequence[tuple[float, dict[str, Any]]]) -> float | None:
    """Return the seconds to expect with these parameters from earlier (seconds, parameters), newest first.

    The median of the last three at equal parameters; else the newest, scaled by its ratio of epochs x folds.
    """
    equal = [seconds for seconds, used in earlier if used == parameters]
    if equal:
        return median(equal[:MEDIAN_OF])
    return earlier[0][0] * _ratio(parameters, earlier[0][1]) if earlier else None


def _ratio(parameters: dict[str, Any], used: dict[str, Any]) -> float:
    """Return how many times the work of `used` these parameters ask for."""
    ratio = 1.0
    for name in WEIGHTS:
        now, then = _weight(parameters.get(name)), _weight(used.get(name))
        if now and then:
            ratio *= now / then
    return ratio


def _weight(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and value > 0 else None
