"""Brings the values of a study's parameters to axes: linear, logarithmic, or a place for each value."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from pytest_training.reporters.html.charts import Scale, Tick, ticks
from pytest_training.reporters.studies import shown
from pytest_training.text import one_line

FIRST_LOG = 100  # largest by smallest value from which an axis is logarithmic
MOST_MARKS = 12
LARGEST = 1e300  # beyond it differences overflow


class Axis(NamedTuple):
    """An axis with the place of each row's value."""

    name: str
    places: list[float | None]  # None for a row without a value
    low: float
    high: float
    marks: list[tuple[float, str]]
    is_ordered: bool = True  # False if places only number the values

    def scale(self, start: float, end: float) -> tuple[Scale, tuple[Tick, ...]]:
        """Return what brings places to coordinates, and the marks there."""
        scale = Scale(self.low, self.high, start, end)
        return scale, tuple(Tick(scale(place), one_line(label, 12)) for place, label in self.marks)


def axis(name: str, values: Sequence[Any], reach: Sequence[float] = ()) -> Axis:
    """Return the axis of values, which shows the numbers of `reach` too, and is linear then."""
    present = [value for value in values if value is not None]
    if not all(map(_is_number, present)):
        texts = [None if value is None else shown(value) for value in values]
        place_of = {text: float(place) for place, text in enumerate(sorted({*map(shown, present)}))}
        marks = [(place, text) for text, place in place_of.items()][:: math.ceil(len(place_of) / MOST_MARKS)]
        places = [None if text is None else place_of[text] for text in texts]
        return Axis(name, places, 0.0, len(place_of) - 1.0, marks, is_ordered=False)
    numbers = [*map(float, present), *reach] or [0.0]
    is_log = not reach and min(numbers) > 0 and max(numbers) / FIRST_LOG >= min(numbers)
    turned = math.log10 if is_log else float
    low, high = turned(min(numbers)), turned(max(numbers))
    powers = [*map(float, range(math.ceil(low), math.floor(high) + 1))] if is_log else []
    marks = [(mark, f"{10**mark:.3g}") for mark in powers[:: math.ceil(len(powers) / 6) or 1]]
    marks = marks or [(mark, f"{mark:.6g}") for mark in ticks(low, high, 5)]
    return Axis(name, [None if value is None else turned(value) for value in values], low, high, marks)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
