"""pytest's hooks during a run, translated: its reports become outcomes, the plugin's own hooks, and words.

Registered when a run begins. The innermost `pytest_sessionfinish` is here: pytest-json-report and junitxml have ended
then, and pytest's terminal has not yet written its summary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_training.options import shown_path
from pytest_training.pytest_adapter import end_status_line
from pytest_training.reporters import console

if TYPE_CHECKING:
    from pytest_training.session.running import RunningRun


class Translation:
    """What pytest says of a run, in the plugin's own words."""

    def __init__(self, config: pytest.Config, run: RunningRun) -> None:
        self.config = config
        self.run = run
        self.started: set[str] = set()
        self.is_over = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logstart(self, nodeid: str) -> Iterator[None]:
        """Call the hook for a job that starts."""
        end_status_line(self.config, workers=self.run.plan.workers, jobs=len(self.run.jobs))
        yield
        job = self.run.jobs.get(nodeid)
        if job is not None and job.id not in self.started:
            self.started.add(job.id)
            self.run.call("pytest_training_job_start", job=job)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, report: pytest.TestReport) -> None:
        """Turn xdist's message about a dead worker into a report of the job that it ran."""
        outcome = self.run.outcomes.note_dead_worker(report)
        if outcome is not None:
            report.when = "call"
            report.location = (*report.location[:2], report.nodeid.partition("::")[2])  # xdist knows the file only
            report.longrepr = console.failure_text(outcome, folder=shown_path(self.run.folder.path, self.config))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Call the hook for a job that has ended."""
        outcome = self.run.outcomes.note_report(report)
        if outcome is not None:
            self.run.call("pytest_training_job_end", outcome=outcome)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, Any] | None:
        """Show a finished job's metric and duration in place of a dot."""
        outcome = self.run.outcomes.by_node.get(report.nodeid)
        verbose = self.config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES)
        if outcome is None or report.when != "call" or self.is_over or verbose < 0:
            return None  # once the run has ended pytest asks for its own summary: lines there begin with FAILED
        category = "xfailed" if hasattr(report, "wasxfail") else str(report.outcome)
        word = console.word(outcome) if verbose > 0 else console.status_word(outcome)
        return category, "", (word, console.markup(outcome))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Any:
        """Have reporters write their reports."""
        self.is_over = True
        try:
            return (yield)
        finally:
            self.run.report()

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the lines that reporters have left for the end."""
        if self.config.option.verbose >= 0:
            terminalreporter.ensure_newline()
            terminalreporter.section("training", "-")
            lines = self.run.closing_lines()
        else:
            lines = self.run.run.closing
        for text, markup in lines:
            terminalreporter.write_line(text, **markup)
