"""The further trainings of an audit, its twins: a job once more as it is, and with a shuffled target."""

import fnmatch
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.model import Job
from pytest_training.wording import one_of

SHUFFLES = 3  # orders of a target: one alone moves an AUC of 126 people by 0.06 by chance
EXAMINING_S = 600.0  # beyond the job's time limit, for the training whose data are examined afterwards
SHUFFLING = b".target("  # a job that shuffles its target has this somewhere in its code


def audited(jobs: Sequence[Job], chosen: str, option: str) -> list[Job]:
    """Return the jobs with this id, whose ids match this pattern, or of this file or folder; of a study the trials.

    A study's own job is there only if another of these jobs needs it.
    """
    path, searches = Path(chosen).absolute(), {job.id for job in jobs if job.study and job.study.search}
    for meant in (
        [job for job in jobs if chosen in {job.id, job.trial_of}],
        [job for job in jobs if any(fnmatch.fnmatchcase(name, chosen) for name in (job.id, job.trial_of or job.id))],
        [job for job in jobs if job.path is not None and Path(job.path).is_relative_to(path)],
    ):
        needed = {each for job in meant for each in job.needs} - searches
        if whole := [job for job in meant if (job.id in needed or not job.study) and job.trial_of not in searches]:
            return whole
        if meant:
            raise DeclarationError(f"{option}: {chosen} is a search, which draws other parameters each time")
    raise DeclarationError(f"{option}: no job {chosen!r}: {one_of(chosen, (job.id for job in jobs))}")


def add_twins(
    jobs: Sequence[Job], taken: Container[str], audit: Literal["", "twice", "all"], kinds: Kinds
) -> list[Job]:
    """Return each job with its twins behind it."""
    all_jobs = [each for job in jobs for each in (job, *_twins(job, audit, is_program=kinds[job.kind].is_program))]
    for twin in all_jobs:
        if twin.twin_of and twin.id in taken:
            raise DeclarationError(f"{twin.source}: an audit of {twin.twin_of} trains {twin.id!r}: rename that job")
    return all_jobs


def _twins(job: Job, audit: str, *, is_program: bool) -> Iterator[Job]:
    if job.study:
        return
    needs = (*job.needs, job.id) if is_program else job.needs  # a program may write to a place that both share
    limits = {key: limit + (EXAMINING_S if key == "timeout" else 0.0) for key, limit in job.limits.items()}
    twin = replace(job, twin_of=job.id, gates=(), needs=needs)
    again = {"notes": (*job.notes, "trained again by the audit"), "title": f"{job.title} (again)"}
    yield replace(twin, id=f"{job.id}-again", limits=limits, **again)
    if audit == "all" and not is_program and may_shuffle(job):
        notes = (*job.notes, "its target is shuffled by the audit")
        for number in range(1, SHUFFLES + 1):
            title = f"{job.title} (target shuffled)"
            yield replace(twin, id=f"{job.id}-shuffled-{number}", shuffle=number, notes=notes, title=title)


def may_shuffle(job: Job) -> bool:
    """Return True if the job's code may call `run.target`: else a training with a shuffled target would be in vain."""
    return any(SHUFFLING in Path(file).read_bytes() for file in job.files if Path(file).is_file())
