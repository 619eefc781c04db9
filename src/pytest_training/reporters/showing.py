"""The hooks that show a run: while it goes on, in junit.xml, and on paper at its end. `owner.py` runs it."""

from __future__ import annotations

import os
import secrets
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import psutil
import pytest

from pytest_training.atomic import write_atomically
from pytest_training.execution.job_files import log_end
from pytest_training.records.comparison import Comparison
from pytest_training.records.run_record import BegunRun
from pytest_training.records.strict_json import encode
from pytest_training.reporters.console import sentence
from pytest_training.reporters.github import add_step_summary, failure_annotations, stop_commands
from pytest_training.text import one_line, xml_text

if TYPE_CHECKING:
    from pytest_training.execution.outcome import Outcome
    from pytest_training.reporters.progress import Progress
    from pytest_training.reporters.publishing import Published
    from pytest_training.session.owner import Owner
    from pytest_training.session.running import RunningRun

LOG_LINES = 100  # of a job's log in junit.xml
SYSTEM_OUT_LIMIT = 32_000  # characters; viewers load the whole file
MOST_CHANGES = 20  # lines of the console's comparison


class Showing:
    """What people see of the owner's run."""

    def __init__(self, config: pytest.Config, owner: Owner) -> None:
        self.config = config
        self.owner = owner
        self.progress: Progress | None = None
        self.published: Published | None = None
        self.problems: list[str] = []
        self.commands_stopped_by: str | None = None
        """What no job can know: it ends the time in which GitHub takes nothing printed for a command."""
        self.reported: set[str] = set()
        """Node ids that junit.xml has a case of."""
        self.completed: set[str] = set()
        """Those of which it is complete: a worker that dies leaves its case without an end."""

    @property
    def run(self) -> RunningRun | None:
        """The run that goes on, if one does."""
        return self.owner.run

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """Say on disk that the run has begun, and begin to show it."""
        run = self.run
        if run is None or self.progress is not None:
            return
        from pytest_training.reporters.progress import Progress, chosen_progress  # noqa: PLC0415  (loads rich)

        process = psutil.Process()
        begun = BegunRun(
            run_id=run.plan.run_id,
            started=run.started,
            pid=process.pid,
            pid_started=process.create_time(),
            arguments=tuple(map(str, self.config.invocation_params.args)),
            nodes={nodeid: job.id for nodeid, job in run.jobs.items()},
        )
        with run.telling(f"{run.folder.begun}"):
            write_atomically(run.folder.begun, encode(begun, indent=1))
        self._stop_commands()
        self.progress = Progress.begin(
            self.config, run, chosen_progress(self.config, in_process=run.options.in_process)
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logstart(self, nodeid: str) -> Iterator[None]:
        """Say that a job starts."""
        if self.run is not None:
            _end_status_line(self.config, workers=self.run.plan.workers, jobs=len(self.run.jobs))
        yield
        if self.run is not None and self.progress is not None and nodeid in self.run.jobs:
            self.progress.started(self.run.jobs[nodeid])

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Give junit.xml the end of the job's log."""
        run = self.run
        if report.when == "call" or not report.passed:
            self.reported.add(report.nodeid)
        if report.when == "teardown":
            self.completed.add(report.nodeid)
        if run is None or report.when != "call" or run.junit is None:
            return
        outcome = run.outcomes.get(report.nodeid)
        if outcome is not None:
            add_log(run.junit.xml, report, self._log_text(outcome))

    def _log_text(self, outcome: Outcome) -> str:
        if self.run is None or outcome.log is None:
            return ""
        lines = log_end(self.run.folder.path / outcome.log, LOG_LINES)
        return xml_text("\n".join(lines)[-SYSTEM_OUT_LIMIT:], SYSTEM_OUT_LIMIT)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Write what people read; the owner has completed outcomes and history just before."""
        if self.progress is not None:
            self.progress.end()
        run = self.run
        if run is None or run.record is None:
            return
        from pytest_training.reporters.publishing import publish  # noqa: PLC0415  (loads jinja2)

        self._complete_junit(run)
        with run.telling(f"index.html and summary.md in {run.folder.path}"):
            write_atomically(run.folder.record, encode(run.record, indent=1))
            try:
                self.published = publish(
                    run.folder, against=run.options.compare or "last", project=run.options.project, is_latest=True
                )
            except OSError:
                raise
            except Exception:  # noqa: BLE001  (a page that cannot be drawn must not cost the run its other reports)
                write_atomically(run.folder.path / "page-error.txt", traceback.format_exc().encode())
                self.problems.append(f"index.html is not written: see page-error.txt in {run.folder.path}")
        if self.published is not None and (problem := add_step_summary(self.published.summary)):
            self.problems.append(problem)

    def _complete_junit(self, run: RunningRun) -> None:
        """Add what pytest has no whole report of: jobs interrupted, never begun, or of a worker that died."""
        if run.junit is None:
            return
        xml: Any = run.junit.xml
        for nodeid, outcome in run.outcomes.items():
            if nodeid in self.completed:
                continue
            report = _late_report(nodeid, outcome)
            opened = [worker for known, worker in xml.node_reporters if str(known) == nodeid]
            if opened and opened[0] is not None:  # its setup was reported by that worker
                report.node = opened[0]  # type: ignore[attr-defined]  # as xdist does
            if nodeid not in self.reported:
                xml.pytest_runtest_logreport(report)
                add_log(xml, report, self._log_text(outcome))
            report.when = "teardown"
            run.junit.tell(report, outcome)
            xml.update_testcase_duration(report)
            xml.finalize(report)

    def _stop_commands(self) -> None:
        token = secrets.token_hex(16)
        terminal = self.config.pluginmanager.getplugin("terminalreporter")
        if terminal is not None and (line := stop_commands(token)):
            terminal.write_line(line)
            self.commands_stopped_by = token

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what changed where a comparison was asked for, and what GitHub is to annotate."""
        run = self.run
        if self.commands_stopped_by is not None:  # pytest has shown the failures just before
            terminalreporter.write_line(f"::{self.commands_stopped_by}::")
        for problem in self.problems:
            terminalreporter.write_line(f"warning: {one_line(problem)}", yellow=True)
        if run is None or self.published is None:
            return
        if run.options.compare is not None and self.config.option.verbose >= 0:
            for text, markup in comparison_lines(self.published.comparison):
                terminalreporter.write_line(text, **markup)
        for line in failure_annotations(self.published.run, os.environ):
            terminalreporter.write_line(line)

    def pytest_unconfigure(self) -> None:
        """Leave no thread and no half-drawn screen."""
        if self.progress is not None:
            self.progress.end()


def _end_status_line(config: pytest.Config, *, workers: int, jobs: int) -> None:
    """End the line on which xdist counts its workers: here jobs start before the last of them is there."""
    status: Any = config.pluginmanager.getplugin("terminaldistreporter")
    if status is None or not status._isatty:  # noqa: SLF001  (xdist has no switch for it)
        return
    status._isatty = False  # noqa: SLF001
    if status.tr._tw.width_of_current_line:  # noqa: SLF001
        counted = "bringing up nodes..." if config.option.verbose < 0 else f"{workers} workers [{jobs} items]"
        status.rewrite(counted, newline=True)


def _late_report(nodeid: str, outcome: Outcome) -> pytest.TestReport:
    """Return the report that pytest would have made of a job, had it come to its end."""
    path, _, name = nodeid.partition("::")
    is_skip, reason = outcome.status in {"not run", "skipped"}, sentence(outcome)
    return pytest.TestReport(
        nodeid=nodeid,
        location=(path, 0, name),
        keywords={},
        outcome="skipped" if is_skip else "failed",
        longrepr=(path, 0, reason) if is_skip else reason,
        when="call",
        duration=outcome.wall_s,
    )


def add_log(xml: Any, report: pytest.TestReport, text: str) -> None:
    """Add the end of a job's log to its test case."""
    if not text:
        return
    element = ET.Element("system-out")
    element.text = text
    xml.node_reporter(report).append(element)


def comparison_lines(comparison: Comparison) -> list[tuple[str, dict[str, bool]]]:
    """Return what got better or worse as lines with their colours."""
    lines: list[tuple[str, dict[str, bool]]] = [(f"against {one_line(comparison.against)}:", {"bold": True})]
    notable = [job for job in comparison.jobs if job.is_notable]
    for job in notable[:MOST_CHANGES]:
        other = f"  (other parameters: {one_line(', '.join(job.parameters), 60)})" if job.parameters else ""
        if job.status:
            lines.append(
                (f"  {one_line(job.job_id, 40)}: {job.status[0]}, now {job.status[1]}{other}", {"yellow": True})
            )
        for change in job.told:
            colour = {"better": {"green": True}, "worse": {"red": True}}.get(change.tone, {})
            text = f"  {one_line(job.job_id, 40)}: {one_line(change.metric, 40)} {change.words()}{other}"
            lines.append((text, colour))
    if len(notable) > MOST_CHANGES:
        lines.append((f"  and {len(notable) - MOST_CHANGES} more jobs: see summary.md", {}))
    if not notable and comparison.jobs:
        lines.append(("  no metric changed", {}))
    if comparison.missing:
        lines.append((f"  without an earlier outcome: {one_line(', '.join(comparison.missing), 200)}", {}))
    lines += [(f"  {one_line(problem)}", {"yellow": True}) for problem in comparison.problems]
    return lines
