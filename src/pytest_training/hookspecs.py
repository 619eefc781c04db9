"""The hooks that pytest-training adds to pytest's; docs/extending.md has an example of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from pytest_training.execution.outcome import Outcome
    from pytest_training.jobs.model import Job
    from pytest_training.records.recorded_run import TrainingRun
    from pytest_training.registry import Registry


def pytest_training_register(registry: Registry) -> None:
    """Add kinds of job, limits, readers or backends; called in every process of a session that trains."""


def pytest_training_jobs(config: pytest.Config, jobs: list[Job]) -> None:
    """Change, add or remove jobs in place, before any is selected."""


def pytest_training_run_start(config: pytest.Config, run: TrainingRun) -> None:
    """Prepare for a run before its first job starts; its folder has the plan."""


def pytest_training_job_start(config: pytest.Config, job: Job) -> None:
    """Act when a job starts."""


def pytest_training_job_end(config: pytest.Config, outcome: Outcome) -> None:
    """Act on a job's final outcome; called once for each selected job, whatever happened to it."""


def pytest_training_run_end(config: pytest.Config, run: TrainingRun) -> None:
    """Act on a run that has ended; it has every outcome, and the plugin's own reports are written."""
