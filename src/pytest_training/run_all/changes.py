"""What the original's flags change of jobs that are loaded: `--extra-arg`, `--retries`, and which are left in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.model import Job
from pytest_training.wording import listing


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The flags' values."""

    arguments: tuple[str, ...] = ()
    """What every script and command gets behind its own command line."""
    retries: int | None = None
    only: tuple[str, ...] = ()
    """Ids of the jobs that stay; empty for all."""

    def of(self, jobs: Sequence[Job], kinds: Kinds) -> list[Job]:
        """Return the jobs with the changes."""
        fields = {} if self.retries is None else {"retries": self.retries}
        changed = [msgspec.structs.replace(job, **fields) for job in _those(jobs, self.only)]
        return _with_arguments(changed, self.arguments, kinds) if self.arguments else changed


def _those(jobs: Sequence[Job], only: Sequence[str]) -> list[Job]:
    ids = {job.id for job in jobs}
    for job_id in only:
        if job_id not in ids:
            raise DeclarationError(f"--training-job: no job {job_id!r}: expected some of {listing(job_id, ids)}")
    return [job for job in jobs if not only or job.id in only]


def _with_arguments(jobs: list[Job], arguments: tuple[str, ...], kinds: Kinds) -> list[Job]:
    if not any(kinds[job.kind].is_program for job in jobs):
        raise DeclarationError("an extra argument goes to scripts and commands, and there is none of these")
    return [
        msgspec.structs.replace(job, arguments=(*job.arguments, *arguments)) if kinds[job.kind].is_program else job
        for job in jobs
    ]
