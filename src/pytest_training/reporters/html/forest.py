"""The picture at the top of the page: each job's headline on the axis of its metric, with interval, gate and dummy."""

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_training.records.measures import Measure
from pytest_training.reporters.html.axes import LARGEST, axis
from pytest_training.reporters.html.charts import Tick
from pytest_training.reporters.html.results import Result, by_metric
from pytest_training.units import number

MOST_GROUPS, MOST_ROWS = 24, 40
LEFT, RIGHT = 2.0, 98.0  # of the picture's width, in per cent: what the axis has no room for is at 0 and 100
SIGNS = {">=": "≥", "<=": "≤", ">": ">", "<": "<", "==": "="}


class ForestRow(NamedTuple):
    """A job; places are per cent of the width."""

    result: Result
    measure: Measure
    value: float
    span: tuple[float, float] | None
    dummy: float | None
    before: float | None
    gates: tuple[tuple[float, str], ...]  # with their side: `right` where higher values pass

    @property
    def is_elsewhere(self) -> bool:
        """True if the earlier value is not beneath the dot."""
        return self.before is not None and abs(self.before - self.value) > LEFT / 2

    @property
    def words(self) -> str:
        """Return the row as a sentence."""
        return ", ".join(_facts(self.result, self.measure))


class ForestGroup(NamedTuple):
    """The jobs of a metric."""

    metric: str
    better: str
    ticks: tuple[Tick, ...]
    rows: tuple[ForestRow, ...]
    left_out: int


def forest(listed: Sequence[Result]) -> list[ForestGroup]:
    """Return the groups of the plot, the metric of most jobs first."""
    groups = [
        (name, [row for row in rows if row.measure and abs(row.measure.value) < LARGEST])
        for name, rows in by_metric(listed).items()
    ]
    return [_group(name, rows) for name, rows in groups if rows][:MOST_GROUPS]


def _group(name: str, listed: Sequence[Result]) -> ForestGroup:
    shown = listed[:MOST_ROWS]
    numbers = [value for each in shown for value in _numbers(each) if value is not None]
    is_positive = min(numbers) > 0  # then a power of ten is never far: the axis may be logarithmic
    sizes = [math.log10(value) if is_positive else value for value in numbers]
    middle = statistics.median_low(sizes)
    usual = statistics.median_low([abs(size - middle) for size in sizes if size != middle] or [0.0])
    reach, pairs = max(50 * usual, is_positive), zip(numbers, sizes, strict=True)
    found = axis(name, [value if abs(size - middle) <= reach else None for value, size in pairs])
    scale, ticks = found.scale(LEFT, RIGHT)
    placed = zip(sizes, found.places, strict=True)
    places = iter([100.0 * (size > middle) if at is None else scale(at) for size, at in placed])
    rows = []
    for each in shown:
        value, low, high, dummy, before, *gates = [None if at is None else next(places) for at in _numbers(each)]
        span = None if low is None or high is None else (low, high)
        sides = [{">": "right", "<": "left"}.get(gate.operator[0], "") for gate in each.gates]
        drawn = tuple((at, side) for at, side in zip(gates, sides, strict=True) if at is not None)
        if each.measure and value is not None:
            rows.append(ForestRow(each, each.measure, value, span, dummy, before, drawn))
    better = listed[0].direction
    return ForestGroup(name, better, ticks, tuple(rows), len(listed) - len(shown))


def _numbers(result: Result) -> list[float | None]:
    """Return the value, the ends of its interval, the dummy, the last run's value, and each gate's threshold."""
    measure, change = result.measure, result.change
    if measure is None:
        return []
    values = [measure.value, measure.low, measure.high, measure.baseline, change.before if change else None]
    values += [gate.threshold for gate in result.gates]
    return [None if value is None or not abs(value) < LARGEST else value for value in values]


def _facts(result: Result, measure: Measure) -> Iterator[str]:
    yield f"{measure.name} {number(measure.value)}"
    if measure.interval:
        yield f"interval {measure.interval}"
    for gate in result.gates:
        of = "" if gate.metric == measure.name else f" on {gate.metric}"
        yield f"gate{of} {SIGNS[gate.operator]} {number(gate.threshold)}"
    if measure.baseline is not None:
        yield f"dummy {number(measure.baseline)}"
    if result.change:
        yield f"before {number(result.change.before)}"
