"""What the page shows of each job: its outcome, its last runs, its pictures; of many jobs less of each."""

import functools
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from pytest_training.execution.folder import RunFolder
from pytest_training.execution.job_files import read_json
from pytest_training.execution.outcome import GateResult, Outcome, Status
from pytest_training.jobs.model import Dataset, PlannedJob
from pytest_training.records.comparison import Change, JobComparison
from pytest_training.records.events import Event, read_events
from pytest_training.records.history import History, Recorded
from pytest_training.records.measures import Measure, measures
from pytest_training.records.recorded_run import TrainingRun, folded
from pytest_training.records.run_record import BegunRun
from pytest_training.records.studies import studies
from pytest_training.reporters.html.charts import Behind, Curve, courses, curves, sparkline
from pytest_training.reporters.html.environment import setting
from pytest_training.reporters.html.pictures import Picture, PictureBook
from pytest_training.reporters.html.predictions import Judged, judged
from pytest_training.reporters.html.studies import StudyView
from pytest_training.text import one_line

MOST_TRIALS = 5000  # rows of all studies together
MOST_ROWS = 60  # parameters, gates or datasets of one job
FEWEST_FOR_A_LINE = 3  # values of a metric over the last runs
EVENT_BYTES = 64_000_000  # of all jobs together: what reading them may cost
LARGEST_EVENTS = 9_000_000  # bytes of one job
STUDY_OPTIONS = ("--training-seeds", "--training-matrix")


class Scale(NamedTuple):
    """How much of each job the page of up to `jobs` jobs shows."""

    jobs: float
    log_lines: int
    points: int
    history: int
    metrics: int
    largest_events: int = LARGEST_EVENTS  # bytes


SCALES = (Scale(50, 60, 400, 12, 60), Scale(250, 30, 150, 5, 30), Scale(float("inf"), 10, 60, 5, 12))
"""They keep the page of 12 jobs under 2 MB, and of 1,000 under 15 MB."""


class MetricRow(NamedTuple):
    """A metric with what became of it."""

    measure: Measure
    change: Change | None
    spark: tuple[str, float, float] | None  # its values in the last runs as a small line, if there are enough


