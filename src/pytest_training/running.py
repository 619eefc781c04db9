"""A run that is going on, as its owner holds it: the job server, the outcomes so far, and the reports at the end."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.context import SLOT, SlotContext, shown_path
from pytest_training.execution.folder import RunFolder, utc_now, write_atomically
from pytest_training.execution.launcher import ServerHandle, start_server
from pytest_training.execution.outcome import Outcome
from pytest_training.execution.slot import blank_outcome, read_outcome, save_outcome, unfinished_outcome
from pytest_training.jobs.model import Job, Plan
from pytest_training.jobs.plan import save_plan
from pytest_training.options import Options
from pytest_training.records.history import History
from pytest_training.records.provenance import Provenance, provenance
from pytest_training.records.run_record import RunRecord
from pytest_training.records.strict_json import encode
from pytest_training.reporting import console
from pytest_training.reporting.files import JunitFile, enable_json_report
from pytest_training.reporting.json_report import complete_report, write_report

OUTCOME_PATIENCE_S = 2.0


@dataclass
class RunningRun:
    """One run. Everything that it learns comes from reports and from outcome files; it writes history and reports."""

    config: pytest.Config
    options: Options
    plan: Plan
    jobs: Mapping[str, Job]
    """The selected jobs by node id."""
    context: SlotContext
    server: ServerHandle | None
    provenance: Provenance
    junit: JunitFile | None
    started: str = field(default_factory=utc_now)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """By node id, in the order in which they came."""
    problems: list[str] = field(default_factory=list)
    record: RunRecord | None = None

    @classmethod
    def begin(
        cls, config: pytest.Config, options: Options, plan: Plan, jobs: Mapping[str, Job], *, idle: bool
    ) -> RunningRun:
        """Make the run folder, start the job server, and switch the reports on."""
        folder = RunFolder(options.reports, plan.run_id)
        _make_reports_folder(options.reports, folder)
        save_plan(plan, folder.plan)
        start_method = "in-process" if options.in_process else options.start_method
        server = start_server(_imports(plan), log=folder.server_log, seed=plan.seed) if start_method == "fork" else None
        context = SlotContext(
            reports=str(options.reports),
            run_id=plan.run_id,
            start_method=start_method,
            address=server.address if server else None,
            grace_s=options.grace_s,
            idle=idle,
        )
        known = provenance(options.project, _imports(plan))
        write_atomically(folder.provenance, encode(known, indent=1))
        config.stash[SLOT] = context.slot("main", plan)
        run = cls(config, options, plan, jobs, context, server, known, JunitFile.enable(config, folder.junit))
        for problem in (
            enable_json_report(config),
            None if run.junit else "junit.xml is not written: junitxml is off",
        ):
            if problem:
                run.problems.append(problem)
        _show_lines_instead_of_dots(config)
        _end_like_ctrl_c()
        return run

    @property
    def folder(self) -> RunFolder:
        """The run's folder."""
        return self.context.folder

    def order(self) -> tuple[list[str], dict[str, list[str]]]:
        """Return the node ids in planned order, and for each those that must have ended before it."""
        nodes: dict[str, list[str]] = {}
        for nodeid, job in self.jobs.items():
            nodes.setdefault(job.id, []).append(nodeid)
        order = [nodeid for planned in self.plan.jobs for nodeid in nodes[planned.job.id]]
        needs = {
            nodeid: [needed for job_id in job.needs for needed in nodes.get(job_id, ())]
            for nodeid, job in self.jobs.items()
            if job.needs
        }
        return order, needs

    def note_dead_worker(self, nodeid: str, report: pytest.TestReport) -> None:
        """Write the outcome that a dead worker could not write, and turn xdist's message into a report of it."""
        job = self.jobs.get(nodeid)
        if job is None:
            return
        worker = getattr(getattr(report, "node", None), "gateway", None)
        name = getattr(worker, "id", "")
        outcome = unfinished_outcome(
            self.folder,
            job,
            seed=self.plan.seed,
            slot=name,
            cause="worker died",
            reason=f"worker died: the pytest process {name} that waited for this job ended without a word (killed?)",
        )
        save_outcome(self.folder, outcome)
        report.when = "call"
        report.longrepr = console.failure_text(outcome, folder=self._shown_folder)

    def note_report(self, report: pytest.TestReport) -> None:
        """Keep the outcome of a job that a report is about."""
        job = self.jobs.get(report.nodeid)
        if job is None or (report.when != "call" and report.passed):
            return
        if report.when == "teardown" and report.nodeid in self.outcomes and not report.failed:
            return
        self.outcomes[report.nodeid] = self._outcome(job, report)

    def _outcome(self, job: Job, report: pytest.TestReport) -> Outcome:
        outcome = read_outcome(self.folder, job.id) or blank_outcome(job, seed=self.plan.seed)
        if report.failed and outcome.status in {"passed", "not run"}:
            phase = f" in {report.when}" if report.when != "call" else ""
            reason = f"the test failed{phase}: {report.longreprtext.strip().splitlines()[-1:] or ['no message']}"
            outcome = msgspec.structs.replace(outcome, status="failed", cause="error", reason=reason)
            save_outcome(self.folder, outcome)
        if report.skipped and outcome.status == "not run" and not outcome.reason:
            outcome = msgspec.structs.replace(outcome, status="skipped", reason=_skip_reason(report))
            save_outcome(self.folder, outcome)
        return outcome

    def status_shown(self, report: pytest.TestReport) -> tuple[str, str, Any] | None:
        """Return category, letter and word for a finished job: its own line in place of a dot."""
        outcome = self.outcomes.get(report.nodeid)
        if outcome is None or report.when != "call":
            return None
        category = str(report.outcome)
        if hasattr(report, "wasxfail"):
            category = "xfailed"
        verbose = self.config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES)
        if verbose < 0:
            return None
        word = console.word(outcome) if verbose > 0 else console.status_word(outcome)
        return category, "", (word, console.markup(outcome))

    def show_line(self, report: pytest.TestReport) -> None:
        """Print the line of a finished job, unless the user asked for more or less than that."""
        outcome = self.outcomes.get(report.nodeid)
        terminal: Any = self.config.pluginmanager.getplugin("terminalreporter")
        quiet = self.config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) != 0
        if outcome is None or report.when != "call" or terminal is None or quiet:
            return
        text, markup = console.finished_line(
            outcome,
            width=terminal._tw.fullwidth,  # noqa: SLF001  (pytest offers no other way to ask)
            done=len(self.outcomes),
            total=len(self.jobs),
            id_width=max(len(job.id) for job in self.jobs.values()),
        )
        terminal.write_line(text, **markup)

    def interrupt(self) -> None:
        """Ask every running job to end and wait for that; a second Ctrl-C ends them at once."""
        try:
            if self.server is not None:
                self.server.stop_all()
                self._await_outcomes()
        except KeyboardInterrupt:
            self.close()
            self._await_outcomes()

    def _await_outcomes(self) -> None:
        """Wait until the slots have written what the server has told them: they need a moment."""
        give_up = time.monotonic() + OUTCOME_PATIENCE_S
        running = [job.id for node, job in self.jobs.items() if node not in self.outcomes]
        while time.monotonic() < give_up and any(
            files.attempt(1).path.exists() and not files.outcome.exists() for files in map(self.folder.job, running)
        ):
            time.sleep(0.02)

    def end(self, exit_status: int) -> None:
        """Complete the outcomes, then record the run in the history."""
        for nodeid, job in self.jobs.items():
            if nodeid not in self.outcomes:
                self.outcomes[nodeid] = self._outcome_without_report(job)
        record = RunRecord(
            run_id=self.plan.run_id,
            started=self.started,
            ended=utc_now(),
            seed=self.plan.seed,
            workers=self.plan.workers,
            exit_code=int(exit_status),
            arguments=tuple(map(str, self.config.invocation_params.args)),
            folder=f"runs/{self.plan.run_id}",
            problems=tuple(self.problems),
        )
        history = History(self.options.reports / "history.sqlite")
        unique = {outcome.job_id: outcome for outcome in self.outcomes.values()}
        history.add(record, list(unique.values()), self.provenance)
        self.record = msgspec.structs.replace(record, problems=(*self.problems, *history.problems))

    def _outcome_without_report(self, job: Job) -> Outcome:
        outcome = read_outcome(self.folder, job.id)
        if outcome is not None and outcome.cause != "server died":
            return outcome
        if self.folder.job(job.id).attempt(1).path.exists():
            reason = "the run ended while this job ran"
            outcome = unfinished_outcome(
                self.folder, job, seed=self.plan.seed, slot="", cause="interrupted", reason=reason
            )
        else:
            reason = "the run ended before this job started"
            outcome = msgspec.structs.replace(blank_outcome(job, seed=self.plan.seed), reason=reason)
        save_outcome(self.folder, outcome)
        return outcome

    def write_json_report(self, json_report: dict[str, Any]) -> None:
        """Complete the report and write it to the run folder and to its stable name."""
        if self.record is None:
            return
        complete_report(
            json_report, run=self.record, outcomes=self.outcomes, plan=self.plan, provenance=self.provenance
        )
        for path in (self.folder.report, self.options.reports / "report.json"):
            write_report(json_report, path)

    def publish(self) -> None:
        """Give junit.xml its stable name."""
        if self.junit is not None:
            self.junit.publish(self.options.reports / "junit.xml")

    def summary(self) -> list[tuple[str, dict[str, bool]]]:
        """Return the last lines of the run with their colours."""
        if self.record is None or self.config.option.verbose < 0:
            return []
        unique = {outcome.job_id: outcome for outcome in self.outcomes.values()}
        return console.summary_lines(
            self.record, list(unique.values()), reports=shown_path(self.options.reports, self.config)
        )

    @property
    def _shown_folder(self) -> str:
        return shown_path(self.folder.path, self.config)

    def close(self) -> None:
        """End the job server and whatever still runs."""
        if self.server is not None:
            self.server.close()
            self.server = None
        if self.folder.server_log.exists() and not self.folder.server_log.stat().st_size:
            self.folder.server_log.unlink()


