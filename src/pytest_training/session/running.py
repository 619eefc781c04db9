"""A run that is going on, as its owner holds it: the job server, the outcomes so far, and the reports at the end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.atomic import write_atomically
from pytest_training.errors import TrainingError
from pytest_training.execution.attempt.messages import AT_ONCE, GENTLY
from pytest_training.execution.backends.launcher import ServerHandle, start_server
from pytest_training.execution.folder import RunFolder, utc_now
from pytest_training.execution.outcome import Cause, Outcome, Status
from pytest_training.execution.slot import REFUSED, blank_outcome, read_outcome, save_outcome, unfinished_outcome
from pytest_training.jobs.model import Job, Plan
from pytest_training.jobs.plan_file import save_plan
from pytest_training.option_values import Options
from pytest_training.records.history import History
from pytest_training.records.provenance import Provenance, provenance
from pytest_training.records.run_record import RunRecord
from pytest_training.records.strict_json import encode
from pytest_training.reporters import console
from pytest_training.reporters.files import JunitFile, enable_json_report
from pytest_training.reporters.json_report import complete_report, write_report
from pytest_training.session.context import SLOT, SlotContext, shown_path
from pytest_training.signals import EndingSignals

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
    signals: EndingSignals = field(default_factory=EndingSignals)

    @classmethod
    def begin(  # noqa: PLR0913  (made in one place, owner.py)
        cls,
        config: pytest.Config,
        options: Options,
        plan: Plan,
        jobs: Mapping[str, Job],
        *,
        idle: bool,
        resumed: str | None = None,
    ) -> RunningRun:
        """Make the run folder, start the job server, and switch the reports on."""
        folder = RunFolder(options.reports, plan.run_id)
        problems: list[str] = []
        with _writing_to(options.reports):
            _make_reports_folder(options.reports, folder)
            save_plan(plan, folder.plan)
            known = provenance(options.project, _imports(plan))
            write_atomically(folder.provenance, encode(known, indent=1))
        start_method = "in-process" if options.in_process else options.start_method
        server = None
        if start_method == "fork":
            try:
                with _writing_to(options.reports):
                    server = start_server(_imports(plan), log=folder.server_log, seed=plan.seed)
            except TrainingError as error:
                start_method = "subprocess"
                problems.append(f"each job imports for itself: {error}")
        context = SlotContext(
            reports=str(options.reports),
            run_id=plan.run_id,
            start_method=start_method,
            address=server.address if server else None,
            grace_s=options.grace_s,
            real_data_only=options.real_data_only,
            resumed=resumed,
            idle=idle,
        )
        config.stash[SLOT] = context.slot("main", plan)
        junit = JunitFile.enable(config, folder.junit)
        run = cls(config, options, plan, jobs, context, server, known, junit)
        problem = None if junit else "junit.xml is not written: junitxml is off"
        run.problems = [*problems, *filter(None, (enable_json_report(config), problem))]
        _show_lines_instead_of_dots(config)
        run.signals.take()
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

    def note_uncollected(self, reports: Sequence[pytest.CollectReport]) -> None:
        """Keep what could not be collected before the run began; junit.xml, which begins with the run, is told."""
        for report in reports:
            self.problems.append(f"{report.nodeid} could not be collected: its tests and jobs are not in this run")
            if self.junit is not None and self.junit.ours:
                self.junit.xml.pytest_collectreport(report)

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
        self._save(outcome)
        report.when = "call"
        report.location = (*report.location[:2], nodeid.partition("::")[2])  # xdist knows the file only
        report.longrepr = console.failure_text(outcome, folder=self._shown_folder)

    def note_report(self, report: pytest.TestReport) -> None:
        """Keep the outcome of a job that a report is about; tell junit.xml, which asks the last report of an item."""
        job = self.jobs.get(report.nodeid)
        if job is None:
            return
        if report.when == "call" or report.failed or (report.skipped and report.nodeid not in self.outcomes):
            self.outcomes[report.nodeid] = self._outcome(job, report)
        if report.when == "teardown" and report.nodeid in self.outcomes and self.junit is not None:
            # Here, and not where it trained: twenty pairs would go through the worker's channel, three times each.
            self.junit.tell(report, self.outcomes[report.nodeid])

    def _outcome(self, job: Job, report: pytest.TestReport) -> Outcome:
        outcome = read_outcome(self.folder, job.id) or blank_outcome(job, seed=self.plan.seed)
        if report.failed and outcome.status in {Status.PASSED, Status.NOT_RUN}:
            phase = f" in {report.when}" if report.when != "call" else ""
            told = [line for line in report.longreprtext.splitlines() if line.strip()] or ["no message"]
            reason = f"the test failed{phase}: {_message(report)}"
            cause: Cause = "error"
            if refused := next((line for line in told if line.startswith(REFUSED)), None):
                reason, cause = refused, "system"  # the slot could not write the outcome that says so
            outcome = msgspec.structs.replace(outcome, status=Status.FAILED, cause=cause, reason=reason)
            self._save(outcome)
        if report.skipped and outcome.status == Status.NOT_RUN and not outcome.reason:
            outcome = msgspec.structs.replace(outcome, status=Status.SKIPPED, reason=_skip_reason(report))
            self._save(outcome)
        return outcome

    def _save(self, outcome: Outcome) -> None:
        with self.telling(f"the outcome of {outcome.job_id}"):
            save_outcome(self.folder, outcome)

    @contextlib.contextmanager
    def telling(self, what: str) -> Iterator[None]:
        """Make a problem of the run of a file that cannot be written: the other reports are still worth having."""
        try:
            yield
        except OSError as error:
            self.problems.append(f"cannot write {what}: {error.strerror}")
            if self.record is not None:
                self.record = msgspec.structs.replace(self.record, problems=(*self.record.problems, self.problems[-1]))

    def status_shown(self, report: pytest.TestReport) -> tuple[str, str, Any] | None:
        """Return category, letter and word for a finished job: its own line in place of a dot."""
        outcome = self.outcomes.get(report.nodeid)
        if outcome is None or report.when != "call" or self.record is not None:
            return None  # once the run has ended pytest asks for its own summary: lines there begin with FAILED
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
            id_width=self._id_width,
        )
        if terminal._tw.width_of_current_line:  # noqa: SLF001  (dots of ordinary tests)
            terminal._tw.line()  # noqa: SLF001
        terminal.write_line(text, **markup)

    @cached_property
    def _id_width(self) -> int:
        return max(len(job.id) for job in self.jobs.values())

    def interrupt(self, *, has_workers: bool) -> None:
        """Ask every running job to end and wait for that; a second Ctrl-C ends them at once."""
        grace_s = 0.0
        try:
            if self.server is not None:
                self.server.stop_all()
            elif has_workers:
                self._tell_slots(GENTLY)
                grace_s = self.options.grace_s
            if has_workers:  # else the only slot is this process, and has written what it knows
                self._await_outcomes(grace_s)
        except KeyboardInterrupt:
            self.signals.hold()
            self._end_server()
            if has_workers:
                self._tell_slots(AT_ONCE)
                self._await_outcomes()
        self.signals.hold()

    def _tell_slots(self, how: str) -> None:
        """Tell slots that have no server, on disk, how their jobs are to end."""
        with self.telling("that the run is interrupted"):
            write_atomically(self.folder.interrupted, how.encode())

    def _await_outcomes(self, grace_s: float = 0.0) -> None:
        """Wait until the slots have written what became of their jobs: they need a moment."""
        give_up = time.monotonic() + grace_s + OUTCOME_PATIENCE_S
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
            folder=self.folder.path.relative_to(self.options.reports).as_posix(),
            problems=tuple(self.problems),
        )
        history = History(self.options.reports / "history.sqlite")
        history.add(record, self._outcomes_of_jobs(), self.provenance)
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
        self._save(outcome)
        return outcome

    def write_json_report(self, json_report: dict[str, Any]) -> None:
        """Complete the report and write it to the run folder and to its stable name."""
        if self.record is None:
            return
        complete_report(
            json_report, run=self.record, outcomes=self.outcomes, plan=self.plan, provenance=self.provenance
        )
        for path in (self.folder.report, self.options.reports / "report.json"):
            with self.telling(f"{path}"):
                write_report(json_report, path)

    def publish(self) -> None:
        """Give junit.xml its stable name."""
        if self.junit is not None:
            with self.telling("junit.xml"):
                self.junit.publish(self.options.reports / "junit.xml")

    def summary(self) -> list[tuple[str, dict[str, bool]]]:
        """Return the last lines of the run with their colours."""
        if self.record is None or self.config.option.verbose < 0:
            return []
        reports = shown_path(self.options.reports, self.config)
        return console.summary_lines(self.record, self._outcomes_of_jobs(), reports=reports)

    def _outcomes_of_jobs(self) -> list[Outcome]:
        """Return one outcome for each job, also where two tests train it."""
        return list({outcome.job_id: outcome for outcome in self.outcomes.values()}.values())

    @property
    def _shown_folder(self) -> str:
        return shown_path(self.folder.path, self.config)

    def close(self) -> None:
        """End the job server and whatever still runs."""
        self.signals.give_back()
        self._end_server()
        if self.folder.server_log.exists() and not self.folder.server_log.stat().st_size:
            self.folder.server_log.unlink()

    def _end_server(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None


def _imports(plan: Plan) -> list[str]:
    """Return what the planned jobs import, each once; what needs an interpreter of its own imports for itself."""
    return list(dict.fromkeys(name for planned in plan.jobs if not planned.job.fresh for name in planned.job.imports))


def _make_reports_folder(reports: Path, folder: RunFolder) -> None:
    if not reports.exists():
        reports.mkdir(parents=True)
        write_atomically(reports / ".gitignore", b"*\n")  # as pytest does for its cache
    folder.path.mkdir(parents=True)


@contextlib.contextmanager
def _writing_to(reports: Path) -> Iterator[None]:
    """Make a usage error of what cannot be written before anything has been trained."""
    try:
        yield
    except OSError as error:
        raise pytest.UsageError(
            f"cannot write reports to {reports}: {error.strerror}; --training-reports DIR takes another folder"
        ) from None


def _show_lines_instead_of_dots(config: pytest.Config) -> None:
    terminal: Any = config.pluginmanager.getplugin("terminalreporter")
    if terminal is not None and config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) == 0:
        terminal.showfspath = False
        terminal._show_progress_info = False  # noqa: SLF001  (the lines count for themselves)


def _message(report: pytest.TestReport) -> str:
    """Return the first line of why a test failed, as pytest's own summary has it."""
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash else report.longreprtext).strip().splitlines()
    return str(lines[0]) if lines else "no message"


def _skip_reason(report: pytest.TestReport) -> str:
    found = report.longrepr
    return str(found[2]).removeprefix("Skipped: ") if isinstance(found, tuple) else "skipped"