class JobView(Struct, frozen=True, dict=True):
    """What a job's row and section show beyond its outcome."""

    run: TrainingRun
    scale: Scale
    outcome: Outcome
    planned: PlannedJob
    past: Sequence[Recorded]  # the newest outcomes, this one first
    pictures: Sequence[Picture]
    study: StudyView | None = None  # of a study's own job
    trials: Sequence["JobView"] = ()  # those of the study that have a section of their own
    siblings: StudyView | None = None  # of a trial its study

    @functools.cached_property
    def measures(self) -> list[Measure]:
        """All metrics that no other table shows, the headline first."""
        listed = frozenset[str]().union(*(each.listed for each in self.judged))
        listed -= {result.gate.metric for result in self.outcome.gates}
        return [each for each in measures(self.outcome) if each.name not in listed]

    @property
    def gates(self) -> Sequence[GateResult]:
        """The gates, also of a job that ended before they were judged."""
        if self.outcome.gates or self.study or self.outcome.status == Status.PASSED:
            return self.outcome.gates
        gates = (replace(gate, unjudged="no result") for gate in self.planned.job.gates)
        return [GateResult(gate=gate, found=None, passed=None) for gate in gates]

    @functools.cached_property
    def comparison(self) -> JobComparison | None:
        """What changed against the earlier outcome."""
        return self.run.comparison.of(self.outcome.job_id)

    @functools.cached_property
    def metrics(self) -> list[MetricRow]:
        """The first metrics."""
        changes = {each.metric: each for each in self.comparison.changes} if self.comparison else {}
        shown = self.measures[: self.scale.metrics]
        return [MetricRow(measure, changes.get(measure.name), self._spark(measure.name)) for measure in shown]

    def _spark(self, metric: str) -> tuple[str, float, float] | None:
        values = [value for each in reversed(self.past) if (value := each.outcome.metrics.get(metric)) is not None]
        return sparkline(values) if len(values) >= FEWEST_FOR_A_LINE else None

    @property
    def datasets(self) -> list[Dataset]:
        """The datasets that the job opened, then those that were only declared for it."""
        declared = {dataset.name: dataset for dataset in self.run.plan.datasets}
        names = dict.fromkeys([*(used.name for used in self.outcome.data), *self.planned.job.data])
        return [declared[name] for name in names if name in declared][:MOST_ROWS]

    @property
    def curves(self) -> list[Curve]:
        """The learning curves of the last attempt, in front of those of the last run and of other trials."""
        own = [*self._events(self.outcome, self.run.folder.path)]
        if not any(event.log for event in own):
            return []
        last = next((each for each in self.past if each.run_id != self.run.folder.run_id), None)
        behind = Behind(
            {result.gate.metric: result.gate for result in self.outcome.gates},
            courses(self._events(last.outcome, self.run.folder.stable.runs / last.run_id)) if last else {},
            self.siblings.others(self.outcome.job_id) if self.siblings else {},
        )
        return curves(own, most_points=self.scale.points, behind=behind)

    def _events(self, outcome: Outcome, run: Path) -> Iterable[Event]:
        path = run / outcome.attempts[-1].folder / "events.jsonl" if outcome.attempts else run
        return read_events(path, largest=self.scale.largest_events)

    @functools.cached_property
    def judged(self) -> list[Judged]:
        """The evaluations of the last attempt's predictions, with their pictures."""
        return judged(self.run.folder.path, self.outcome, most_points=self.scale.points)

    @functools.cached_property
    def command(self) -> str:
        """The command that trains the job once more with the same parameters and seed; empty if a search drew them."""
        job, job_id, parameters = self.planned.job, self.outcome.job_id, self.outcome.parameters
        if job.trial_of and any(parameters.get(name) != job.parameters.get(name) for name in self.outcome.varied):
            return ""
        node = next((node for node, each in self.run.nodes.items() if each == job_id and not job.study), None)
        seed = self.outcome.seed if job.seed is None else self.run.plan.seed
        words = ["pytest", *([node] if node else ["-k", job_id]), "--training-seed", str(seed)]
        begun = self.run.begun if job.study or job.trial_of else None
        if begun and begun.resumed:  # the first of them was asked for the study
            begun = read_json(RunFolder(self.run.folder.reports, begun.resumed[-1]).begun, BegunRun)
        words += begun.typed(STUDY_OPTIONS) if begun else []
        trials = [each.job for each in self.run.plan.jobs if each.job.trial_of == job_id]
        jobs = trials or [replace(job, parameters=parameters)]
        fixed = {each.name for each in jobs[0].declared if each.variable}.union(jobs[0].varied)
        given = [
            (each.id, f"{name}={setting(each.parameters[name])}")
            for each in jobs
            for name in each.given
            if name in each.parameters and name not in fixed
        ]
        numbers = Counter(text for _, text in given)  # what all trials of a study are given is set once
        for text in dict.fromkeys(f"{job_id if numbers[text] == len(jobs) else own}.{text}" for own, text in given):
            words += ["--set", text]
        return one_line(shlex.join(words), 2000)


def job_views(run: TrainingRun, book: PictureBook) -> list[JobView]:
    """Return the jobs of the list; a study has the sections of its trials."""
    outcomes = {outcome.job_id: outcome for outcome in run.outcomes}
    tables = [each for each in studies(run) if each.id in outcomes]
    of_study = {each.id: StudyView(each, run.folder.path, outcomes, MOST_TRIALS // len(tables)) for each in tables}
    listed = folded(run.outcomes)
    ids = [outcome.job_id for outcome in listed] + [name for each in of_study.values() for name in each.sections]
    scale = next(each for each in SCALES if len(ids) <= each.jobs)
    scale = scale._replace(largest_events=min(LARGEST_EVENTS, EVENT_BYTES // max(len(ids), 1)))
    past = History(run.folder.stable.history).recent(ids, scale.history, through=run.folder.run_id)
    planned = {each.job.id: each for each in run.plan.jobs}

    def view(outcome: Outcome) -> JobView:
        name, study, siblings = outcome.job_id, of_study.get(outcome.job_id), of_study.get(outcome.trial_of or "")
        trials = [view(outcomes[each]) for each in study.sections] if study else []
        return JobView(
            run, scale, outcome, planned[name], past.get(name, []), book.of(outcome), study, trials, siblings
        )

    return [view(outcome) for outcome in listed]
