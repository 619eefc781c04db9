"""Turns numbers into coordinates for the page's drawings; the templates draw them. No drawing library is needed."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import NamedTuple, TypeVar

from pytest_training.execution.outcome import Outcome, Status
from pytest_training.execution.readers.protocol import COUNTERS, GROUPS, STEPS
from pytest_training.limits.protocol import Ending
from pytest_training.records.events import Event
from pytest_training.records.run_record import moment
from pytest_training.text import one_line
from pytest_training.units import duration, number

T = TypeVar("T")
Points = list[tuple[float, float]]
WIDTH, HEIGHT = 320.0, 170.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 8.0, 8.0, 26.0
MOST_LINES = 12
MOST_CURVES = 4
GANTT_WIDTH = 1000.0
GANTT_LEFT = 64.0
GANTT_ROW = 30.0
GANTT_MOST_SLOTS = 64
CLOCKS_S = 0.1  # by which attempts that follow each other may seem to overlap
SHORTEST_WAIT_S = 0.1
CHARACTER = 6.6  # width of a letter in the timeline's font size, to know what fits into a bar


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


class Bar(NamedTuple):
    """An attempt on the timeline."""

    job_id: str
    status: Status
    x: float
    y: float
    width: float
    waited: float  # width of its waiting, to the left of `x`
    label: str
    title: str


class Timeline(NamedTuple):
    """The attempts of a run by slot and time."""

    height: float
    slots: tuple[Tick, ...]
    ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    left_out: int


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


def curves(events: Iterable[Event], *, most_points: int) -> list[Curve]:
    """Return the learning curves that a job logged: one chart per metric and axis, one line per fit."""
    charts = (curve(*key, fits, most_points) for key, fits in courses(events).items())
    return list(filter(None, charts))[:MOST_CURVES]


def courses(events: Iterable[Event]) -> dict[tuple[str, str], list[Points]]:
    """Return the fits that a job logged, by metric and axis: those that have two points, all of them finite."""
    fits: dict[tuple[str, str], dict[tuple[object, ...], list[Points]]] = {}
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


def curve(metric: str, axis: str, fits: list[Points], most_points: int, most: int = MOST_LINES) -> Curve | None:
    """Return a chart of fits and their mean, or None if they show a setting, not a measurement."""
    if all(len({y for _, y in fit}) == 1 for fit in fits):
        return None
    xs, ys = [x for fit in fits for x, _ in fit], [y for fit in fits for _, y in fit]
    across = Scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    up = Scale(min(ys), max(ys), HEIGHT - BOTTOM, TOP)
    each_most = max(8, most_points // min(len(fits), most))
    mean = mean_line(fits) if len(fits) > 2 else []
    caption = f"{len(fits)} fits, bold: their mean" if mean else f"{len(fits)} fits" if len(fits) > 1 else ""
    return Curve(
        metric=one_line(metric, 60),
        axis=axis,
        lines=tuple(_polyline(thinned(fit, each_most), across, up) for fit in fits[:most]),
        mean=_polyline(thinned(mean, max(each_most, 40)), across, up) if mean else None,
        x_ticks=across.ticks(),
        y_ticks=up.ticks(),
        caption=caption,
    )


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


class _Span(NamedTuple):
    """An attempt in seconds since 1970."""

    outcome: Outcome
    slot: str
    lane: int  # its row of the slot's: what a node executes at once does not lie in one
    asked: float  # when its slot asked for it: until `begin` it waited
    begin: float
    end: float

    @property
    def row(self) -> tuple[str, int]:
        """What has one line of the timeline."""
        return self.slot, self.lane


def _in_lanes(spans: Iterable[_Span]) -> list[_Span]:
    """Return the spans with a row of the slot's for each that begins before those above it have ended."""
    ends: dict[str, list[float]] = {}
    placed: list[_Span] = []
    for span in sorted(spans, key=lambda span: span.begin):
        lanes = ends.setdefault(span.slot, [])
        lane = next((number for number, end in enumerate(lanes) if end <= span.begin + CLOCKS_S), len(lanes))
        lanes[lane : lane + 1] = [span.end]
        placed.append(span._replace(lane=lane))
    return placed


