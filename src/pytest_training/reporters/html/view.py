"""Gathers what a run's page shows, within bounds."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pytest_training.execution.folder import RunFolder
from pytest_training.execution.job_files import log_end
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.jobs.model import Dataset, PlannedJob
from pytest_training.records.comparison import Comparison, JobComparison
from pytest_training.records.events import read_events
from pytest_training.records.history import History, Recorded
from pytest_training.records.measures import Measure, headline, measures
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.records.run_record import moment, timing
from pytest_training.records.strict_json import encode
from pytest_training.reporters.console import gate_row, is_simulated, sentence
from pytest_training.reporters.html.charts import Curve, curves, sparkline, timeline
from pytest_training.reporters.html.page_model import GateRow, JobView, MetricRow, PageView, PastRow
from pytest_training.reporters.html.pictures import PictureBook, artifacts
from pytest_training.text import clean_lines, one_line
from pytest_training.units import duration, number

TEMPLATES = Path(__file__).parent / "templates"
MOST_ROWS = 60  # metrics, parameters or gates of one job
FEWEST_FOR_A_LINE = 3  # values of a metric over the last runs
HISTORY = 12  # earlier outcomes of a job that are shown
EVENT_BYTES = 64_000_000  # of all jobs together: what reading them may cost
ANCHOR = re.compile(r"[A-Za-z0-9_.-]{1,80}")


@dataclass(frozen=True)
class Scale:
    """How much of each job is shown: less of each where there are many."""

    log_lines: int
    points: int
    history: int
    event_bytes: int
    metrics: int

    @classmethod
    def of(cls, jobs: int) -> Scale:
        """Return bounds that keep the page of 12 jobs under 2 MB, and of 1,000 under 15 MB."""
        events = min(9_000_000, EVENT_BYTES // max(jobs, 1))
        if jobs <= 50:
            return cls(log_lines=60, points=400, history=HISTORY, event_bytes=events, metrics=MOST_ROWS)
        if jobs <= 250:
            return cls(log_lines=30, points=150, history=8, event_bytes=events, metrics=30)
        return cls(log_lines=10, points=60, history=5, event_bytes=events, metrics=12)


def view_page(run: TrainingRun) -> PageView:
    """Gather what the page of a run shows."""
    comparison = run.comparison
    ids = [outcome.job_id for outcome in run.outcomes]
    past = History(run.folder.stable.history).recent(ids, HISTORY, through=run.folder.run_id)
    scale = Scale.of(len(run.outcomes))
    book = PictureBook(run.folder.path)
    planned = {each.job.id: each for each in run.plan.jobs}
    jobs = [
        _view_job(run, outcome, planned[outcome.job_id], past.get(outcome.job_id, []), comparison, book, scale)
        for outcome in run.outcomes
    ]
    jobs.sort(key=lambda job: job.status.rank)
    measured = timing(run.outcomes, run.plan.workers)
    return PageView(
        run=run,
        jobs=tuple(jobs),
        counts=dict(Counter(job.status for job in jobs)),
        timing=measured,
        timeline=timeline(run.outcomes),
        comparison=comparison if comparison.jobs else None,
        took=duration(measured.makespan_s) if measured.makespan_s else "",
        when=_when(run.started),
        pictures_left_out=book.left_out,
        problems=(*run.problems, *comparison.problems),
    )


def _view_job(  # noqa: PLR0913, PLR0917  (what a job's section is made of)
    run: TrainingRun,
    outcome: Outcome,
    planned: PlannedJob,
    past: Sequence[Recorded],
    comparison: Comparison,
    book: PictureBook,
    scale: Scale,
) -> JobView:
    compared = comparison.of(outcome.job_id)
    found = measures(outcome)
    files, more = artifacts(run.folder.path, outcome)
    return JobView(
        id=one_line(outcome.job_id, 80),
        anchor=_anchor(outcome.job_id),
        title=one_line(outcome.title, 200),
        status=outcome.shown,
        reason="" if outcome.status == Status.PASSED else sentence(outcome),
        headline=headline(outcome),
        gates=tuple(GateRow(*gate_row(each), passed=each.passed) for each in outcome.gates[:MOST_ROWS]),
        metrics=tuple(_metric_row(each, compared, past[: scale.history]) for each in found[: scale.metrics]),
        more_metrics=max(0, len(found) - scale.metrics),
        parameters=tuple(_parameters(outcome)),
        data=("simulated" if is_simulated(outcome) else "real") if outcome.data else "",
        datasets=tuple(_datasets(run, outcome, planned)),
        outcome=outcome,
        expected=duration(planned.expected_s) if planned.expected_s is not None else "",
        curves=tuple(_curves(run, outcome, scale)),
        pictures=tuple(book.of(outcome)),
        artifacts=tuple(files),
        more_artifacts=more,
        log=tuple(log_end(run.folder.path / outcome.log, scale.log_lines)) if outcome.log else (),
        log_link=quote(outcome.log) if outcome.log else None,
        traceback=tuple(clean_lines(outcome.traceback.rstrip("\n"))) if outcome.traceback else (),
        command=command_again(run, outcome, planned),
        past=tuple(_past_row(each, run, found[0].name if found else "") for each in past[: scale.history]),
        comparison=compared,
    )


def command_again(run: TrainingRun, outcome: Outcome, planned: PlannedJob) -> str:
    """Return the command that trains the job once more with the parameters and the seed that it had."""
    node = run.node_id(outcome.job_id)
    words = ["pytest", node] if node else ["pytest", "-k", outcome.job_id]
    words += ["--training-seed", str(outcome.seed)]
    variables = {each.name for each in planned.job.declared if each.variable}
    for name in planned.job.given:
        if name in outcome.parameters and name not in variables:
            words += ["--set", f"{outcome.job_id}.{name}={_setting(outcome.parameters[name])}"]
    return one_line(shlex.join(words), 2000)


def _setting(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()


def _anchor(job_id: str) -> str:
    if ANCHOR.fullmatch(job_id):
        return f"job-{job_id}"
    return f"job-{hashlib.sha256(job_id.encode('utf-8', 'replace')).hexdigest()[:12]}"


def _metric_row(measure: Measure, compared: JobComparison | None, past: Sequence[Recorded]) -> MetricRow:
    change = next((each for each in compared.changes if each.metric == measure.name), None) if compared else None
    values = [value for each in reversed(past) if (value := each.outcome.metrics.get(measure.name)) is not None]
    return MetricRow(
        name=one_line(measure.name, 80),
        value=number(measure.value),
        interval=measure.interval,
        baseline=number(measure.baseline) if measure.baseline is not None else "",
        change=change.words() if change else "",
        verdict=change.tone if change else "",
        spark=sparkline(values) if len(values) >= FEWEST_FOR_A_LINE else None,
    )


def _parameters(outcome: Outcome) -> list[tuple[str, str]]:
    return [
        (one_line(name, 80), one_line(_setting(value), 160))
        for name, value in list(outcome.parameters.items())[:MOST_ROWS]
    ]


def _datasets(run: TrainingRun, outcome: Outcome, planned: PlannedJob) -> list[Dataset]:
    declared = {dataset.name: dataset for dataset in run.plan.datasets}
    names = dict.fromkeys([*(used.name for used in outcome.data), *planned.job.data])
    return [declared[name] for name in names if name in declared][:MOST_ROWS]


def _curves(run: TrainingRun, outcome: Outcome, scale: Scale) -> list[Curve]:
    if not outcome.attempts:
        return []
    events = run.folder.path / outcome.attempts[-1].folder / "events.jsonl"
    return curves(read_events(events, largest=scale.event_bytes), most_points=scale.points)


def _past_row(recorded: Recorded, run: TrainingRun, metric: str) -> PastRow:
    value = recorded.outcome.metrics.get(metric)
    is_there = RunFolder(run.folder.reports, recorded.run_id).page.is_file()
    return PastRow(
        run_id=one_line(recorded.run_id, 60),
        link=f"{quote(recorded.run_id)}/index.html" if is_there else None,
        when=_when(recorded.started),
        status=recorded.outcome.shown,
        metric="" if value is None else number(value),
        took=duration(recorded.outcome.wall_s),
        commit=(recorded.commit or "")[:10] + ("+" if recorded.commit and recorded.dirty else ""),
        is_this=recorded.run_id == run.folder.run_id,
    )


def _when(written: str) -> str:
    found = moment(written)
    return f"{found:%Y-%m-%d %H:%M} UTC" if found else ""
