"""What a run's page shows, as values for its templates."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_training.execution.outcome import Outcome, Shown, Status
from pytest_training.jobs.model import Dataset
from pytest_training.records.comparison import Comparison, JobComparison
from pytest_training.records.measures import Measure
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.records.run_record import Timing
from pytest_training.reporters.html.charts import Curve, Timeline
from pytest_training.reporters.html.pictures import Artifact, Picture


@dataclass(frozen=True)
class GateRow:
    """A gate as the page shows it."""

    metric: str
    required: str
    found: str
    verdict: str
    passed: bool


@dataclass(frozen=True)
class MetricRow:
    """A metric as the page shows it."""

    name: str
    value: str
    interval: str
    baseline: str
    change: str
    verdict: str
    spark: tuple[str, float, float] | None
    """Its values in the last runs as a small line, where there are enough."""


@dataclass(frozen=True)
class PastRow:
    """An earlier outcome of a job."""

    run_id: str
    link: str | None
    when: str
    status: Shown
    metric: str
    took: str
    commit: str
    is_this: bool


@dataclass(frozen=True)
class JobView:
    """A job as the page shows it; every text in it is clean, every list bounded."""

    id: str
    anchor: str
    title: str
    status: Shown
    reason: str
    headline: Measure | None
    gates: tuple[GateRow, ...]
    metrics: tuple[MetricRow, ...]
    more_metrics: int
    parameters: tuple[tuple[str, str], ...]
    data: str
    """`real`, `simulated` or empty."""
    datasets: tuple[Dataset, ...]
    outcome: Outcome
    expected: str
    curves: tuple[Curve, ...]
    pictures: tuple[Picture, ...]
    artifacts: tuple[Artifact, ...]
    more_artifacts: int
    log: tuple[str, ...]
    log_link: str | None
    traceback: tuple[str, ...]
    command: str
    past: tuple[PastRow, ...]
    comparison: JobComparison | None

    @property
    def has_details(self) -> bool:
        """Whether the job left anything to show beyond the table's row."""
        return bool(self.outcome.attempts or self.gates or self.parameters)


@dataclass(frozen=True)
class PageView:
    """All that the page's template needs."""

    run: TrainingRun
    jobs: tuple[JobView, ...]
    counts: dict[Shown, int]
    timing: Timing
    timeline: Timeline | None
    comparison: Comparison | None
    took: str
    when: str
    pictures_left_out: int = 0
    problems: tuple[str, ...] = field(default=())

    @property
    def simulated(self) -> tuple[str, ...]:
        """Ids of the jobs that used simulated data."""
        return tuple(job.id for job in self.jobs if job.data == "simulated")

    @property
    def verdict(self) -> str:
        """The page's first word on the run: passed, failed, interrupted or unfinished."""
        if not self.run.is_finished:
            return "unfinished"
        if Status.FAILED in self.counts:
            return "failed"
        if Status.INTERRUPTED in self.counts or (Status.NOT_RUN in self.counts and Status.PASSED not in self.counts):
            return "interrupted"
        return "passed"

    @property
    def anchors(self) -> dict[str, str]:
        """The place of each job's section by its id."""
        return {job.outcome.job_id: job.anchor for job in self.jobs}

    @property
    def speed_up(self) -> float | None:
        """How many times faster the run was than its jobs one after another."""
        if not self.timing.makespan_s or len(self.jobs) < 2 or self.run.plan.workers < 2:
            return None
        return self.timing.work_s / self.timing.makespan_s
