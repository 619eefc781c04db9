"""Limits that the command line or pytest.ini gives to jobs that state none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from pytest_training.jobs.model import Job


def with_default_limits(jobs: Iterable[Job], limits: Mapping[str, float]) -> list[Job]:
    """Return the jobs with these limits where they have none of their own."""
    return [msgspec.structs.replace(job, limits={**limits, **job.limits}) for job in jobs]
