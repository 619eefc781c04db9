"""Limits that the command line or pytest.ini gives to jobs that state none."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pytest_training.jobs.model import Job


def with_default_limits(jobs: Iterable[Job], *, timeout_s: float | None, memory_mb: float | None) -> list[Job]:
    """Return the jobs with these limits where they have none of their own."""
    return [
        msgspec.structs.replace(
            job,
            timeout_s=job.timeout_s if job.timeout_s is not None else timeout_s,
            memory_mb=job.memory_mb if job.memory_mb is not None else memory_mb,
        )
        for job in jobs
    ]
