"""Turns the pictures of a job's predictions into coordinates: on the page, and as SVG files of their own for cards."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pytest_training.evaluation.drawing import Drawing, Line, Point
from pytest_training.evaluation.result import Evaluation, Subgroup, file_name, metrics_of
from pytest_training.execution.job_files import read_json
from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.directions import is_side_number
from pytest_training.reporters.html.charts import Scale, Tick, thinned, ticks
from pytest_training.text import one_line
from pytest_training.units import number
from pytest_training.wording import counted

WIDTH, HEIGHT = 320.0, 262.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 8.0, 40.0
STRIP = 38.0  # height of the rows by risk, below a calibration curve
ROOMS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)  # where axes of shares may end
BELOW = 0.15  # how far a decision curve is drawn below zero, as a part of its height
LEGEND_LINE, LEGEND_WIDTH = 16.0, 122.0
MOST_EVALUATIONS, MOST_CHARTS, MOST_SUBGROUPS, MOST_BARS = 4, 6, 60, 50


class Style(NamedTuple):
    """How a kind of picture is titled and laid out."""

    title: str
    axes: tuple[str, str]
    legend: tuple[bool, bool]  # at the left, at the top
    metrics: Mapping[str, str]  # those of the caption, with their words
    dots: str = "the dot is at the cut-off"


STYLES = {
    "roc": Style("ROC", ("1 - specificity", "sensitivity"), (False, False), {"roc_auc": "AUC"}),
    "precision_recall": Style(
        "Precision and recall", ("recall", "precision"), (True, False), {"average_precision": "average precision"}
    ),
    "calibration": Style(
        "Calibration",
        ("predicted risk", "observed share"),
        (True, True),
        {"calibration_slope": "slope", "calibration_intercept": "intercept"},
        "dots are tenths of the rows; the bars count rows by risk, those with the event upwards",
    ),
    "decision": Style(
        "Decision curve", ("risk from which to treat", "net benefit"), (False, True), {"net_benefit": "net benefit"}
    ),
    "measured": Style(
        "Predicted and measured", ("predicted", "measured"), (True, True), {"r2": "R²", "mae": "mean error"}
    ),
}


class Drawn(NamedTuple):
    """A line, the outline of a band, or the path of bars."""

    style: str
    points: str


class Chart(NamedTuple):
    """A picture in coordinates."""

    kind: str
    caption: str
    axes: tuple[str, str]
    bottom: float  # of the plot
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    bars: tuple[Drawn, ...]
    bands: tuple[Drawn, ...] = ()
    lines: tuple[Drawn, ...] = ()
    dots: tuple[Point, ...] = ()
    legend: Point = (0.0, 0.0)  # the place of its first line
    labels: tuple[tuple[str, str], ...] = ()  # styles with their words


class Judged(NamedTuple):
    """An evaluation of predictions as the page shows it."""

    title: str
    method: str
    charts: tuple[Chart, ...]
    header: tuple[str, ...]
    subgroups: tuple[tuple[str, ...], ...]
    listed: frozenset[str]  # metrics that the subgroups' table shows


def judged(run: Path, outcome: Outcome, *, most_points: int) -> list[Judged]:
    """Return what the last attempt's evaluations show, of the first few."""
    folder = run / outcome.attempts[-1].folder if outcome.attempts else run
    names = (file_name("evaluation", name) for name in ("", "*"))
    paths = [path for name in names for path in sorted(folder.glob(name))]
    read = (read_json(path, Evaluation) for path in paths[:MOST_EVALUATIONS])
    return [view(each, most_points) for each in read if each]


def view(evaluation: Evaluation, most_points: int) -> Judged:
    """Return what one evaluation shows."""
    prefix = f"{evaluation.name}_" if evaluation.name else ""
    counts = [counted(evaluation.rows, "row"), counted(evaluation.people, "person", "people")]
    counts += [f"{evaluation.events} with the event"] if evaluation.events is not None else []
    drawings, subgroups = evaluation.drawings[:MOST_CHARTS], evaluation.subgroups[:MOST_SUBGROUPS]
    names = dict.fromkeys(name for each in subgroups for name in each.metrics if not is_side_number(name))
    return Judged(
        title=", ".join([one_line(evaluation.name, 60) or "Predictions", *counts]),
        method=one_line(evaluation.method),
        charts=tuple(chart(each, evaluation.metrics, prefix=prefix, most_points=most_points) for each in drawings),
        header=("Subgroup", "Rows", "People", "Events", *islice(names, 6)),
        subgroups=tuple(_row(each, islice(names, 6)) for each in subgroups),
        listed=frozenset(prefix + name for name in metrics_of(evaluation.subgroups)),
    )


def _row(subgroup: Subgroup, names: Iterable[str]) -> tuple[str, ...]:
    counts = (subgroup.rows, subgroup.people, subgroup.events)
    shown = ("" if each is None else str(each) for each in counts)
    values = (value_with_interval(subgroup.metrics, name) for name in names)
    return (one_line(f"{subgroup.column}: {subgroup.value}", 80), *shown, *values)


def value_with_interval(metrics: Mapping[str, float], name: str) -> str:
    """Return a metric in words: `0.846 (0.786 to 0.899)`; an empty text if there is no such metric."""
    value, low, high = (metrics.get(name + end) for end in ("", "_low", "_high"))
    interval = f" ({number(low)} to {number(high)})" if low is not None and high is not None else ""
    return "" if value is None else number(value) + interval


