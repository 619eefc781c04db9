"""Shares jobs out among machines that know nothing of each other: `--training-shard 2/4`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import Job
from pytest_training.records.durations import FILE, JobDurations, read_durations


def own_shard(jobs: Sequence[Job], root: Path, number: int, count: int) -> tuple[Job, ...]:
    """Return the jobs of a shard by the committed durations.json, by which every machine finds the same ones."""
    return tuple(shard(jobs, read_durations(root / FILE).jobs, number, count))


def shard(jobs: Sequence[Job], known: Mapping[str, JobDurations], number: int, count: int) -> list[Job]:
    """Return the jobs of a shard.

    The longest group goes first to the shard with the least work. Unknown jobs count as the known ones do on average.
    """
    seconds = {job_id: each.measured[0].seconds * each.speed for job_id, each in known.items() if each.measured}
    typical = fmean(seconds.values()) if seconds else 1.0
    groups = _groups(jobs)
    if count > len(groups):
        problem = f"--training-shard {number}/{count}: expected at most {len(groups)} shards of these jobs"
        raise DeclarationError(problem)
    work = {name: sum(seconds.get(job.id, typical) for job in several) for name, several in groups.items()}
    loads, own = [0.0] * count, set[str]()
    for name in sorted(groups, key=lambda name: (-work[name], name)):
        least = loads.index(min(loads))
        loads[least] += work[name]
        own |= {job.id for job in groups[name]} if least == number - 1 else set()
    return [job for job in jobs if job.id in own]


def _groups(jobs: Sequence[Job]) -> dict[str, list[Job]]:
    """Return the jobs that one machine must train together, by the id of one of them."""
    group = {job.id: job.id for job in jobs}
    for job in jobs:
        for other in filter(group.__contains__, (*job.needs, job.trial_of, job.twin_of)):
            old, new = group[str(other)], group[job.id]
            group |= {job_id: new for job_id, name in group.items() if name == old}
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(group[job.id], []).append(job)
    return groups
