"""Every training job as one test: `pytest -n 4` trains them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_training.session.training_job import TrainingJob


def test_training_job(training_job: TrainingJob) -> None:
    """Train one job, then check that it ended well and that every gate on its metrics holds."""
    training_job.train()
    training_job.check()
