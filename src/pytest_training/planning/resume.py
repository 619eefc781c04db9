"""The run that `--training-resume` goes on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.execution.folder import ReportsFolder, RunFolder
from pytest_training.execution.outcome import Status
from pytest_training.execution.slot import read_outcome
from pytest_training.jobs.model import Job, Plan
from pytest_training.jobs.plan_file import read_plan
from pytest_training.records.recorded_run import run_ids
from pytest_training.wording import listing

LAST = "last"


@dataclass(frozen=True)
class EarlierRun:
    """A run that ended, or did not, with jobs that did not pass."""

    folder: RunFolder
    plan: Plan

    @classmethod
    def find(cls, reports: Path, wanted: str) -> EarlierRun:
        """Return the run of that id, or the last one; raise DeclarationError when there is none."""
        folder, runs = ReportsFolder(reports).runs, run_ids(reports)
        if not runs:
            raise DeclarationError(f"--training-resume: no run in {folder} to resume")
        run_id = runs[-1] if wanted == LAST else wanted
        if run_id not in runs:
            raise DeclarationError(
                f"--training-resume: no run {wanted!r} in {folder}: expected one of {listing(wanted, runs)}"
            )
        run = RunFolder(reports, run_id)
        return cls(run, read_plan(run.plan))

    def jobs(self, present: Sequence[Job]) -> list[Job]:
        """Return that run's jobs as they are now, with that run's parameters."""
        now = {job.id: job for job in present}
        for planned in self.plan.jobs:
            if planned.job.id not in now:
                raise DeclarationError(
                    f"--training-resume: run {self.folder.run_id} trained {planned.job.id!r}, which exists no more: "
                    f"expected one of {listing(planned.job.id, now)}"
                )
        planned_jobs = {planned.job.id: planned.job for planned in self.plan.jobs}
        return [_with_parameters(job, planned_jobs[job.id]) for job in present if job.id in planned_jobs]

    def is_done(self, job_id: str) -> bool:
        """Whether a job passed in that run, or needed no training."""
        outcome = read_outcome(self.folder, job_id)
        return outcome is not None and (outcome.status == Status.PASSED or outcome.cause == "unchanged")


def _with_parameters(job: Job, planned: Job) -> Job:
    return msgspec.structs.replace(job, parameters={**job.parameters, **planned.parameters}, given=planned.given)