def timeline(outcomes: Sequence[Outcome]) -> Timeline | None:
    """Return the timeline of the attempts that ran, a row per slot; a study's trials in a row are one bar."""
    if not (spans := [span for outcome in outcomes for span in _spans(outcome)]):
        return None
    begin, end = min(span.asked for span in spans), max(span.end for span in spans)
    spans = _in_lanes(spans)
    rows = sorted({span.row for span in spans}, key=lambda row: (len(row[0]), row))
    top_of = {row: 22 + index * GANTT_ROW for index, row in enumerate(rows[:GANTT_MOST_SLOTS])}
    across = Scale(0.0, max(end - begin, 1e-3), GANTT_LEFT, GANTT_WIDTH - 12)
    drawn = [span for span in spans if span.row in top_of]
    ids = {outcome.job_id for outcome in outcomes}
    bars = [_bar(group, lambda time: across(time - begin), top_of[group[0].row]) for group in _folded(drawn, ids)]
    return Timeline(
        height=26 + len(top_of) * GANTT_ROW,
        slots=tuple(Tick(top, "" if lane else one_line(slot, 24) or "?") for (slot, lane), top in top_of.items()),
        ticks=tuple(Tick(across(value), duration(value)) for value in ticks(0.0, end - begin, 6)),
        bars=tuple(bars),
        left_out=len(spans) - len(drawn),
    )


def _folded(spans: Iterable[_Span], ids: Collection[str]) -> Iterator[list[_Span]]:
    """Yield the attempts of each bar: those that follow each other on a slot, if they are trials of a study there."""
    in_order = sorted(spans, key=lambda span: (len(span.slot), span.row, span.begin))
    named = enumerate(span.outcome.trial_of for span in in_order)
    studies = [name if name in ids else number for number, name in named]
    for _, group in groupby(zip(in_order, studies, strict=True), lambda pair: (pair[0].row, pair[1])):
        yield [span for span, _ in group]


def _bar(spans: Sequence[_Span], across: Callable[[float], float], top: float) -> Bar:
    first, worst = spans[0], min((span.outcome.status for span in spans), key=lambda status: status.rank)
    trials = len({span.outcome.job_id for span in spans})
    job_id = (first.outcome.trial_of if trials > 1 else None) or first.outcome.job_id
    name = one_line(job_id, 60) + (f": {trials} trials" if trials > 1 else "")
    begin, waited_s = across(first.begin), first.begin - first.asked
    width = round(max(across(spans[-1].end) - begin - 1, 1.5), 1)
    waited = f", waited {duration(waited_s)}" if waited_s >= SHORTEST_WAIT_S else ""
    took = duration(spans[-1].end - first.begin)
    return Bar(
        job_id=job_id,
        status=Status.PASSED if worst.is_good and trials > 1 else worst,
        x=begin,
        y=top,
        width=width,
        waited=round(begin - across(first.asked), 1) if waited else 0.0,
        label=name if len(name) * CHARACTER + 22 < width else "",
        title=f"{name}: {worst}, {took}{waited}, {first.slot or 'no slot'}",
    )


def _spans(outcome: Outcome) -> Iterator[_Span]:
    """Yield the times of each attempt; an attempt without a start is left out."""
    for attempt in outcome.attempts:
        if start := moment(attempt.started):
            is_killed = len(outcome.attempts) == 1 and not attempt.ending.wall_s  # its slot or its run was
            times: Outcome | Ending = outcome if is_killed else attempt.ending
            begin = start.timestamp() + times.waiting_s
            yield _Span(outcome, attempt.place or outcome.place, 0, start.timestamp(), begin, begin + times.wall_s)
