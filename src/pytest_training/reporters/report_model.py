"""What report.json has beyond pytest-json-report's own format: a type per block, and how it is filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec.structs import asdict, replace

from pytest_training.execution.outcome import DataUsed, Outcome, Reported
from pytest_training.jobs.model import Dataset, Plan, PlannedJob, Value
from pytest_training.records.provenance import Machine, Provenance
from pytest_training.records.run_record import RunRecord, timing


class ReportedDataset(Value, frozen=True, kw_only=True):
    """A dataset of a job: declared for it, opened by it, or both."""

    name: str
    real: bool
    simulated: bool
    opened: bool
    """True if the job really asked for it; its sha256 is known only then or where the catalogue states it."""
    sha256: str | None = None
    license: str | None = None
    citation: str | None = None


class JobMetadata(Reported, frozen=True, kw_only=True):
    """`tests[].metadata`: a job's outcome. All paths are relative to the reports folder."""

    id: str
    datasets: tuple[ReportedDataset, ...]
    worker: str
    expected_s: float | None


class PlanEntry(Value, frozen=True, kw_only=True):
    """A job of the plan, in the order in which jobs were to start."""

    id: str
    expected_s: float | None
    expected_from: Literal["history", "catalogue", "unknown"]


class TrainingBlock(RunRecord, frozen=True, kw_only=True):
    """The top-level `training` block: the run as a whole; each job is in the metadata of its test."""

    plan: tuple[PlanEntry, ...]
    totals: dict[str, int]
    """Number of jobs by status."""
    work_s: float
    """As `Timing` has them."""
    makespan_s: float | None
    lower_bound_s: float
    efficiency: float | None
    commit: str | None
    """As `Provenance` has them."""
    branch: str | None
    dirty: bool | None
    python: str
    implementation: str
    platform: str
    packages: dict[str, str]
    environment: dict[str, str]
    machine: Machine


def training_block(run: RunRecord, outcomes: Sequence[Outcome], plan: Plan, provenance: Provenance) -> TrainingBlock:
    """Describe the run as a whole."""
    return TrainingBlock(
        **(asdict(provenance) | asdict(timing(outcomes, run.workers)) | asdict(run)),
        plan=tuple(map(_plan_entry, plan.jobs)),
        totals=dict(Counter(outcome.status for outcome in outcomes)),
    )


def job_metadata(
    outcome: Outcome, *, folder: str, planned: PlannedJob | None = None, datasets: Sequence[Dataset] = ()
) -> JobMetadata:
    """Describe one job; `folder`, the run folder relative to the reports folder, begins each of its paths."""
    placed = replace(
        outcome,
        attempts=tuple(replace(attempt, folder=_below(folder, attempt.folder)) for attempt in outcome.attempts),
        log=_below(folder, outcome.log) if outcome.log else None,
        artifacts=tuple(_below(folder, path) for path in outcome.artifacts),
    )
    return JobMetadata(
        **{name: getattr(placed, name) for name in Reported.__struct_fields__},
        id=outcome.job_id,
        datasets=tuple(_datasets(outcome, planned, datasets)),
        worker=outcome.slot,
        expected_s=planned.expected_s if planned else None,
    )


def _below(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder and path else path


def _plan_entry(planned: PlannedJob) -> PlanEntry:
    return PlanEntry(id=planned.job.id, expected_s=planned.expected_s, expected_from=planned.expected_from)


def _datasets(outcome: Outcome, planned: PlannedJob | None, datasets: Sequence[Dataset]) -> Iterator[ReportedDataset]:
    """Yield what the job opened, then what was only declared for it."""
    declared = {each.name: each for each in datasets}
    opened = {used.name: used for used in outcome.data}
    names = [
        *opened,
        *(dataset for dataset in (planned.job.data if planned else ()) if dataset not in opened),
    ]
    for name in names:
        if dataset := opened.get(name) or declared.get(name):
            yield _dataset(dataset, declared.get(name))


def _dataset(dataset: DataUsed | Dataset, declared: Dataset | None) -> ReportedDataset:
    return ReportedDataset(
        name=dataset.name,
        real=dataset.real,
        simulated=not dataset.real,
        opened=isinstance(dataset, DataUsed),
        sha256=dataset.sha256,
        license=declared.license if declared else None,
        citation=declared.citation if declared else None,
    )
