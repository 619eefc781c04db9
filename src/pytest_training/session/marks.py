"""Which job an item trains, and by what pytest selects it: tags as registered marks, and ids for `-k`."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_training.fixture import FIXTURE
from pytest_training.jobs.model import Job, Plan, PlannedJob


def register_tags(config: pytest.Config, jobs: Iterable[Job]) -> None:
    """Register every tag of the jobs as a mark."""
    for tag in sorted({tag for job in jobs for tag in job.tags}):
        config.addinivalue_line("markers", f"{tag}: training jobs with this tag")


def job_of(item: pytest.Item) -> Job | None:
    """Return the job that an item trains, if it is one of ours."""
    call = getattr(item, "callspec", None)
    job = call.params.get(FIXTURE) if call is not None else None
    job = job.job if isinstance(job, PlannedJob) else job
    return job if isinstance(job, Job) else None


def give_plan(items: Iterable[pytest.Item], plan: Plan) -> None:
    """Give each item the job as it was planned, in place of the job that it was collected with."""
    planned = {each.job.id: each for each in plan.jobs}
    for item in items:
        if (job := job_of(item)) is not None:
            item.callspec.params[FIXTURE] = planned[job.id]  # type: ignore[attr-defined]  # it has a job, so it has this


def match_by_id(item: pytest.Item) -> None:
    """Let `-k größe` find the job of that id: in node ids pytest escapes what is not ASCII."""
    job = job_of(item)
    if job is not None:
        item.extra_keyword_matches.add(job.id)
