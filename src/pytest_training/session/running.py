"""A run in progress, in its owner's process: it begins, is interrupted, ends, and is closed.

From pytest's hooks come outcomes and the plugin's own hooks. `pytest_sessionfinish` is the innermost one:
pytest-json-report and junitxml have ended then, and pytest's terminal has not yet written its summary.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from pytest_training import pytest_adapter
from pytest_training.atomic import write_atomically
from pytest_training.errors import FROM_OTHERS, DeclarationError
from pytest_training.execution.attempt import environment, messages
from pytest_training.execution.backends.protocol import Backend, BackendRun
from pytest_training.execution.folder import ReportsFolder, RunFolder, utc_now
from pytest_training.execution.job_files import read_json
from pytest_training.execution.needs import needs_attempt
from pytest_training.execution.outcome import Status
from pytest_training.jobs.model import Job
from pytest_training.jobs.plan_file import save_plan
from pytest_training.options import REGISTRY, recorded_arguments, shown_path
from pytest_training.planning.steps import Draft
from pytest_training.records.audit import make_audit
from pytest_training.records.nodes import note_nodes
from pytest_training.records.recorded_run import TrainingRun, make_run_folder
from pytest_training.records.run_record import BegunRun, RunRecord, provenance
from pytest_training.records.strict_json import encode
from pytest_training.reporters import console, load_reporters
from pytest_training.session.hooks import RAISED, call_each
from pytest_training.session.outcomes import Outcomes
from pytest_training.session.training_job import SLOT, SlotContext
from pytest_training.signals import EndingSignals
from pytest_training.text import one_line

OUTCOME_PATIENCE_S, EXIT_PATIENCE_S = 2.0, 10.0


class RunningRun(msgspec.Struct, eq=False, kw_only=True, dict=True):
    """The life of one run; a pytest plugin."""

    config: pytest.Config
    run: TrainingRun  # what reporters get
    jobs: Mapping[str, Job]  # the selected jobs by node id
    context: SlotContext
    backend: Backend
    remove_folder: Callable[[], None]
    exiting: list[Any] = msgspec.field(default_factory=list)
    """Gateways of workers that have finished: they exit while reports are written, which takes as long."""
    is_over: bool = False
    is_ending: bool = False

    def __post_init__(self) -> None:
        self.outcomes = Outcomes(self.run, self.jobs)
        self.unstarted = {each.job.id: each for each in self.run.plan.jobs}
        self.signals = EndingSignals(self._answer)

    @classmethod
    def begin(cls, config: pytest.Config, draft: Draft, jobs: Mapping[str, Job], backend: Backend) -> RunningRun:
        """Make the run folder, start the backend, and register the reporters."""
        options, plan = draft.request, draft.plan
        reports = ReportsFolder(options.reports).smoke if plan.smoke else options.reports
        folder = RunFolder(reports, plan.run_id)
        pytest_adapter.use_pytests_terminal(config)
        reporters, registry = list(load_reporters(config)), config.stash[REGISTRY]
        settings = replace(options.run_settings, resumed=draft.earlier.chain if draft.earlier else ())
        arguments, nodes = recorded_arguments(config), {nodeid: job.id for nodeid, job in jobs.items()}
        begun = BegunRun.now(plan.run_id, arguments, nodes, settings.resumed)
        run = TrainingRun(folder, plan, begun=begun, settings=settings, problems=list(draft.problems))
        with _starting(settings.backend, reports), contextlib.ExitStack() as failed:
            remove_folder = failed.callback(make_run_folder(folder, options.reports))
            save_plan(plan, folder.plan)
            run = replace(run, provenance=provenance(options.project, plan.imports))
            write_atomically(folder.provenance, encode(run.provenance, indent=1))
            write_atomically(folder.begun, encode(begun, indent=1))
            connection = backend.start(_backend_run(config, run))
            run = note_nodes(run, backend.nodes(), is_over=False)
            context = SlotContext(
                reports=str(reports),
                run_id=plan.run_id,
                settings=settings,
                environment=environment.session_environment(),
                connection=connection,
            )
            msgspec.json.encode(context)  # raises TypeError unless the connection is a JSON value
            config.stash[SLOT] = context.slot("main", plan, registry, backend)
            failed.pop_all()
        running = cls(config=config, run=run, jobs=jobs, context=context, backend=backend, remove_folder=remove_folder)
        for name, reporter in reversed(reporters):  # pluggy calls the last that was registered first
            config.pluginmanager.register(reporter, name)
        config.pluginmanager.register(running, "training-run")
        pytest_adapter.show_lines_instead_of_dots(config)
        running.signals.take()
        gc.freeze()  # what is there now stays: no collection of garbage looks through it again
        return running

    def call(self, hook: str, **arguments: Any) -> None:
        """Call one of the plugin's own hooks; an error in it becomes a problem of the run."""
        raised = (*RAISED, KeyboardInterrupt) if self.is_ending else RAISED
        for failure in call_each(self.config, hook, raised, config=self.config, **arguments):
            if failure not in self.run.problems:
                self.run.problems.append(failure)

    def order(self) -> tuple[list[str], dict[str, list[str]]]:
        """Return the node ids in planned order, and for each those that must have ended before it."""
        nodes: dict[str, list[str]] = defaultdict(list)
        for nodeid, job in self.jobs.items():
            nodes[job.id].append(nodeid)
        needy = {nodeid: job.needs for nodeid, job in self.jobs.items() if job.needs}
        needs = {nodeid: [needed for job_id in ids for needed in nodes[job_id]] for nodeid, ids in needy.items()}
        return [nodeid for planned in self.run.plan.jobs for nodeid in nodes[planned.job.id]], needs

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logstart(self, nodeid: str) -> Iterator[None]:
        """Call the hook for a job that starts."""
        pytest_adapter.end_status_line(self.config, workers=self.run.plan.workers, jobs=len(self.jobs))
        yield
        job = self.jobs.get(nodeid) if self.backend.rooms is None else None  # else it starts with its room
        if job and (planned := self.unstarted.get(job.id)) and needs_attempt(planned, self.run.folder):
            self.note_start(job)

    def note_start(self, job: Job) -> None:
        """Call the hook for a job that starts, once."""
        if self.unstarted.pop(job.id, None) is not None:
            self.run = note_nodes(self.run, self.backend.nodes(), is_over=False)
            self.call("pytest_training_job_start", job=job)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, report: pytest.TestReport) -> None:
        """Make xdist's report of a dead worker one of the job that it ran."""
        if (outcome := self.outcomes.note_dead_worker(report)) is not None:
            report.when = "call"
            report.location = (*report.location[:2], report.nodeid.partition("::")[2])  # xdist only has the file
            report.longrepr = console.failure_text(outcome, folder=shown_path(self.run.folder.path, self.config))

    @pytest.hookimpl(optionalhook=True, trylast=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Let a worker that has finished exit: xdist would wait for all of them before reports can be written."""
        if error is None:
            node.gateway.exit()
            self.exiting.append(node.gateway)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Call the hook for a job that has ended."""
        if (outcome := self.outcomes.note_report(report)) is not None:
            self.call("pytest_training_job_end", outcome=outcome)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, Any] | None:
        """Return a finished job's metric and duration in place of a dot."""
        outcome = self.outcomes.by_node.get(report.nodeid)
        verbose = self.config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES)
        if outcome is None or report.when != "call" or self.is_over or verbose < 0:
            return None  # lines of pytest's own summary, at the end, begin with FAILED
        category = "xfailed" if hasattr(report, "wasxfail") else str(report.outcome)
        word = console.word(outcome) if verbose > 0 else console.status_word(outcome)
        return category, "", (word, console.markup(outcome))

    def interrupt(self, *, has_workers: bool) -> None:
        """Ask every running job to end and wait for that; a second Ctrl-C ends them at once."""
        try:
            self.signals.is_held = False
            grace_s = self.run.settings.grace_s if self.signals.count < 2 else 0.0
            self._stop_all(grace_s, has_workers=has_workers)
        except KeyboardInterrupt:
            self.signals.hold()
            self._stop_all(0.0, has_workers=has_workers)
        self.signals.hold()

    def _answer(self, count: int) -> None:
        """Say what becomes of the running jobs."""
        terminal: Any = self.config.pluginmanager.getplugin("training-terminal")
        if terminal is not None:
            terminal.say_stopping(self.run.settings.grace_s if count == 1 else 0.0)

    def _stop_all(self, grace_s: float, *, has_workers: bool) -> None:
        with self.run.noting_failure("that the run is interrupted"):
            grace_s = self.backend.stop_all(grace_s)
        give_up = time.monotonic() + grace_s + OUTCOME_PATIENCE_S
        running = [self.run.folder.job(job.id) for node, job in self.jobs.items() if node not in self.outcomes.by_node]
        # Workers need a moment to write outcomes; without them the only slot is this process, and has written its own.
        while has_workers and any(each.attempt(1).path.exists() and not each.outcome.exists() for each in running):
            if time.monotonic() >= give_up:
                return
            time.sleep(0.02)

    def end(self, exit_status: int) -> int:
        """Complete the outcomes: those of jobs that were interrupted, or never begun; return the exit status."""
        self.is_ending = True
        for outcome in self.outcomes.complete(is_signalled=self.signals.count > 0):
            self.call("pytest_training_job_end", outcome=outcome)
        plan, folder = self.run.plan, self.run.folder
        by_id = {each.job_id: each for each in self.outcomes.by_node.values()}
        failed = {each.trial_of for each in by_id.values() if each.trial_of and not each.status.is_good}
        again = [node for node, job in self.jobs.items() if job.study and job.id in failed]
        pytest_adapter.run_again(self.config, again)
        audit = make_audit(self.run, by_id) if self.run.settings.audit else None
        if audit and audit.findings and exit_status == pytest.ExitCode.OK:
            exit_status = pytest.ExitCode.TESTS_FAILED
        if exit_status == pytest.ExitCode.OK and not any(outcome.is_trained for outcome in by_id.values()):
            exit_status = pytest.ExitCode.NO_TESTS_COLLECTED
            self.run.problems.append("no job was trained: the exit code is 5")
        loading = read_json(folder.loading, messages.Loading) or messages.Loading()
        self.run.problems.extend(loading.problems)
        record = RunRecord(
            **{name: getattr(plan, name) for name in ("run_id", "seed", "smoke")},
            workers=self.backend.slots() or plan.workers,
            loading=loading.seconds,
            started=self.run.started,
            ended=utc_now(),
            place=self.backend.place(),
            exit_code=int(exit_status),
            arguments=recorded_arguments(self.config),
            folder=folder.path.relative_to(folder.reports).as_posix(),
        )
        has_begun = any(outcome.status != Status.NOT_RUN or outcome.cause for outcome in by_id.values())
        outcomes = tuple(by_id[each.job.id] for each in plan.jobs)
        self.run = note_nodes(self.run, self.backend.nodes(), is_over=True)
        self.run = replace(self.run, outcomes=outcomes, record=record if has_begun else None, audit=audit)
        return exit_status

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Any:
        """Have reporters write their reports; problems with them are in run.json, and on the terminal."""
        self.is_over = True
        try:
            return (yield)
        finally:
            self._save_record()
            problems = len(self.run.problems)
            self.call("pytest_training_run_end", run=self.run)
            if len(self.run.problems) > problems:
                self._save_record()
            pytest_adapter.wait_for_workers(self.exiting, EXIT_PATIENCE_S)

    def _save_record(self) -> None:
        if (record := self.run.record) is not None:
            self.run = replace(self.run, record=replace(record, problems=tuple(map(str, self.run.problems))))
            with self.run.noting_failure(f"{self.run.folder.record}"):
                write_atomically(self.run.folder.record, encode(self.run.record, indent=1))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Any:
        """Write the closing lines of reporters last, below pytest's failures, and the problems that came later."""
        try:
            return (yield)
        finally:
            lines, warnings = self.run.closing, [f"warning: {one_line(str(each))}" for each in self.run.problems]
            if self.config.option.verbose >= 0:
                terminalreporter.section("training", "-")
                lines = [*lines, *((text, {"yellow": True}) for text in warnings if text not in dict(lines))]
            for text, markup in lines:
                terminalreporter.write_line(text, **markup)

    def pytest_unconfigure(self) -> None:
        """End the backend and every process of the run."""
        self.signals.give_back()
        self.backend.close()
        if self.is_over and self.run.record is None:
            self.remove_folder()
        if (log := self.run.folder.server_log).exists() and not log.stat().st_size:
            log.unlink()


def _backend_run(config: pytest.Config, run: TrainingRun) -> BackendRun:
    terminal, note = pytest_adapter.terminal_of(config), run.problems.append
    say: Callable[[str], None] = terminal.write_line if terminal and config.option.verbose >= 0 else (lambda _: None)
    return BackendRun(
        folder=run.folder,
        imports=run.plan.imports,
        seed=run.plan.seed,
        report_problem=note,
        say=say,
        has_work=not all(each.unchanged for each in run.plan.jobs),
    )


@contextlib.contextmanager
def _starting(backend: str, reports: Path) -> Iterator[None]:
    """Raise a usage error if a file cannot be written or the backend cannot start: nothing has been trained yet."""
    try:
        yield
    except OSError as error:
        problem = f"cannot write reports to {reports}: {error.strerror}; --training-reports DIR takes another folder"
        raise pytest.UsageError(problem) from None
    except DeclarationError as error:
        raise pytest.UsageError(str(error)) from None
    except FROM_OTHERS as error:  # a backend from outside may raise anything
        raise pytest.UsageError(f"backend {backend!r} cannot start: {type(error).__name__}: {error}") from None
