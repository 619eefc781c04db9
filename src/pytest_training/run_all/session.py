"""One pytest session in this process, and what is known of its run when it has ended."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_training.execution.folder import RunFolder, utc_now
from pytest_training.run_all.summary import Ended

QUIET = ("-W", "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning")
"""The plugin is loaded before pytest here, which pytest would warn of: nothing in it needs rewriting."""


class _Observer:
    """Learns from pytest's hooks where the run's files are, and whether it was interrupted."""

    def __init__(self) -> None:
        self.folder: RunFolder | None = None
        self.is_interrupted = False

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
