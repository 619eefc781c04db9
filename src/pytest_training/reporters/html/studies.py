"""What the page shows of a study: its metric against each parameter, parallel coordinates, learning curves."""

import functools
import math
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.directions import is_side_number
from pytest_training.records.events import read_events
from pytest_training.records.studies import StudyRow, StudyTable
from pytest_training.reporters.html import charts, predictions
from pytest_training.reporters.html.axes import Axis, axis
from pytest_training.reporters.html.charts import Curve, Points, Tick
from pytest_training.reporters.html.importances import importances
from pytest_training.reporters.html.predictions import Chart, Drawn
from pytest_training.reporters.studies import record
from pytest_training.text import one_line

MOST_COLUMNS, MOST_PARAMETERS = 30, 12  # of the table, and with a picture
MOST_SECTIONS, MOST_FAILURES = 20, 10  # trials with a section of their own: the best ones, and failed ones
MOST_WAYS = 500  # lines of parallel coordinates
MOST_COURSES = 200  # learning curves in one chart
COURSE_POINTS = 12_000  # of all of them
EVENT_BYTES = 1_000_000  # of one trial
WIDTH, TOP, BOTTOM, SIDE = 1000.0, 34.0, 262.0, 80.0  # of parallel coordinates
SHADES = 5  # of their lines
MARGIN = 8.0  # between a plot's dots and its ends


class Parallel(NamedTuple):
    """Parallel coordinates: a line per trial over the axes of all parameters, the metric's last."""

    axes: list[tuple[float, str, tuple[Tick, ...]]]  # place, name, marks
    ways: list[str]  # the lines of each shade, the best trials' first
    best: str
    drawn: int  # number of lines


