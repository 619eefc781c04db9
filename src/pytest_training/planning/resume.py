"""The run that `--training-resume` continues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.job_files import read_json
from pytest_training.execution.needs import needed_outcome
from pytest_training.execution.outcome import Status
from pytest_training.execution.slot import read_outcome
from pytest_training.jobs.model import Job, NeededOutcome, Plan
from pytest_training.jobs.plan_file import read_plan
from pytest_training.records.recorded_run import find_run
from pytest_training.records.run_record import BegunRun
from pytest_training.wording import one_of


@dataclass(frozen=True)
class EarlierRun:
    """A run in which not every job passed."""

    folder: RunFolder
    plan: Plan

    @classmethod
    def find(cls, reports: Path, name: str) -> EarlierRun:
        """Return the run with this id, the one that begins with it, or for `last` the last one."""
        try:
            folder = find_run(reports, name)
        except DeclarationError as error:
            raise DeclarationError(f"--training-resume: {error}") from None
        return cls(folder, read_plan(folder.plan))

    @property
    def chain(self) -> tuple[str, ...]:
        """Its id, then that of the run that it resumed, and so on: each may have the newest checkpoint of a job."""
        begun = read_json(self.folder.begun, BegunRun)
        return (self.folder.run_id, *(begun.resumed if begun else ()))

    def jobs(self, present: Sequence[Job]) -> list[Job]:
        """Return that run's jobs as they are now, with that run's parameters."""
        planned, ids = {each.job.id: each.job for each in self.plan.jobs}, {job.id: None for job in present}
        if missing := next((job_id for job_id in planned if job_id not in ids), None):
            raise DeclarationError(
                f"--training-resume: run {self.folder.run_id} trained {missing!r}, which exists no more: "
                f"{one_of(missing, ids)}"
            )
        return [_with_parameters(job, planned[job.id]) for job in present if job.id in planned]

    def is_done(self, job_id: str) -> bool:
        """Return True if a job passed in that run, or needed no training."""
        outcome = read_outcome(self.folder, job_id)
        return outcome is not None and (outcome.status == Status.PASSED or outcome.cause == "unchanged")

    def needed(self, job_id: str) -> NeededOutcome | None:
        """Return what a job left in that run, or in the one that it took the outcome from."""
        unchanged = next((each.unchanged for each in self.plan.jobs if each.job.id == job_id), None)
        folder = RunFolder(self.folder.reports, unchanged.run_id) if unchanged else self.folder
        return needed_outcome(folder, job_id) or next(
            (each.needed[job_id] for each in self.plan.jobs if job_id in each.needed), None
        )


def _with_parameters(job: Job, planned: Job) -> Job:
    return msgspec.structs.replace(job, parameters={**job.parameters, **planned.parameters}, given=planned.given)