def chart(drawing: Drawing, metrics: Mapping[str, float], *, prefix: str = "", most_points: int = 400) -> Chart:
    """Return a picture in coordinates; `metrics` are those of the job, `prefix` begins the names of this picture's."""
    style = STYLES[drawing.kind]
    bottom = HEIGHT - BOTTOM - (STRIP if drawing.bars else 0)
    (left, right), (low, high) = _ranges(drawing)
    across, up = Scale(left, right, LEFT, WIDTH - RIGHT), Scale(low, high, bottom, TOP)
    lines = list(_styled(drawing))
    # Those of a reference come last, though they are drawn first.
    named = sorted((name, one_line(each.label, 16)) for name, each in lines if each.label)
    at_left, at_top = style.legend
    below = LEGEND_LINE * (len(named) - 1)
    most, points = max(12, most_points // max(len(lines), 4)), thinned([*drawing.points], max(24, most_points))
    return Chart(
        kind=drawing.kind,
        caption=": ".join(filter(None, [style.title, "; ".join(_captions(style, drawing, metrics, prefix))])),
        axes=style.axes,
        bottom=bottom,
        x_ticks=_ticks(across),
        y_ticks=_ticks(up),
        bands=tuple(Drawn(name, _outline(each, across, up, most)) for name, each in lines if each.band),
        lines=tuple(Drawn(name, _polyline(each, across, up, most)) for name, each in lines),
        dots=tuple((across(x), up(y)) for x, y in points if left <= x <= right and low <= y <= high),
        bars=tuple(_bars(drawing, across)) if drawing.bars else (),
        legend=(LEFT + 8 if at_left else WIDTH - RIGHT - LEGEND_WIDTH, TOP + 12 if at_top else bottom - 8 - below),
        labels=tuple(named),
    )


def _ticks(scale: Scale) -> tuple[Tick, ...]:
    return tuple(Tick(scale(value), f"{value:.6g}") for value in ticks(scale.low, scale.high, 5))


def _styled(drawing: Drawing) -> Iterator[tuple[str, Line]]:
    """Yield each line with its style, the reference first: the others are drawn over it."""
    for index, each in enumerate(drawing.reference[:MOST_CHARTS]):
        yield f"reference reference-{index}", each
    for index, each in enumerate(drawing.lines[:MOST_CHARTS]):
        yield f"mean line-{index}", each


def _captions(style: Style, drawing: Drawing, metrics: Mapping[str, float], prefix: str) -> Iterator[str]:
    values = ((words, value_with_interval(metrics, prefix + name)) for name, words in style.metrics.items())
    yield from (f"{words} {value}" for words, value in values if value)
    if drawing.points and drawing.kind != "measured":
        yield style.dots


def _ranges(drawing: Drawing) -> tuple[Point, Point]:
    """Return where the axes begin and end."""
    points = [*drawing.points, *(point for each in drawing.lines for point in each.points), (0.0, 0.0)]
    guides = [y for each in drawing.reference for _, y in each.points]
    right, top = (max(side) for side in zip(*points, strict=True))
    if drawing.kind == "decision":
        top = max(top, *guides, 1e-3)
        return (0.0, right), (-BELOW * top, top)
    if drawing.kind == "measured":
        both = [*(place for point in points[:-1] for place in point), *guides] or [0.0, 1.0]
        return (min(both), max(both)), (min(both), max(both))
    end = next((room for room in ROOMS if room >= max(right, top)), 1.0) if drawing.kind == "calibration" else 1.0
    return (0.0, end), (0.0, end)


def _polyline(line: Line, across: Scale, up: Scale, most: int) -> str:
    inside = _within(thinned([*line.points], most), across.low, across.high)
    turned = _within([(y, x) for x, y in inside], up.low, up.high)
    return _written(((x, y) for y, x in turned), across, up)


def _outline(line: Line, across: Scale, up: Scale, most: int) -> str:
    above, below = (thinned([(each[0], each[side]) for each in line.band], most) for side in (2, 1))
    inside = ((x, y) for x, y in (*above, *reversed(below)) if across.low <= x <= across.high)
    return _written(((x, min(max(y, up.low), up.high)) for x, y in inside), across, up)


def _written(points: Iterable[Point], across: Scale, up: Scale) -> str:
    return " ".join(f"{across(x):g},{up(y):g}" for x, y in points)


def _within(points: Sequence[Point], low: float, high: float) -> Iterator[Point]:
    """Yield the points whose first number is between two, and where the line leaves or enters."""
    before: Point | None = None
    for x, y in points:
        if before is not None and (low <= x <= high) != (low <= before[0] <= high):
            edge = low if min(x, before[0]) < low else high
            share = (edge / 2 - before[0] / 2) / (x / 2 - before[0] / 2)  # of halves: no difference of floats overflows
            yield edge, before[1] * (1 - share) + y * share
        if low <= x <= high:
            yield x, y
        before = (x, y)


def _bars(drawing: Drawing, across: Scale) -> Iterator[Drawn]:
    """Yield the rows by risk: those with the event upwards, the others downwards."""
    bars = [each for each in drawing.bars[:MOST_BARS] if across.low <= each.x < across.high]
    most = max((max(each.events, each.others) for each in bars), default=0.0) or 1.0
    middle = HEIGHT - BOTTOM - STRIP / 2 + 9
    for style, direction in (("events", -1), ("others", 1)):
        path = ""
        for each in bars:
            height = direction * getattr(each, style) / most * STRIP / 2
            width = across(each.x + each.width) - across(each.x)
            path += f"M{across(each.x):g},{middle:g}v{height:.1f}h{width - 1:.1f}v{-height:.1f}" if height else ""
        yield Drawn(style, path)
