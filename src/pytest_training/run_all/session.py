"""A pytest session in this process: one that trains, or one that collects the jobs as hooks have changed them."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest

from pytest_training.errors import DeclarationError
from pytest_training.execution.folder import RunFolder, utc_now
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.model import Job
from pytest_training.options import REGISTRY
from pytest_training.run_all.summary import Ended

QUIET = ("-W", "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning")
"""The plugin is loaded before pytest here, which pytest would warn of: nothing in it needs rewriting."""


class _Observer:
    """Takes from pytest's hooks the jobs, the run's folder, and whether it was interrupted."""

    def __init__(self) -> None:
        self.folder: RunFolder | None = None
        self.is_interrupted = False
        self.jobs: list[Job] | None = None
        """All jobs, before any is selected; None until they are collected."""
        self.kinds: Kinds = KINDS

    @pytest.hookimpl(trylast=True)
    def pytest_training_jobs(self, config: pytest.Config, jobs: list[Job]) -> None:
        self.jobs, self.kinds = list(jobs), config.stash[REGISTRY].kinds

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        owner: Any = session.config.pluginmanager.getplugin("training-owner")
        if owner is not None and owner.run is not None:
            self.folder = owner.run.folder

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        if excinfo.errisinstance(KeyboardInterrupt):
            self.is_interrupted = True


def run_pytest(arguments: list[str]) -> tuple[int, Ended]:
    """Run pytest; KeyboardInterrupt ends it."""
    observer, started = _Observer(), utc_now()
    try:
        status = int(pytest.main([*QUIET, *arguments], plugins=[observer]))
    except KeyboardInterrupt:
        status, observer.is_interrupted = int(pytest.ExitCode.INTERRUPTED), True
    return status, Ended(started, utc_now(), observer.is_interrupted, observer.folder)


def collect_jobs(arguments: list[str]) -> tuple[list[Job], Kinds]:
    """Return all jobs that pytest collects with these arguments, and the kinds of job that it knows."""
    observer, printed = _Observer(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        pytest.main([*QUIET, *arguments, "--collect-only", "-q"], plugins=[observer])
    if observer.is_interrupted:
        raise KeyboardInterrupt
    if observer.jobs is None:
        raise DeclarationError(printed.getvalue().strip().removeprefix("ERROR: "))
    return observer.jobs, observer.kinds
