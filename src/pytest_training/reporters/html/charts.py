"""Turns numbers into coordinates for the page's drawings; the templates draw them. No drawing library is needed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeVar

from pytest_training.execution.readers.protocol import COUNTERS, GROUPS, STEPS
from pytest_training.jobs.model import Gate
from pytest_training.records.events import Event
from pytest_training.text import one_line
from pytest_training.units import number

T = TypeVar("T")
Points = list[tuple[float, float]]
Key = tuple[str, str]  # a metric and the axis of its values
WIDTH, HEIGHT = 640.0, 210.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 10.0, 8.0, 28.0
MOST_LINES = 12
MOST_CURVES = 4


class Tick(NamedTuple):
    """A mark on an axis."""

    at: float
    label: str


class Curve(NamedTuple):
    """One metric over the steps of all fits of a job."""

    metric: str
    axis: str
    lines: tuple[str, ...]  # `x,y x,y …` of each fit
    mean: str | None
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    caption: str
    gate: float | None = None  # the height of its threshold
    behind: tuple[str, ...] = ()  # what it is seen against: other trials
    last: str | None = None  # the last run


class Behind(NamedTuple):
    """What the chart of a metric shows besides the job's own fits."""

    gates: Mapping[str, Gate] = {}  # by metric
    last: Mapping[Key, list[Points]] = {}  # fits of the last run, by metric and axis
    others: Mapping[Key, list[Points]] = {}  # a line for each of some other trials


class Scale(NamedTuple):
    """Brings values of an axis to coordinates."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value."""
        if not (span := self.high - self.low) or not math.isfinite(span):
            return (self.start + self.end) / 2
        return round(self.start + (value - self.low) / span * (self.end - self.start), 1)

    def ticks(self) -> tuple[Tick, ...]:
        """Return a few round values."""
        return tuple(Tick(self(value), number(value)) for value in ticks(self.low, self.high, 4))


def curves(events: Iterable[Event], *, most_points: int, behind: Behind = Behind()) -> list[Curve]:  # noqa: B008  (immutable)
    """Return the learning curves that a job logged: one chart per metric and axis, one line per fit."""
    charts = (curve(key, fits, most_points, behind=behind) for key, fits in courses(events).items())
    return list(filter(None, charts))[:MOST_CURVES]


def courses(events: Iterable[Event]) -> dict[Key, list[Points]]:
    """Return the fits that a job logged, by metric and axis: those that have two points, all of them finite."""
    fits: dict[Key, dict[tuple[object, ...], list[Points]]] = {}
    for event in events:
        log = event.log or {}
        step = next((name for name in STEPS if isinstance(log.get(name), int | float)), "")
        key = tuple((name, value) for name, value in log.items() if isinstance(value, str) or name in GROUPS)
        for name, value in log.items():
            if isinstance(value, str) or value is None or name in COUNTERS:
                continue
            of_metric = fits.setdefault((name, step), {})
            if len(of_metric) < 10 * MOST_LINES or key in of_metric:
                _add(of_metric.setdefault(key, [[]]), log.get(step), float(value))
    lines = {key: [*filter(_is_line, chain(*each.values()))] for key, each in list(fits.items())[:20]}
    return {(name, axis or "event"): each for (name, axis), each in lines.items() if each}


def _add(parts: list[Points], at: object, value: float) -> None:
    """Add a point to the newest fit; steps that begin anew are another fit, of one step the last value counts."""
    x = float(at) if isinstance(at, int | float) else float(len(parts[-1]))
    if parts[-1] and x == parts[-1][-1][0]:
        parts[-1].pop()
    elif parts[-1] and x < parts[-1][-1][0] and len(parts) < MOST_LINES:
        parts.append([])
    parts[-1].append((x, value))


def _is_line(fit: Points) -> bool:
    return len(fit) > 1 and all(math.isfinite(y) for _, y in fit)


