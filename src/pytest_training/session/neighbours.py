"""What other plugins of pytest need beside jobs, which run in processes of their own, with limits of their own.

Nothing here imports such a plugin, or needs one.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_training.execution.backends.in_process import InProcess
from pytest_training.session.items import job_of
from pytest_training.session.training_job import SLOT, TEST_LIMIT_S

MEASURED = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
"""Environment variables with which coverage measures what a process starts."""


class Neighbours:
    """Hooks around the tests that train, in every process of a session."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        """Make pytest-timeout's limit one of the job: its alarm would end the test, or pytest, but not the job."""
        slot = item.config.stash.get(SLOT, None)
        if job_of(item) is None or slot is None or slot.settings.backend == InProcess.name:
            return None
        item.stash[TEST_LIMIT_S] = settings.timeout
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Switch pytest-forked off for a job: it has a process of its own, and its slot must outlive it."""
        option = item.config.option
        if job_of(item) is None or not getattr(option, "forked", False):
            return (yield)
        option.forked = False
        try:
            return (yield)
        finally:
            option.forked = True


def remarks(config: pytest.Config) -> Iterator[str]:
    """Yield a sentence for each plugin that does not do for jobs what it does for tests."""
    if getattr(config.option, "cov_source", None) and not any(name in os.environ for name in MEASURED):
        yield "--cov measures no job: patch = subprocess in the section run of coverage's settings changes that"
    if getattr(config.option, "testmon", False):
        yield (
            "--testmon cannot see what a job runs, and leaves out jobs that have changed: "
            "--training-skip-unchanged leaves out the others"
        )
