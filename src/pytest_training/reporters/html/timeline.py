"""Turns the attempts of a run into a timeline's coordinates: a row for what one slot does at a time."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from pytest_training.execution.outcome import Outcome, Status
from pytest_training.limits.protocol import Ending
from pytest_training.records.run_record import moment
from pytest_training.reporters.html.charts import Scale, Tick, ticks
from pytest_training.reporters.html.words import worker
from pytest_training.text import one_line
from pytest_training.units import duration

WIDTH, LEFT, RIGHT, ROW = 1000.0, 64.0, 12.0, 30.0
MOST_SLOTS = 64
CLOCKS_S = 0.1  # by which attempts that follow each other may seem to overlap
SHORTEST_WAIT_S = 0.1
CHARACTER = 6.6  # width of a letter in the timeline's font size, to know what fits
MARGIN, FEWEST = 10.0, 3  # beside a name, both sides together; letters of one that is cut


class Bar(NamedTuple):
    """An attempt on the timeline."""

    job_id: str
    status: Status
    x: float
    y: float
    width: float
    waited: float  # width of its waiting, to the left of `x`
    name: str
    title: str
    label: str = ""  # the name with its sign, or cut; empty if there is no room
    label_x: float = 0.0


class Timeline(NamedTuple):
    """The attempts of a run by slot and time."""

    height: float
    slots: tuple[Tick, ...]
    ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    left_out: int
    unnamed: tuple[str, ...]  # names of jobs whose bars have no room for one


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
        """The key of the job's line in the timeline."""
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
    top_of = {row: 22 + index * ROW for index, row in enumerate(rows[:MOST_SLOTS])}
    across = Scale(0.0, max(end - begin, 1e-3), LEFT, WIDTH - RIGHT)
    drawn = [span for span in spans if span.row in top_of]
    ids = {outcome.job_id for outcome in outcomes}
    groups = _folded(drawn, ids)
    bars = _named([_bar(group, lambda time: across(time - begin), top_of[group[0].row]) for group in groups])
    return Timeline(
        height=26 + len(top_of) * ROW,
        slots=tuple(
            Tick(top, "" if lane else one_line(worker(slot), 24) or "?") for (slot, lane), top in top_of.items()
        ),
        ticks=tuple(Tick(across(value), duration(value)) for value in ticks(0.0, end - begin, 6)),
        bars=tuple(bars),
        left_out=len(spans) - len(drawn),
        unnamed=tuple(dict.fromkeys(bar.name for bar in bars if not bar.label)),
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
        name=name,
        title=f"{name}: {worst}, {took}{waited}, {worker(first.slot) or 'nowhere'}",
    )


def _named(bars: Sequence[Bar]) -> list[Bar]:
    """Return the bars with their names: inside, else in the free room behind, else cut and without a sign."""
    named = []
    for bar, following in zip(bars, [*bars[1:], None], strict=True):
        end = bar.x + bar.width
        free = following.x - following.waited if following and following.y == bar.y else WIDTH
        whole = f"{bar.status.icon} {bar.name}"
        inside, behind = (int((room - MARGIN) / CHARACTER) for room in (bar.width, free - end))
        if inside >= len(whole) or behind < len(whole):
            label = whole if inside >= len(whole) else one_line(bar.name, inside) if inside >= FEWEST else ""
            named.append(bar._replace(label=label, label_x=round(bar.x + MARGIN / 2, 1)))
        else:
            named.append(bar._replace(label=whole, label_x=round(end + MARGIN / 2, 1)))
    return named


def _spans(outcome: Outcome) -> Iterator[_Span]:
    """Yield the times of each attempt; an attempt without a start is left out."""
    for attempt in outcome.attempts:
        if start := moment(attempt.started):
            is_killed = len(outcome.attempts) == 1 and not attempt.ending.wall_s  # its slot or its run was
            times: Outcome | Ending = outcome if is_killed else attempt.ending
            begin = start.timestamp() + times.waiting_s
            yield _Span(outcome, attempt.place or outcome.place, 0, start.timestamp(), begin, begin + times.wall_s)