def curve(
    key: Key,
    fits: list[Points],
    most_points: int,
    *,
    most: int = MOST_LINES,
    behind: Behind = Behind(),  # noqa: B008  (immutable)
) -> Curve | None:
    """Return a chart of fits and their mean, or None if they show a setting, not a measurement."""
    if all(len({y for _, y in fit}) == 1 for fit in fits):
        return None
    metric, axis = key
    gate, last, others = behind.gates.get(metric), _typical(behind.last.get(key, [])), behind.others.get(key, [])
    drawn = [*fits, *([last] if last else []), *others]
    heights = [y for fit in drawn for _, y in fit] + ([gate.threshold] if gate else [])
    across = Scale(*_ends(x for fit in drawn for x, _ in fit), LEFT, WIDTH - RIGHT)
    up = Scale(*_ends(heights), HEIGHT - BOTTOM, TOP)
    each_most = max(8, most_points // min(len(fits), most))
    mean = mean_line(fits) if len(fits) > 2 else []
    words = f"{len(fits)} fits, bold: their mean" if mean else f"{len(fits)} fits" if len(fits) > 1 else ""
    signs = {
        "dots: the last run": last,
        "grey: other trials": others,
        f"dashes: the gate {gate.operator} {gate.threshold:g}" if gate else "": gate,
    }
    return Curve(
        metric=one_line(metric, 60),
        axis=axis,
        lines=tuple(_polyline(thinned(fit, each_most), across, up) for fit in fits[:most]),
        mean=_polyline(thinned(mean, max(each_most, 40)), across, up) if mean else None,
        x_ticks=across.ticks(),
        y_ticks=up.ticks(),
        caption="; ".join(filter(None, [words, *(sign for sign, shown in signs.items() if shown)])),
        gate=up(gate.threshold) if gate else None,
        behind=tuple(_polyline(thinned(fit, 60), across, up) for fit in others),
        last=_polyline(thinned(last, max(each_most, 40)), across, up) if last else None,
    )


def _typical(fits: list[Points]) -> Points:
    """Return one line for several fits: their mean, or the first."""
    return mean_line(fits) or fits[0] if fits else []


def _ends(values: Iterable[float]) -> tuple[float, float]:
    numbers = [*values]
    return min(numbers), max(numbers)


def mean_line(fits: Sequence[Points]) -> Points:
    """Return the mean over fits at the steps that at least half of them have; nothing if those are fewer than two."""
    values_at: dict[float, list[float]] = {}
    for x, y in chain.from_iterable(dict(fit).items() for fit in fits):
        values_at.setdefault(x, []).append(y)
    common = [(x, values) for x, values in sorted(values_at.items()) if len(values) * 2 >= len(fits)]
    # Divided before it is added up: a sum of finite floats may overflow.
    return [(x, math.fsum(y / len(values) for y in values)) for x, values in common] if len(common) > 1 else []


def thinned(fit: Sequence[T], most: int) -> Sequence[T]:
    """Return at most so many of the points, the first and the last among them."""
    return fit if len(fit) <= most else [fit[round(index * (len(fit) - 1) / (most - 1))] for index in range(most)]


def _polyline(points: Iterable[tuple[float, float]], across: Scale, up: Scale) -> str:
    return " ".join(f"{across(x):g},{up(y):g}" for x, y in points)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Return round numbers between two others, about so many."""
    span = high - low
    if not 1e-300 < span < 1e300:  # beyond, the steps between are no floats
        return [low]
    raw = span / max(about, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    multiples = (index * step for index in range(first, first + 4 * about + 2))
    return [round(multiple, 12) for multiple in multiples if multiple <= high + 1e-9 * span]


def sparkline(values: Sequence[float], *, width: float = 120.0, height: float = 28.0) -> tuple[str, float, float]:
    """Return the points of a small line, oldest value first, and where its last one is."""
    across = Scale(0, max(len(values) - 1, 1), 3, width - 4)
    up = Scale(min(values), max(values), height - 4, 4)
    return _polyline(enumerate(values), across, up), across(len(values) - 1), up(values[-1])
