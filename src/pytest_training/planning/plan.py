"""The plan: the selected jobs, their data and expected durations, in the order in which they start."""

from collections.abc import Mapping, Sequence

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.jobs.catalogue.datasets import plan_dataset
from pytest_training.jobs.model import Dataset, Job, Plan, PlannedDataset, PlannedJob, Source
from pytest_training.jobs.order import find_circle, simulate, start_order
from pytest_training.wording import one_of


def make_plan(  # noqa: PLR0913  (each is one field of the plan)
    jobs: Sequence[Job],
    datasets: Sequence[Dataset],
    *,
    run_id: str,
    seed: int,
    workers: int,
    threads: int,
    measured: Mapping[str, float],
    saved: Mapping[str, float] | None = None,
) -> Plan:
    """Return the plan; `measured` gives expected seconds from history, `saved` those from durations.json, by job id."""
    declared, needs = {dataset.name: dataset for dataset in datasets}, {job.id: job.needs for job in jobs}
    jobs = [_with_declared_data(job, declared) for job in jobs]
    used = dict.fromkeys(name for job in jobs for name in job.data)
    if circle := find_circle(needs):
        raise DeclarationError(f"needs go round in a circle: {' needs '.join(circle)}")
    datasets_by_name = {name: plan_dataset(declared[name]) for name in used}
    planned = {job.id: _planned(job, datasets_by_name, measured, saved or {}) for job in jobs}
    expected = {job_id: item.expected_s for job_id, item in planned.items()}
    order = start_order(list(expected), expected, needs, workers=workers)
    seconds = {job_id: expected_s for job_id, expected_s in expected.items() if expected_s is not None}
    is_known = len(seconds) == len(expected)
    return Plan(
        run_id=run_id,
        seed=seed,
        workers=workers,
        threads=threads,
        jobs=tuple(planned[job_id] for job_id in order),
        datasets=tuple(declared[name] for name in used),
        makespan_s=simulate(order, seconds, needs, workers=workers) if is_known else None,
        lower_bound_s=max(sum(seconds.values()) / workers, *seconds.values(), 0.0) if is_known else None,
    )


def _with_declared_data(job: Job, declared: Mapping[str, Dataset]) -> Job:
    """Return the job; one that uses a dataset without a declaration has a problem, and the others are trained."""
    if not (unknown := next((name for name in job.data if name not in declared), None)):
        return job
    expected = one_of(unknown, declared) if declared else "expected a declaration, found none at all"
    problem = (
        f"{job.source}: {job.id} uses the dataset {unknown!r}, which the catalogue does not declare "
        f"under `data:`: {expected}"
    )
    data = tuple(name for name in job.data if name in declared)
    return msgspec.structs.replace(job, data=data, problem=job.problem or problem)


def _planned(
    job: Job, datasets: Mapping[str, PlannedDataset], measured: Mapping[str, float], saved: Mapping[str, float]
) -> PlannedJob:
    places: dict[Source, float | None] = {"history": measured.get(job.id), "durations.json": saved.get(job.id)}
    places |= {"catalogue": job.expected_s, "unknown": None}
    source = next(place for place, expected_s in places.items() if expected_s is not None or place == "unknown")
    used = tuple(datasets[name] for name in job.data)
    return PlannedJob(job=job, expected_s=places[source], expected_from=source, datasets=used)
