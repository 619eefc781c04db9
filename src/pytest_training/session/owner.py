"""The hooks of the session that owns a run: pytest itself, or the xdist controller.

It collects, decides how many workers there are, begins the run (`running.py`), and ends it with its reports.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pytest_training import options
from pytest_training.errors import DeclarationError
from pytest_training.execution.attempt.environment import machine_cores
from pytest_training.execution.folder import new_run_id
from pytest_training.fixture import FIXTURE
from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.model import Dataset, Job, Plan, PlannedJob
from pytest_training.jobs.plan_file import save_plan
from pytest_training.jobs.search import chosen_jobs
from pytest_training.jobs.secrets import Secrets, hide
from pytest_training.planning.description import describe_plan
from pytest_training.planning.earlier import EarlierRun, fingerprint, mark_unchanged, read_code
from pytest_training.planning.limits import with_default_limits
from pytest_training.planning.parameters import apply_options, missing_parameters, note_missing
from pytest_training.planning.plan import make_plan
from pytest_training.planning.regressions import with_comparison
from pytest_training.records.history import History
from pytest_training.session import idle
from pytest_training.session.context import leave_out_runs
from pytest_training.session.distribution import Distribution, mentions
from pytest_training.session.marks import job_of, match_by_id, register_tags

if TYPE_CHECKING:
    from pytest_training.session.running import RunningRun
    from pytest_training.session.scheduler import PlannedScheduling


class Owner:
    """The life of one run, from options to reports."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.distribution = Distribution.hold_back(config)
        leave_out_runs(config, options.reports_folder(config))
        self.jobs: list[Job] | None = None
        self.datasets: list[Dataset] = []
        self.secrets = Secrets()
        self.mistake: Exception | None = None
        self.plan: Plan | None = None
        self.history_problems: tuple[str, ...] = ()
        self.comparison_problems: tuple[str, ...] = ()
        self.run: RunningRun | None = None
        self.earlier: EarlierRun | None = None
        """The run that this one resumes."""
        self.uncollected: list[pytest.CollectReport] = []
        """What could not be collected."""
        self.nothing_left = False
        """Whether that run has nothing that did not pass."""

    def jobs_to_collect(self) -> list[Job]:
        """Return every job with its final parameters; a mistake is kept until collection has ended."""
        if self.jobs is None:
            try:
                self.jobs = self._load()
                register_tags(self.config, self.jobs)
            except (DeclarationError, pytest.UsageError) as error:
                self.jobs, self.mistake = [], error
        return self.jobs

    def _load(self) -> list[Job]:
        chosen = options.read_options(self.config)
        jobs, self.datasets = load_jobs(chosen.root, chosen.project, chosen.catalogue, chosen.search)
        if not jobs:
            raise DeclarationError(f"no training jobs: expected files like train_als.py in {chosen.root}")
        if chosen.resume is not None:
            self.earlier = EarlierRun.find(chosen.reports, chosen.resume)
            jobs = self.earlier.jobs(jobs)
        jobs = apply_options(jobs, epochs=chosen.epochs, folds=chosen.folds, settings=chosen.settings)
        jobs = note_missing(chosen_jobs(jobs, chosen.search.only))
        jobs, self.secrets = hide(jobs)
        return with_default_limits(jobs, chosen.limits)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionstart(self, session: pytest.Session) -> Any:
        """Leave the session to xdist, as it would be without the plugin, where none of its tests trains."""
        result = yield
        if self.distribution.asked_for and not mentions(self.config, FIXTURE):
            self.distribution.start(session)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self, session: pytest.Session) -> Any:
        """Start xdist's workers, if any, after this process has collected: nobody else knows how many are needed."""
        result = yield
        held_back = self.distribution.asked_for and not self.distribution.is_on
        if held_back and session.items and not self.distribution.is_off and not _ends_here(session):
            self.distribution.start(session)
        return result

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Let `-k` find a job by its id."""
        match_by_id(item)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take note of what could not be collected."""
        if report.failed:
            self.uncollected.append(report)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what passed in the run that is resumed."""
        if self.earlier is None:
            return
        kept: list[pytest.Item] = []
        left_out: list[pytest.Item] = []
        for item in items:
            job = job_of(item)
            (left_out if job is not None and self.earlier.is_done(job.id) else kept).append(item)
        if left_out:
            items[:] = kept
            self.config.hook.pytest_deselected(items=left_out)
            self.nothing_left = not items

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Plan what was selected, and begin the run unless this is a dry run."""
        if self.mistake is not None:
            raise pytest.UsageError(str(self.mistake))
        selected = {item.nodeid: job for item in session.items if (job := job_of(item)) is not None}
        if not selected:
            return
        chosen = options.read_options(self.config)
        pure = len(selected) == len(session.items)
        workers = self.distribution.settle(items=len(session.items), pure=pure)
        self.plan = self._make_plan(chosen, list({job.id: job for job in selected.values()}.values()), workers)
        if chosen.plan_file is not None:
            _save_plan(self.plan, chosen.plan_file)
        if any(job.needs for job in selected.values()):
            _sort_by_plan(session.items, self.plan)
        if self.config.option.collectonly or _ends_here(session):
            return
        from pytest_training.session.running import RunningRun  # noqa: PLC0415  (a dry run does without)

        self.run = RunningRun.begin(
            self.config,
            chosen,
            self.plan,
            selected,
            secrets=self.secrets,
            idle=self.distribution.is_ours,
            resumed=self.earlier.folder.run_id if self.earlier else None,
        )
        self.run.problems.extend(self.comparison_problems)
        self.run.note_uncollected(self.uncollected)

    def _make_plan(self, chosen: options.Options, jobs: list[Job], workers: int) -> Plan:
        history = History(chosen.reports / "history.sqlite")
        try:
            missing_parameters(jobs)
            plan = make_plan(
                jobs,
                self.datasets,
                run_id=new_run_id(),
                seed=self.earlier.plan.seed if self.earlier else chosen.seed,
                workers=workers,
                threads=max(1, machine_cores() // workers),
                measured=history.expected(jobs),
            )
        except DeclarationError as error:
            raise pytest.UsageError(str(error)) from None
        if not self.config.option.collectonly or chosen.skip_unchanged:
            plan = _with_fingerprints(plan, history if chosen.skip_unchanged else None)
        try:
            plan, self.comparison_problems = with_comparison(plan, history, chosen)
        except DeclarationError as error:
            raise pytest.UsageError(str(error)) from None
        self.history_problems = tuple(history.problems)
        return plan

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of the run before it starts."""
        if self.run is not None:
            node.workerinput["training"] = msgspec.structs.replace(self.run.context, worker=True).to_text()
            node.workerinput["training_secrets"] = msgspec.json.encode(self.secrets).decode()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self) -> PlannedScheduling | None:
        """Return the scheduler that follows the plan, unless another was asked for or ordinary tests are there too."""
        if self.run is None or not self.distribution.is_ours:
            return None
        from pytest_training.session.scheduler import PlannedScheduling  # noqa: PLC0415  (xdist's workers are slow to load)

        return PlannedScheduling(*self.run.order())

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Hide the idle item."""
        idle.remove_from(ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """Say what happened to a job whose worker died."""
        if self.run is not None:
            self.run.note_dead_worker(crashitem, report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a finished job."""
        if self.run is not None:
            self.run.mask(report)
            self.run.note_report(report)
            self.run.show_line(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, Any] | None:
        """Show a finished job's metric and duration in place of a dot."""
        return None if self.run is None else self.run.status_shown(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_json_modifyreport(self, json_report: dict[str, Any]) -> None:
        """Complete pytest-json-report's report and write it."""
        if self.run is not None:
            self.run.write_json_report(json_report)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:
        """Keep pytest from failing at a signal that came where Python has no line yet: at the call of a function."""
        excinfo.traceback = excinfo.traceback.filter(lambda entry: entry._rawentry.tb_lineno is not None)  # noqa: SLF001
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Any:
        """End the run: outcomes, history and reports before the others read them, the files' names after."""
        if self.nothing_left and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
        if self.run is not None:
            if exitstatus == pytest.ExitCode.INTERRUPTED:
                self.run.interrupt(has_workers=self.distribution.is_on)
                self.distribution.release_workers()
            self.run.end(exitstatus)
        try:
            return (yield)
        finally:
            if self.run is not None:
                self.run.publish()

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the plan of a dry run, or the summary of a run."""
        if self.nothing_left and self.earlier is not None:
            run_id = self.earlier.folder.run_id
            terminalreporter.write_line(f"every selected job of run {run_id} passed: nothing to train")
        lines: list[tuple[str, dict[str, bool]]] = []
        if self.run is not None:
            self.run.publish()
            lines = self.run.summary()
        elif self.plan is not None and self.config.option.collectonly and self.config.option.verbose >= 0:
            lines = [(line, {}) for line in describe_plan(self.plan)]
        if lines:
            terminalreporter.ensure_newline()
            terminalreporter.section("training plan" if self.run is None else "training", "-")
        for text, markup in lines:
            terminalreporter.write_line(text, **markup)
        for problem in self.history_problems if self.run is None else ():
            terminalreporter.write_line(f"warning: {problem}", yellow=True)

    def pytest_unconfigure(self) -> None:
        """Leave no process."""
        if self.run is not None:
            self.run.close()


def _ends_here(session: pytest.Session) -> bool:
    """Whether errors of collection end the session before it runs anything."""
    return bool(session.testsfailed) and not session.config.option.continue_on_collection_errors


def _with_fingerprints(plan: Plan, history: History | None) -> Plan:
    """Return the plan with a fingerprint for each job, and the unchanged ones marked where a history is given."""
    datasets = {dataset.name: dataset for dataset in plan.datasets}
    read = functools.cache(read_code)  # jobs share modules
    jobs: list[PlannedJob] = [
        msgspec.structs.replace(each, fingerprint=fingerprint(each.job, datasets, seed=plan.seed, read=read))
        for each in plan.jobs
    ]
    return msgspec.structs.replace(plan, jobs=tuple(jobs if history is None else mark_unchanged(jobs, history)))


def _sort_by_plan(items: list[pytest.Item], plan: Plan) -> None:
    """Put jobs behind those that they need; other tests keep their places before them."""
    position = {planned.job.id: index for index, planned in enumerate(plan.jobs)}
    items.sort(key=lambda item: -1 if (job := job_of(item)) is None else position[job.id])


def _save_plan(plan: Plan, path: Path) -> None:
    try:
        save_plan(plan, path)
    except OSError as error:
        raise pytest.UsageError(f"--training-plan: cannot write {path}: {error.strerror}") from None
