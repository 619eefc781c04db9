"""What the page shows of a study: its metric against each parameter, parallel coordinates, learning curves."""

import functools
import math
from pathlib import Path
from typing import Any

from msgspec import Struct

from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.directions import is_side_number
from pytest_training.records.events import read_events
from pytest_training.records.studies import StudyRow, StudyTable
from pytest_training.reporters.html import charts, predictions
from pytest_training.reporters.html.axes import Axis, axis
from pytest_training.reporters.html.charts import Curve, Key, Points, Tick
from pytest_training.reporters.html.predictions import Chart, Drawn
from pytest_training.reporters.studies import record
from pytest_training.text import one_line

MOST_COLUMNS, MOST_PARAMETERS = 30, 12  # of the table, and with a picture
MOST_SECTIONS, MOST_FAILURES = 20, 10  # trials with a section of their own: the best ones, and those that failed
MOST_WAYS, MOST_COURSES = 500, 200  # lines of parallel coordinates, and of a chart of learning curves
MOST_OTHERS = 20  # lines behind those of one trial
COURSE_POINTS, EVENT_BYTES = 12_000, 1_000_000  # of all curves of a chart, and of one trial
WIDTH, TOP, BOTTOM, SIDE = 1000.0, 34.0, 262.0, 80.0  # of parallel coordinates
SHADES = 5  # of their lines
MARGIN = 8.0  # between a plot's dots and its ends