class StudyView(Struct, frozen=True, dict=True):
    """A study in words and coordinates."""

    table: StudyTable
    run: Path
    outcomes: dict[str, Outcome]  # those of the run, by job id

    @functools.cached_property
    def records(self) -> list[dict[str, Any]]:
        """The values of each row by column, as the command `table` has them."""
        return [record(self.table, row) for row in self.table.rows]

    @functools.cached_property
    def columns(self) -> list[str]:
        """The first columns that have values, without those that the name's cell shows."""
        shown = {name for each in self.records for name, value in each.items() if value is not None}
        shown -= {"trial", "status", "reason"}
        names = self.records[0] if self.records else ()
        return [name for name in names if name in shown and not is_side_number(name)][:MOST_COLUMNS]

    @property
    def wall_s(self) -> float:
        """The own time of all trials."""
        return math.fsum(row.wall_s for row in self.table.trials)

    @property
    def best(self) -> str:
        """The id of the best trial, of a combination's the first one; empty if none is better than another."""
        return next(iter((*self.table.best.trials, self.table.best.id)), "") if self.table.best else ""

    @functools.cached_property
    def sections(self) -> list[str]:
        """The ids of the trials that have a section of their own."""
        trials = [row for row in self.table.trials if row.id in self.outcomes]
        failed = [row for row in trials[MOST_SECTIONS:] if not row.status.is_good][:MOST_FAILURES]
        return [row.id for row in (*trials[:MOST_SECTIONS], *failed)]

    @functools.cached_property
    def ranked(self) -> list[StudyRow]:
        """The rows that pictures show: whole trainings that have the metric, best first."""
        return [row for row in self.table.rows if row.is_ranked and math.isfinite(self._value(row))]

    def _value(self, row: StudyRow) -> float:
        return row.metrics.get(self.table.metric, math.nan)

    @functools.cached_property
    def axes(self) -> list[Axis]:
        """An axis for each parameter, the metric's last."""
        names = self.table.parameters[:MOST_PARAMETERS]
        values = [(name, [row.parameters.get(name) for row in self.ranked]) for name in names]
        ends = [end for row in self.ranked if row.spread for end in (row.spread.low, row.spread.high)]
        up = axis(self.table.metric, [self._value(row) for row in self.ranked], [*filter(math.isfinite, ends)])
        return [*(axis(name, each) for name, each in values), up] if self.ranked and values else []

    @property
    def scatters(self) -> list[Chart]:
        """The metric against each parameter."""
        return [self._scatter(each, self.axes[-1]) for each in self.axes[:-1]]

    def _scatter(self, x: Axis, y: Axis) -> Chart:
        bottom = predictions.HEIGHT - predictions.BOTTOM
        across = x.scale(predictions.LEFT + MARGIN, predictions.WIDTH - predictions.RIGHT - MARGIN)
        up = y.scale(bottom - MARGIN, predictions.TOP + MARGIN)
        places = zip(self.ranked, x.places, y.places, strict=True)
        dots = [(row, f"M{across(at):g},", up(value or 0)) for row, at, value in places if at is not None]
        spreads = ((start, row.spread) for row, start, _ in dots if row.spread and math.isfinite(row.spread.low))
        first = [f"{start}{height:g}h0" for row, start, height in dots if row is self.table.best]
        name, metric = one_line(x.name, 40), one_line(y.name, 40)
        return Chart(
            kind="measured",
            caption=f"{metric} by {name}",
            axes=(name, ""),
            bottom=bottom,
            x_ticks=x.ticks(across),
            y_ticks=y.ticks(up),
            bands=(),
            lines=(),
            dots=(),
            bars=(
                Drawn("spread", "".join(f"{start}{up(mean.low)}V{up(mean.high)}" for start, mean in spreads)),
                Drawn("trial" if len(dots) > 50 else "trial few", "".join(f"{start}{at:g}h0" for _, start, at in dots)),
                Drawn("best", "".join(first)),
            ),
            legend=(0.0, 0.0),
            labels=(),
        )

    @property
    def parallel(self) -> Parallel | None:
        """The parallel coordinates, if at least two parameters vary."""
        if len(self.axes) <= 2:
            return None
        step = (WIDTH - 2 * SIDE) / (len(self.axes) - 1)
        scales = [(SIDE + step * index, each, each.scale(BOTTOM, TOP)) for index, each in enumerate(self.axes)]
        rows = charts.thinned(range(len(self.ranked)), MOST_WAYS)
        whole = [row for row in rows if all(each.places[row] is not None for each in self.axes)]
        ways = [
            "M" + "L".join(f"{at:g},{scale(each.places[row] or 0):g}" for at, each, scale in scales) for row in whole
        ]
        size = math.ceil(len(ways) / SHADES) or 1
        return Parallel(
            axes=[(at, one_line(each.name, 24), each.ticks(scale)) for at, each, scale in scales],
            ways=["".join(ways[start : start + size]) for start in range(0, len(ways), size)],
            best=ways[0] if self.table.best and ways else "",
            drawn=len(ways),
        )

    @functools.cached_property
    def importances(self) -> tuple[dict[str, float], str]:
        """The share of each parameter in what the metric depends on, or a sentence why there is none."""
        return importances(self.axes[:-1], [*map(self._value, self.ranked)], self.table.direction)

    @property
    def curves(self) -> list[Curve]:
        """The learning curves of all trials, the best in front; of very many trials of some of each rank."""
        lines: dict[tuple[str, str], dict[str, Points]] = {}
        for row in charts.thinned(self.table.trials, MOST_COURSES):
            for key, line in self._lines(row):
                lines.setdefault(key, {})[row.id] = line
        ordered = sorted(lines.items(), key=lambda item: (item[0][0] != self.table.metric, -len(item[1])))
        return [chart for key, by_id in ordered if (chart := self._curve(*key, by_id))][: charts.MOST_CURVES]

    def _lines(self, row: StudyRow) -> list[tuple[tuple[str, str], Points]]:
        """Return the course of each metric of a trial, of several fits their mean."""
        outcome = self.outcomes.get(row.id)
        if not outcome or not outcome.attempts:
            return []
        events = read_events(self.run / outcome.attempts[-1].folder / "events.jsonl", largest=EVENT_BYTES)
        fits = ((key, [*filter(charts.is_line, several)]) for key, several in charts.courses(events).items())
        return [(key, charts.mean_line(several) or several[0]) for key, several in fits if several]

    def _curve(self, metric: str, step: str, by_id: dict[str, Points]) -> Curve | None:
        front = by_id.get(self.best, [])
        caption = f"{len(by_id)} trials" + (f", bold: the best, {one_line(self.best, 60)}" if front else "")
        return charts.curve(
            metric, step, [*by_id.values()], front=front, caption=caption, most_points=COURSE_POINTS, most=MOST_COURSES
        )
