"""The hooks of the session that owns a run: pytest itself, or the xdist controller.

It collects, decides how many workers there are, begins the run (`running.py`), and ends it with its reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pytest_training import option_values, options
from pytest_training.errors import DeclarationError
from pytest_training.fixture import FIXTURE
from pytest_training.jobs.loading import check_jobs
from pytest_training.jobs.model import Job, Plan, save_plan
from pytest_training.planning.description import describe_plan
from pytest_training.planning.steps import FINISH, PREPARE, Draft, advance, load
from pytest_training.pytest_adapter import drop_entries_without_line, release_workers
from pytest_training.session import idle
from pytest_training.session.context import leave_out_runs
from pytest_training.session.distribution import Distribution, mentions
from pytest_training.session.hooks import call_before_training
from pytest_training.session.marks import give_plan, job_of, match_by_id, register_tags

if TYPE_CHECKING:
    from pytest_training.session.running import RunningRun
    from pytest_training.session.scheduler import PlannedScheduling


class Owner:
    """The life of one run, from options to reports."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.distribution = Distribution.hold_back(config)
        leave_out_runs(config, options.folder_of(config, "reports"))
        self.options: option_values.Options | None = None
        self.draft: Draft | None = None
        """The plan, as far as it is made."""
        self.mistake: Exception | None = None
        self.run: RunningRun | None = None
        self.uncollected: list[pytest.CollectReport] = []
        """What could not be collected."""
        self.nothing_left = False
        """True if every selected job of the resumed run has passed."""

    def jobs_to_collect(self) -> Sequence[Job]:
        """Return every job with its final parameters; a mistake is raised once collection has ended."""
        if self.draft is None and self.mistake is None:
            try:
                self.options = option_values.read_options(self.config)
                draft = Draft(request=self.options, is_dry=self.config.option.collectonly)
                self.draft = advance(draft, (load, self._offer_to_hooks, *PREPARE))
                register_tags(self.config, self.draft.jobs)
            except (DeclarationError, pytest.UsageError) as error:
                self.mistake = error
        return self.draft.jobs if self.draft else ()

    def _offer_to_hooks(self, draft: Draft) -> Draft:
        """Have hooks change the jobs, before anything is selected."""
        jobs = list(draft.jobs)
        call_before_training(self.config, "pytest_training_jobs", config=self.config, jobs=jobs)
        check_jobs(jobs, draft.datasets, draft.request.kinds)
        return replace(draft, jobs=tuple(jobs))

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
        earlier = self.draft.earlier if self.draft else None
        if earlier is None:
            return
        done = dict.fromkeys(item for item in items if (job := job_of(item)) and earlier.is_done(job.id))
        if done:
            items[:] = [item for item in items if item not in done]
            self.config.hook.pytest_deselected(items=list(done))
            self.nothing_left = not items

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> Any:
        """Plan what was selected and begin the run; call the hook once pytest has said what it collected."""
        self._plan(session)
        result = yield
        if self.run is not None:
            self.run.start()
        return result

    def _plan(self, session: pytest.Session) -> None:
        """Plan what was selected, and begin the run unless this is a dry run."""
        if self.mistake is not None:
            raise pytest.UsageError(str(self.mistake))
        items = [item for item in session.items if job_of(item) is not None]
        if not items or self.draft is None or self.options is None:
            return
        pure = len(items) == len(session.items)
        capacity = self.config.stash[options.REGISTRY].backends[self.options.run_settings.backend].capacity
        most = min(len(items), capacity or len(items)) if pure else len(session.items)
        workers = self.distribution.settle(items=most, pure=pure)
        ids = tuple(dict.fromkeys(job.id for job in map(job_of, items) if job is not None))
        try:
            self.draft = advance(replace(self.draft, selected=ids, workers=workers), FINISH)
        except DeclarationError as error:
            raise pytest.UsageError(str(error)) from None
        plan = self.draft.plan
        give_plan(items, plan)
        selected = {item.nodeid: job for item in items if (job := job_of(item)) is not None}
        if self.options.plan_file is not None:
            _save_plan(plan, self.options.plan_file)
        if any(job.needs for job in selected.values()):
            _sort_by_plan(session.items, plan)
        if self.config.option.collectonly or _ends_here(session):
            return
        from pytest_training.session.running import RunningRun  # noqa: PLC0415  (a dry run does without)

        self.run = RunningRun.begin(
            self.config,
            self.options,
            plan,
            selected,
            idle=self.distribution.is_ours,
            resumed=self.draft.earlier.folder.run_id if self.draft.earlier else None,
        )
        self.run.run.problems.extend(self.draft.problems)
        self.run.note_uncollected(self.uncollected)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of the run before it starts."""
        if self.run is not None:
            node.workerinput["training"] = msgspec.structs.replace(self.run.context, worker=True).to_text()

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

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:
        """Keep pytest from failing at a signal that came where Python has no line yet: at the call of a function."""
        drop_entries_without_line(excinfo)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Any:
        """End the run: every outcome is there before anybody reports on it."""
        if self.nothing_left and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
        if self.run is not None:
            if exitstatus == pytest.ExitCode.INTERRUPTED:
                self.run.interrupt(has_workers=self.distribution.is_on)
                release_workers(self.config)
            self.run.end(exitstatus)
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the plan of a dry run."""
        draft = self.draft
        if self.nothing_left and draft and draft.earlier:
            run_id = draft.earlier.folder.run_id
            terminalreporter.write_line(f"every selected job of run {run_id} passed: nothing to train")
        is_dry = self.run is None and self.config.option.collectonly and self.config.option.verbose >= 0
        if is_dry and draft and draft.plan.jobs:
            terminalreporter.ensure_newline()
            terminalreporter.section("training plan", "-")
            for line in describe_plan(draft.plan, draft.request.limits):
                terminalreporter.write_line(line)
        for problem in draft.history_problems if draft and self.run is None else ():
            terminalreporter.write_line(f"warning: {problem}", yellow=True)

    def pytest_unconfigure(self) -> None:
        """Leave no process."""
        if self.run is not None:
            self.run.close()


def _ends_here(session: pytest.Session) -> bool:
    """Return True if errors of collection end the session before it runs anything."""
    return bool(session.testsfailed) and not session.config.option.continue_on_collection_errors


def _sort_by_plan(items: list[pytest.Item], plan: Plan) -> None:
    """Put jobs behind those that they need; other tests keep their places before them."""
    position = {planned.job.id: index for index, planned in enumerate(plan.jobs)}
    items.sort(key=lambda item: -1 if (job := job_of(item)) is None else position[job.id])


def _save_plan(plan: Plan, path: Path) -> None:
    try:
        save_plan(plan, path)
    except OSError as error:
        raise pytest.UsageError(f"--training-plan: cannot write {path}: {error.strerror}") from None
