"""Brings the values of a study's parameters to axes: linear, logarithmic, or a place for each value."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from pytest_training.records.strict_json import encode
from pytest_training.reporters.html.charts import Scale, Tick, ticks
from pytest_training.text import one_line

FIRST_LOG = 100  # largest by smallest value from which an axis is logarithmic
MOST_MARKS = 12  # values of an axis that are named
LARGEST = 1e300  # beyond it differences overflow


class Axis(NamedTuple):
    """An axis with the place of each row's value."""

    name: str
    places: list[float | None]  # None for a row without a value
    low: float
    high: float
    marks: list[tuple[float, str]]
    is_ordered: bool = True  # False if places are numbers of values that have no order

    def scale(self, start: float, end: float) -> Scale:
        """Return what brings places to coordinates."""
        return Scale(self.low, self.high, start, end)

    def ticks(self, scale: Scale) -> tuple[Tick, ...]:
        """Return the marks in coordinates."""
        return tuple(Tick(scale(place), label) for place, label in self.marks)


def axis(name: str, values: Sequence[Any], reach: Sequence[float] = ()) -> Axis:
    """Return the axis of values, which shows the numbers of `reach` too."""
    present = [value for value in values if value is not None]
    if not all(map(_is_number, present)):
        return _named(name, values)
    numbers = [float(value) for value in (*present, *reach)] or [0.0]
    low, high = min(numbers), max(numbers)
    if low > 0 and high / FIRST_LOG >= low:
        places = [None if value is None else math.log10(value) for value in values]
        powers = [float(power) for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
        powers = powers[:: math.ceil(len(powers) / 6)]
        return Axis(name, places, math.log10(low), math.log10(high), [(each, f"{10**each:.3g}") for each in powers])
    marks = [(each, f"{each:.6g}") for each in ticks(low, high, 5)]
    return Axis(name, [None if value is None else float(value) for value in values], low, high, marks)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _named(name: str, values: Sequence[Any]) -> Axis:
    texts = [None if value is None else value if isinstance(value, str) else encode(value).decode() for value in values]
    place_of = {text: float(place) for place, text in enumerate(sorted({each for each in texts if each is not None}))}
    marks = [(place, one_line(text, 12)) for text, place in place_of.items()]
    places = [None if text is None else place_of[text] for text in texts]
    every = math.ceil(len(marks) / MOST_MARKS)
    return Axis(name, places, 0.0, len(marks) - 1.0, marks[::every], is_ordered=False)
