"""What report.json has beyond pytest-json-report's own format: a type per block, and how it is filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from pytest_training.execution.outcome import Attempt, DataUsed, GateResult, Outcome
from pytest_training.jobs.model import SCHEMA_VERSION, Dataset, Plan, PlannedJob, Value
from pytest_training.records.provenance import Machine, Provenance
from pytest_training.records.run_record import RunRecord, timing


class ReportedDataset(Value, frozen=True, kw_only=True):
    """A dataset of a job: declared for it, opened by it, or both."""

    name: str
    real: bool
    simulated: bool
    opened: bool
    """Whether the job really asked for it; its sha256 is known only then or where the catalogue states it."""
    sha256: str | None = None
    license: str | None = None
    citation: str | None = None


class JobMetadata(Value, frozen=True, kw_only=True):
    """`tests[].metadata`: a job's outcome. All paths are relative to the reports folder."""

    id: str
    kind: str
    title: str
    status: str
    cause: str | None
    reason: str
    parameters: dict[str, Any]
    metrics: dict[str, float]
    gates: tuple[GateResult, ...]
    datasets: tuple[ReportedDataset, ...]
    seed: int
    attempts: tuple[Attempt, ...]
    started: str
    ended: str
    wall_s: float
    cpu_s: float
    peak_memory_mb: float | None
    worker: str
    threads: int
    optional: bool
    expected_s: float | None
    log: str | None
    artifacts: tuple[str, ...]
    notes: tuple[str, ...]
    schema_version: int = SCHEMA_VERSION


class PlanEntry(Value, frozen=True, kw_only=True):
    """A job of the plan, in the order in which jobs were to start."""

    id: str
    expected_s: float | None
    expected_from: Literal["history", "catalogue", "unknown"]


class TrainingBlock(Value, frozen=True, kw_only=True):
    """The top-level `training` block: the run as a whole; each job is in the metadata of its test."""

    run_id: str
    started: str
    ended: str
    plan: tuple[PlanEntry, ...]
    totals: dict[str, int]
    """Number of jobs by status."""
    work_s: float
    """Sum of the jobs' durations."""
    makespan_s: float | None
    """From the start of the first job to the end of the last."""
    lower_bound_s: float
    """max(work_s / workers, longest job): no order can be faster."""
    efficiency: float | None
    workers: int
    seed: int
    exit_code: int
    arguments: tuple[str, ...]
    folder: str
    """The run folder, relative to the reports folder."""
    commit: str | None
    branch: str | None
    dirty: bool | None
    python: str
    implementation: str
    platform: str
    packages: dict[str, str]
    environment: dict[str, str]
    machine: Machine
    problems: tuple[str, ...] = ()
    """What went wrong around the jobs, e.g. with the history."""
    schema_version: int = SCHEMA_VERSION


def training_block(run: RunRecord, outcomes: Sequence[Outcome], plan: Plan, provenance: Provenance) -> TrainingBlock:
    """Describe the run as a whole."""
    measured = timing(outcomes, run.workers)
    return TrainingBlock(
        run_id=run.run_id,
        started=run.started,
        ended=run.ended,
        plan=tuple(_plan_entry(planned) for planned in plan.jobs),
        totals=dict(Counter(outcome.status for outcome in outcomes)),
        **_fields(measured, "work_s", "makespan_s", "lower_bound_s", "efficiency"),
        **_fields(run, "workers", "seed", "exit_code", "arguments", "folder", "problems"),
        **_fields(provenance, "commit", "branch", "dirty", "python", "implementation", "platform"),
        **_fields(provenance, "packages", "environment", "machine"),
    )


def job_metadata(
    outcome: Outcome, *, folder: str, planned: PlannedJob | None = None, datasets: Sequence[Dataset] = ()
) -> JobMetadata:
    """Describe one job; `folder`, the run folder relative to the reports folder, begins each of its paths."""
    return JobMetadata(
        id=outcome.job_id,
        **_fields(outcome, "kind", "title", "status", "cause", "reason", "parameters", "metrics", "gates"),
        **_fields(outcome, "seed", "started", "ended", "wall_s", "cpu_s", "peak_memory_mb", "threads"),
        **_fields(outcome, "optional", "notes"),
        datasets=tuple(_datasets(outcome, planned, datasets)),
        attempts=tuple(
            msgspec.structs.replace(attempt, folder=_below(folder, attempt.folder)) for attempt in outcome.attempts
        ),
        worker=outcome.slot,
        expected_s=planned.expected_s if planned else None,
        log=_below(folder, outcome.log) if outcome.log else None,
        artifacts=tuple(_below(folder, path) for path in outcome.artifacts),
    )


def _fields(struct: msgspec.Struct, *names: str) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in names}


def _below(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder and path else path


def _plan_entry(planned: PlannedJob) -> PlanEntry:
    return PlanEntry(id=planned.job.id, expected_s=planned.expected_s, expected_from=planned.expected_from)


def _datasets(outcome: Outcome, planned: PlannedJob | None, datasets: Sequence[Dataset]) -> Iterator[ReportedDataset]:
    """Yield what the job opened, then what was only declared for it."""
    declared = {dataset.name: dataset for dataset in datasets}
    opened = {used.name: used for used in outcome.data}
    names = [
        *opened,
        *(dataset for dataset in (planned.job.data if planned else ()) if dataset not in opened),
    ]
    for name in names:
        if found := opened.get(name) or declared.get(name):
            yield _dataset(found, declared.get(name))


def _dataset(found: DataUsed | Dataset, declared: Dataset | None) -> ReportedDataset:
    return ReportedDataset(
        name=found.name,
        real=found.real,
        simulated=not found.real,
        opened=isinstance(found, DataUsed),
        sha256=found.sha256,
        license=declared.license if declared else None,
        citation=declared.citation if declared else None,
    )
