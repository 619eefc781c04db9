"""The value of the `training_job` fixture: trains a job in this process's slot, and fails the test if the job fails."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pytest_training.execution.outcome import Outcome, Status
from pytest_training.execution.slot import Slot
from pytest_training.jobs.model import Job, PlannedJob
from pytest_training.options import shown_path
from pytest_training.reporters.console import failure_text


@dataclass
class TrainingJob:
    """One job as a test sees it."""

    planned: PlannedJob
    slot: Slot
    item: pytest.Item
    outcome: Outcome | None = None

    @property
    def job(self) -> Job:
        """The job with its final parameters."""
        return self.planned.job

    def train(self) -> Outcome:
        """Train the job, with its retries, and return its outcome; `check` raises its failure."""
        __tracebackhide__ = True
        needed = self.slot.unmet_need(self.job)
        self.outcome = self.slot.leave_out(self.job, needed) if needed else self.slot.train(self.planned)
        if self.outcome.cause in {"needs", "unchanged"}:
            pytest.skip(self.outcome.reason)
        if self.outcome.status == Status.INTERRUPTED:
            raise KeyboardInterrupt(self.outcome.reason)
        return self.outcome

    def check(self) -> None:
        """Fail the test unless the job passed."""
        __tracebackhide__ = True
        if self.outcome is None:
            raise RuntimeError(f"training_job.check() before training_job.train(), job {self.job.id!r}")
        if self.outcome.status == Status.PASSED:
            return
        raised: BaseException | None = getattr(self.slot.launcher, "raised", None)  # by a job in this process
        if raised is not None and (not self.job.optional or isinstance(raised, pytest.exit.Exception)):
            raise raised  # the debugger needs the job's own frames
        text = failure_text(self.outcome, folder=shown_path(self.slot.folder.path, self.item.config))
        if self.outcome.optional:
            pytest.xfail(text)
        pytest.fail(text, pytrace=False)