class StudyView(Struct, frozen=True, dict=True):
    """A study in words and coordinates."""

    table: StudyTable
    run: Path
    outcomes: dict[str, Outcome]  # those of the run, by job id
    most_rows: int  # of the table

    @functools.cached_property
    def records(self) -> list[dict[str, Any]]:
        """The values of the first rows by column, as the command `table` has them."""
        return [record(self.table, row) for row in self.table.rows[: self.most_rows]]

    @functools.cached_property
    def columns(self) -> list[str]:
        """The first columns that have values, without those that the name's cell shows."""
        shown = {name for each in self.records for name, value in each.items() if value is not None}
        shown -= {"trial", "status", "reason"}
        names = self.records[0] if self.records else ()
        return [name for name in names if name in shown and not is_side_number(name)][:MOST_COLUMNS]

    @functools.cached_property
    def sections(self) -> list[str]:
        """The ids of the trials that have a section of their own, first those that failed."""
        trials = [row for row in self.table.trials if row.id in self.outcomes]
        failed = [row.id for row in trials if not row.status.is_good][:MOST_FAILURES]
        return [*failed, *(row.id for row in trials[:MOST_SECTIONS] if row.id not in failed)]

    @functools.cached_property
    def ranked(self) -> list[StudyRow]:
        """The rows that pictures show: whole trainings that have the metric, best first."""
        return [row for row in self.table.rows if row.is_ranked and self.table.metric in row.metrics]

    @functools.cached_property
    def axes(self) -> list[Axis]:
        """An axis for each of the first parameters, the metric's last."""
        if not self.ranked or not (names := self.table.parameters[:MOST_PARAMETERS]):
            return []
        ends = [end for row in self.ranked if row.spread for end in (row.spread.low, row.spread.high)]
        metric = [row.metrics[self.table.metric] for row in self.ranked]
        across = [axis(name, [row.parameters.get(name) for row in self.ranked]) for name in names]
        return [*across, axis(self.table.metric, metric, [*filter(math.isfinite, ends)])]

    def scatter(self, x: Axis, y: Axis) -> Chart:
        """Return a picture of the metric against a parameter."""
        bottom, right = predictions.HEIGHT - predictions.BOTTOM, predictions.WIDTH - predictions.RIGHT
        across, x_ticks = x.scale(predictions.LEFT + MARGIN, right - MARGIN)
        up, y_ticks = y.scale(bottom - MARGIN, predictions.TOP + MARGIN)
        places = zip(self.ranked, x.places, y.places, strict=True)
        dots = [(row, f"M{across(at):g},", up(value or 0)) for row, at, value in places if at is not None]
        spreads = [(start, row.spread) for row, start, _ in dots if row.spread and math.isfinite(row.spread.low)]
        bars = {
            "spread": [f"{start}{up(mean.low)}V{up(mean.high)}" for start, mean in spreads],
            "trial": [f"{start}{at:g}h0" for _, start, at in dots],
            "best": [f"{start}{at:g}h0" for row, start, at in dots if row is self.table.best],
        }
        drawn = tuple(Drawn(style, "".join(parts)) for style, parts in bars.items())
        name, caption = one_line(x.name, 40), f"{one_line(y.name, 40)} by {one_line(x.name, 40)}"
        return Chart("measured", caption, (name, ""), bottom, x_ticks, y_ticks, drawn)

    @property
    def parallel(self) -> tuple[list[tuple[float, str, tuple[Tick, ...]]], list[str]] | None:
        """Parallel coordinates: place, name and marks of each axis, and rows' lines by shade, the best ones first."""
        if len(self.axes) <= 2:
            return None
        step = (WIDTH - 2 * SIDE) / (len(self.axes) - 1)
        axes = [(SIDE + step * index, each, *each.scale(BOTTOM, TOP)) for index, each in enumerate(self.axes)]
        lines = (
            [f"{at:g},{scale(place):g}" for at, each, scale, _ in axes if (place := each.places[row]) is not None]
            for row in charts.thinned(range(len(self.ranked)), MOST_WAYS)
        )
        ways = ["M" + "L".join(points) for points in lines if len(points) == len(axes)]
        size = math.ceil(len(ways) / SHADES) or 1
        shades = ["".join(ways[start : start + size]) for start in range(0, len(ways), size)]
        return [(at, one_line(each.name, 24), ticks) for at, each, _, ticks in axes], shades

    @functools.cached_property
    def courses(self) -> dict[Key, dict[str, Points]]:
        """The learning curves of trials by metric and axis: the mean of several fits; of many trials those of some."""
        lines: dict[Key, dict[str, Points]] = {}
        trials = [row.id for row in self.table.trials if row.id in self.outcomes and self.outcomes[row.id].attempts]
        for trial in charts.thinned(trials, MOST_COURSES):
            path = self.run / self.outcomes[trial].attempts[-1].folder / "events.jsonl"
            for key, fits in charts.courses(read_events(path, largest=EVENT_BYTES)).items():
                lines.setdefault(key, {})[trial] = charts.mean_line(fits) or fits[0]
        return lines

    def others(self, trial: str) -> dict[Key, list[Points]]:
        """Return the learning curves of some other trials."""
        several = {key: [line for name, line in by_id.items() if name != trial] for key, by_id in self.courses.items()}
        return {key: [*charts.thinned(lines, MOST_OTHERS)] for key, lines in several.items()}

    @property
    def curves(self) -> list[Curve]:
        """A chart for each metric that trials logged, the best trial in front."""
        ordered = sorted(self.courses.items(), key=lambda item: (item[0][0] != self.table.metric, -len(item[1])))
        return [chart for key, by_id in ordered if (chart := self._curve(key, by_id))][: charts.MOST_CURVES]

    def _curve(self, key: Key, by_id: dict[str, Points]) -> Curve | None:
        chart = charts.curve(key, [*by_id.values()], COURSE_POINTS, most=MOST_COURSES)
        caption = f"{len(by_id)} of {len(self.table.trials)} trials"
        best = (self.table.best.trials or (self.table.best.id,))[0] if self.table.best else ""
        if not chart or best not in by_id:
            return chart and chart._replace(mean=None, caption=caption)
        caption += f", bold: the best, {one_line(best, 60)}"
        return chart._replace(mean=chart.lines[[*by_id].index(best)], caption=caption)
