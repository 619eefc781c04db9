"""A pytest session in this process: one that trains, or one that collects the jobs as hooks have changed them."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest

from pytest_training.errors import DeclarationError
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.model import Job
from pytest_training.options import REGISTRY
from pytest_training.run_all.summary import Session

QUIET = ("-W", "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning")
"""The plugin is loaded before pytest here, which pytest would warn of: nothing in it needs rewriting."""


class _Observer:
    """Takes from pytest's hooks the jobs, the run's folder, and whether Ctrl-C ended the session."""

    def __init__(self, noted: Session) -> None:
        self.noted = noted
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
            self.noted.folder = owner.run.folder

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.noted.is_interrupted |= excinfo.errisinstance(KeyboardInterrupt)


def run_pytest(arguments: list[str], noted: Session) -> int:
    """Run pytest and return its exit code."""
    return int(pytest.main([*QUIET, *arguments], plugins=[_Observer(noted)]))


def collect_jobs(arguments: list[str]) -> tuple[list[Job], Kinds]:
    """Return all jobs that pytest collects with these arguments, and the kinds of job that its plugins register."""
    observer, printed = _Observer(Session()), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        pytest.main([*QUIET, *arguments, "--collect-only", "-qq"], plugins=[observer])
    if observer.noted.is_interrupted:
        raise KeyboardInterrupt
    if observer.jobs is None:
        raise DeclarationError(printed.getvalue().strip().removeprefix("ERROR: "))
    return observer.jobs, observer.kinds
