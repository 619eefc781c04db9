"""The plan: the selected jobs with what is expected of them, in the order in which they start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pytest_training.errors import DeclarationError
from pytest_training.jobs.catalogue.datasets import plan_dataset
from pytest_training.jobs.model import Dataset, Job, Plan, PlannedDataset, PlannedJob
from pytest_training.jobs.order import find_circle, simulate, start_order
from pytest_training.wording import listing


def make_plan(  # noqa: PLR0913  (each is one field of the plan)
    jobs: Sequence[Job],
    datasets: Sequence[Dataset],
    *,
    run_id: str,
    seed: int,
    workers: int,
    threads: int,
    measured: Mapping[str, float],
) -> Plan:
    """Return the plan; `measured` gives expected seconds from history, by job id."""
    by_name = {dataset.name: dataset for dataset in datasets}
    used = dict.fromkeys(name for job in jobs for name in _declared_data(job, by_name))
    looked_up = {name: plan_dataset(by_name[name]) for name in used}
    planned = {job.id: _planned(job, looked_up, measured) for job in jobs}
    needs = {job.id: job.needs for job in jobs}
    circle = find_circle(needs)
    if circle:
        raise DeclarationError(f"needs go round in a circle: {' needs '.join(circle)}")
    expected = {job_id: item.expected_s for job_id, item in planned.items()}
    order = start_order([job.id for job in jobs], expected, needs, workers=workers)
    makespan, bound = _durations(order, expected, needs, workers)
    return Plan(
        run_id=run_id,
        seed=seed,
        workers=workers,
        threads=threads,
        jobs=tuple(planned[job_id] for job_id in order),
        datasets=tuple(by_name[name] for name in used),
        makespan_s=makespan,
        lower_bound_s=bound,
    )


def _declared_data(job: Job, datasets: Mapping[str, Dataset]) -> tuple[str, ...]:
    for name in job.data:
        if name not in datasets:
            declared = f"one of {listing(name, datasets)}" if datasets else "a declaration, found none at all"
            raise DeclarationError(
                f"{job.source}: {job.id} uses the dataset {name!r}, which the catalogue does not declare "
                f"under `data:`: expected {declared}"
            )
    return job.data


def _planned(job: Job, datasets: Mapping[str, PlannedDataset], measured: Mapping[str, float]) -> PlannedJob:
    expected_s = measured.get(job.id, job.expected_s)
    source: Literal["catalogue", "unknown"] = "unknown" if expected_s is None else "catalogue"
    return PlannedJob(
        job=job,
        expected_s=expected_s,
        expected_from="history" if job.id in measured else source,
        datasets=tuple(datasets[name] for name in job.data),
    )


def _durations(
    order: list[str], expected: Mapping[str, float | None], needs: Mapping[str, Sequence[str]], workers: int
) -> tuple[float | None, float | None]:
    seconds = {job_id: expected_s for job_id, expected_s in expected.items() if expected_s is not None}
    if len(seconds) < len(expected):
        return None, None
    makespan = simulate(order, seconds, needs, workers=workers)
    return makespan, max(sum(seconds.values()) / workers, max(seconds.values(), default=0.0))
