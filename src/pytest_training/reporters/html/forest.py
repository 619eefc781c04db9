"""The picture at the top of the page: each job's headline on the axis of its metric, with interval, gate and dummy."""

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_training.records.measures import Measure
from pytest_training.reporters.html.axes import FIRST_LOG, LARGEST, axis
from pytest_training.reporters.html.charts import Tick
from pytest_training.reporters.html.results import Result, by_metric
from pytest_training.units import number

MOST_GROUPS, MOST_ROWS = 24, 40
LEFT, RIGHT = 2.0, 98.0  # of the picture's width, in per cent: what the axis has no room for is at 0 and 100
FARTHEST = 50  # typical distances from the median: what is farther would press the others into one point
SIDES = {">": "right", "<": "left"}
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
    not_drawn: tuple[Result, ...]  # too large for an axis


def forest(listed: Sequence[Result]) -> list[ForestGroup]:
    """Return the groups of the plot, the metric of most jobs first."""
    return [_group(name, rows) for name, rows in by_metric(listed).items()][:MOST_GROUPS]


def _group(name: str, listed: Sequence[Result]) -> ForestGroup:
    drawable = [each for each in listed if _is_drawable(each)]
    shown = drawable[:MOST_ROWS]
    numbers = [value for each in shown for value in _numbers(each) if value is not None]
    low, high = _limits(numbers)
    found = axis(name, [value if low <= value <= high else None for value in numbers])
    scale, ticks = found.scale(LEFT, RIGHT)
    pairs = zip(numbers, found.places, strict=True)
    places = iter([100.0 * (value > high) if at is None else scale(at) for value, at in pairs])
    rows = []
    for each in shown:
        values = [None if value is None else next(places) for value in _numbers(each)]
        value, start, end, dummy, before, *gates = values
        span = None if start is None or end is None else (start, end)
        sides = [SIDES.get(gate.operator[0], "") for gate in each.gates]
        drawn = tuple((at, side) for at, side in zip(gates, sides, strict=True) if at is not None)
        if each.measure and value is not None:
            points = [None if at in {0.0, 100.0} else at for at in (dummy, before)]
            rows.append(ForestRow(each, each.measure, value, span, points[0], points[1], drawn))
    too_large = tuple(each for each in listed if not _is_drawable(each))
    return ForestGroup(name, listed[0].direction, ticks, tuple(rows), len(drawable) - len(shown), too_large)


def _limits(numbers: Sequence[float]) -> tuple[float, float]:
    """Return the ends of what the axis shows: it leaves out what is far from the others."""
    is_log = bool(numbers) and min(numbers) > 0 and max(numbers) / FIRST_LOG >= min(numbers)
    turned = [math.log10(value) if is_log else value for value in numbers]
    middle = statistics.median_low(turned or [0.0])
    apart = [abs(value - middle) for value in turned if value != middle]
    reach = FARTHEST * statistics.median_low(apart or [0.0])
    near = [value for value, at in zip(numbers, turned, strict=True) if abs(at - middle) <= reach]
    return min(near, default=0.0), max(near, default=0.0)


def _numbers(result: Result) -> list[float | None]:
    """Return the value, the ends of its interval, the dummy, the last run's value, and each gate's threshold."""
    measure, change = result.measure, result.change
    if measure is None:
        return []
    values = [measure.value, measure.low, measure.high, measure.baseline, change.before if change else None]
    values += [gate.threshold for gate in result.gates]
    return [None if value is None or not abs(value) < LARGEST else value for value in values]


def _is_drawable(result: Result) -> bool:
    return result.measure is not None and abs(result.measure.value) < LARGEST


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
