"""One pytest session in this process, and what is known of its run when it has ended."""

from __future__ import annotations

import contextlib
import signal
from typing import Any

import pytest

from pytest_training.command_line.summary import Ended, now
from pytest_training.execution.folder import RunFolder

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
    """Run pytest; SIGTERM and SIGHUP end it as Ctrl-C does."""
    observer, started = _Observer(), now()
    with contextlib.suppress(ValueError):  # not in the main thread
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, signal.default_int_handler)
    try:
        status = int(pytest.main([*QUIET, *arguments], plugins=[observer]))
    except KeyboardInterrupt:
        status, observer.is_interrupted = int(pytest.ExitCode.INTERRUPTED), True
    return status, Ended(started, now(), observer.is_interrupted, observer.folder)
