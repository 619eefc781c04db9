"""A pytest session in this process: one that trains, or one that collects the jobs as hooks have changed them.

pytest is imported when a session runs, so that Ctrl-C while it loads is noted too.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pluggy

from pytest_training.errors import DeclarationError
from pytest_training.execution.folder import RunFolder, utc_now
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.model import Job

if TYPE_CHECKING:
    import pytest

    from pytest_training.records.recorded_run import TrainingRun

QUIET = ("-W", "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning")
"""The plugin is loaded before pytest here, which pytest would warn of: nothing in it needs rewriting."""
last = pluggy.HookimplMarker("pytest")(trylast=True)


@dataclass(eq=False)
class Session:
    """A plugin that notes its session's jobs, run and end."""

    started: str = field(default_factory=utc_now)
    ended: str = ""
    status: int | None = None  # pytest's exit code; None until it has ended by itself
    is_interrupted: bool = False
    folder: RunFolder | None = None  # None if no run began
    jobs: list[Job] | None = None  # all jobs, before any is selected; None until they are collected
    kinds: Kinds = field(default_factory=lambda: KINDS)

    def run(self, arguments: list[str]) -> None:
        """Run pytest to its end, or until Ctrl-C."""
        try:
            import pytest  # noqa: PLC0415  (see the module's docstring)

            self.status = int(pytest.main([*QUIET, *arguments], plugins=[self]))
        except KeyboardInterrupt:
            self.is_interrupted = True
        self.ended = utc_now()

    @last
    def pytest_training_jobs(self, config: pytest.Config, jobs: list[Job]) -> None:
        """Note all jobs, after other hooks have changed them."""
        from pytest_training.options import REGISTRY  # noqa: PLC0415  (it imports pytest)

        self.jobs, self.kinds = list(jobs), config.stash[REGISTRY].kinds

    def pytest_training_run_start(self, run: TrainingRun) -> None:
        """Note the folder of the run."""
        self.folder = run.folder

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note Ctrl-C."""
        self.is_interrupted |= excinfo.errisinstance(KeyboardInterrupt)


def collect_jobs(arguments: list[str]) -> tuple[list[Job], Kinds]:
    """Return all jobs that pytest collects with these arguments, and the kinds of job that its plugins register."""
    session, printed = Session(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        session.run([*arguments, "--collect-only", "-qq"])
    if session.is_interrupted:
        raise KeyboardInterrupt
    if session.jobs is None:
        raise DeclarationError(printed.getvalue().strip().removeprefix("ERROR: "))
    return session.jobs, session.kinds