def _imports(plan: Plan) -> list[str]:
    """Return what the planned jobs import, each once; what needs an interpreter of its own imports for itself."""
    return list(dict.fromkeys(name for planned in plan.jobs if not planned.job.fresh for name in planned.job.imports))


def _make_reports_folder(reports: Path, folder: RunFolder) -> None:
    try:
        if not reports.exists():
            reports.mkdir(parents=True)
            write_atomically(reports / ".gitignore", b"*\n")  # as pytest does for its cache
        folder.path.mkdir(parents=True)
    except OSError as error:
        raise pytest.UsageError(
            f"cannot write reports to {reports}: {error.strerror}; --training-reports DIR takes another folder"
        ) from None


def _end_like_ctrl_c() -> None:
    """Have SIGTERM (a scheduler, CI) and SIGHUP (a closed terminal) end the run as Ctrl-C does, with its reports."""
    with contextlib.suppress(ValueError):  # not in the main thread: then whoever runs pytest there handles signals
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)


def _show_lines_instead_of_dots(config: pytest.Config) -> None:
    terminal: Any = config.pluginmanager.getplugin("terminalreporter")
    if terminal is not None and config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) == 0:
        terminal.showfspath = False
        terminal._show_progress_info = False  # noqa: SLF001  (the lines count for themselves)


def _skip_reason(report: pytest.TestReport) -> str:
    found = report.longrepr
    return str(found[2]).removeprefix("Skipped: ") if isinstance(found, tuple) else "skipped"
