"""The hooks of the session that owns a run, pytest or xdist's controller: it collects, begins the run and ends it."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from pytest_training import option_values, options
from pytest_training.errors import DeclarationError
from pytest_training.jobs import discovery, loading, model
from pytest_training.jobs.plan_file import save_plan
from pytest_training.planning.description import describe_plan
from pytest_training.planning.steps import FINISH, PREPARE, Draft, Request, advance, load
from pytest_training.pytest_adapter import drop_entries_without_line, release_workers
from pytest_training.session import arguments
from pytest_training.session.hooks import call_before_training
from pytest_training.session.items import IDLE_NODEID, Collector, collected_id, give_plan, remarks
from pytest_training.session.scheduler import Distribution, PlannedScheduling, collection_error
from pytest_training.session.training_job import job_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_training.execution.backends.protocol import Backend
    from pytest_training.session.running import RunningRun


class Owner(Collector):
    """The life of one run, from options to reports."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(config, options.folder_of(config, "reports"))
        self.distribution = Distribution(config)
        self.draft: Draft | None = None  # the plan, as far as it is made
        self.jobs: Sequence[model.Job] = ()  # the jobs that the command line names by their files, or all
        self.mistake: Exception | None = None
        self.selected: tuple[str, ...] = ()  # the tests of the run, by the ids with which they were collected
        self.run: RunningRun | None = None
        self.problems: list[str] = []  # sentences about what could not be collected
        self.place = ""  # what a dry run would start
        self.nothing_left = False  # True if every selected job of the resumed run has passed
        self.collected: list[pytest.Item] = []  # all tests, before any is deselected
        self.is_selected = False
        """True once tests have been selected; pytest ends collecting after an error in the selection too."""
        self.unknown: list[str] = []  # sentences about names in the selection that stand for nothing

    def jobs_to_collect(self) -> Sequence[model.Job]:
        """Return the jobs with their final parameters; `_plan` raises a mistake, after collection."""
        if self.draft is None and self.mistake is None:
            try:
                option_values.refuse_beside_cluster(self.config)
                request, is_dry = option_values.read_options(self.config), self.config.option.collectonly
                draft = Draft(request=request, is_dry=is_dry, problems=tuple(remarks(self.config)))
                self.draft = advance(draft, (load, self._offer_to_hooks, *PREPARE))
                self.register_tags(self.draft.jobs)
                self.jobs = arguments.named_jobs(self.config, self.draft.jobs)
            except (DeclarationError, pytest.UsageError) as error:
                self.mistake = error
        return self.jobs

    def _offer_to_hooks(self, draft: Draft) -> Draft:
        """Have hooks change the jobs, before any is selected."""
        jobs = list(draft.jobs)
        call_before_training(self.config, "pytest_training_jobs", config=self.config, jobs=jobs)
        if len(jobs) == len(draft.jobs) and all(map(operator.is_, jobs, draft.jobs)):
            return draft
        try:
            loading.check_jobs(jobs, draft.datasets, draft.request.kinds)
        except DeclarationError as error:
            raise DeclarationError(f"after pytest_training_jobs: {error}") from None
        return replace(draft, jobs=tuple(jobs))

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionstart(self, session: pytest.Session) -> Any:
        """Start xdist's workers before collection, as without the plugin, if no test trains."""
        result = yield
        if self.distribution.is_held_back and not arguments.has_training_test(self.config):
            self.distribution.start(session)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self, session: pytest.Session) -> Any:
        """Start xdist's workers, if any, once this process has collected and their number is settled."""
        result = yield
        if self.distribution.is_held_back and session.items and not _ends_here(session):
            self.distribution.start(session)
        return result

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected."""
        if report.failed:
            self.problems.append(f"{report.nodeid} could not be collected: its tests and jobs are not in this run")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Any:
        """Note what is collected; after the selection deselect the jobs that passed in the resumed run."""
        arguments.leave_out_others(self.config, items, filter(job_of, items))
        self.collected = list(items)
        result = yield
        earlier = self.draft.earlier if self.draft else None
        if done := {item: None for item in items if earlier and (job := job_of(item)) and earlier.is_done(job.id)}:
            items[:] = [item for item in items if item not in done]
            self.config.hook.pytest_deselected(items=list(done))
            self.nothing_left = not items
        self.is_selected = True
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> Any:
        """Plan and begin the run; call the hook for its start after pytest has written what it collected."""
        self._plan(session)
        result = yield
        if self.run is not None:
            self.run.call("pytest_training_run_start", run=self.run.run)
        return result

    def _plan(self, session: pytest.Session) -> None:
        """Plan the selected jobs, and begin the run unless this is a dry run."""
        if self.mistake is not None:
            raise pytest.UsageError(*str(self.mistake).splitlines())  # a line each
        self._note_unknown(session)
        items = {item: job for item in session.items if (job := job_of(item)) is not None}
        lists_fixtures = self.config.option.showfixtures or self.config.option.show_fixtures_per_test
        if lists_fixtures or not items or not self.is_selected or self.draft is None:
            return
        pure = len(items) == len(session.items)
        request = self.draft.request
        backend = self.config.stash[options.REGISTRY].backends[request.run_settings.backend]()
        self.config.add_cleanup(backend.close)
        ids = tuple(dict.fromkeys(job.id for job in items.values()))
        try:
            workers = self._open(backend, request, jobs=len(ids), items=len(session.items), pure=pure)
            self.draft = advance(replace(self.draft, selected=ids, workers=workers), FINISH)
            left = [each.job for each in self.draft.plan.jobs if not (each.unchanged or each.job.study)]
            self.draft = replace(self.draft, problems=(*self.draft.problems, *backend.remarks(left)))
        except DeclarationError as error:
            raise pytest.UsageError(str(error)) from None
        if request.plan_file is not None:
            _save_plan(self.draft.plan, request.plan_file)
        give_plan(items, self.draft.plan)
        if any(job.needs for job in items.values()):
            position = {planned.job.id: index for index, planned in enumerate(self.draft.plan.jobs)}
            session.items.sort(key=lambda item: position[items[item].id] if item in items else -1)
        if self.config.option.collectonly or _ends_here(session):
            self.place = backend.place()
            return
        from pytest_training.session.running import RunningRun  # noqa: PLC0415  (a dry run does without)

        self.selected = tuple(map(collected_id, session.items))
        jobs = {item.nodeid: job for item in items if (job := job_of(item)) is not None}
        draft = replace(self.draft, problems=(*self.draft.problems, *self.problems, *self.unknown))
        self.run = RunningRun.begin(self.config, draft, jobs, backend)
        if backend.rooms is not None:
            from pytest_training.session.concurrent import ConcurrentItems  # noqa: PLC0415  (few runs need it)

            self.config.pluginmanager.register(ConcurrentItems(self.run, backend, backend.rooms), "training-loop")

    def _open(self, backend: Backend, request: Request, *, jobs: int, items: int, pure: bool) -> int:
        """Have the backend reach what it needs; return the number of slots."""
        capacity = backend.open(option_values.read_opening(self.config, request, most=jobs))
        if backend.has_rooms:
            self.distribution.is_held_back = False  # one process, many nodes: xdist's workers would only wait
            return min(jobs, capacity or jobs)
        return self.distribution.settle(items=min(items, capacity or items) if pure else items, pure=pure)

    def _note_unknown(self, session: pytest.Session) -> None:
        """Note what the selection names that does not exist."""
        if self.collected:
            jobs = self.draft.jobs if self.draft else ()
            self.unknown += arguments.unknown_names(self.config, self.collected, jobs) if jobs else ()
            if jobs and self.is_selected and not (self.unknown or session.items or self.nothing_left):
                self.unknown.append(arguments.nothing_selected(jobs))
        elif not self.is_selected:  # an error before anything was collected
            self.unknown += arguments.unknown_arguments(self.config, self.jobs_to_collect())

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Pass the run to a worker before it starts."""
        if self.run is not None:
            is_ours = self.distribution.is_ours
            context = replace(self.run.context, items=self.selected, worker=True, idle=is_ours)
            node.workerinput["training"] = msgspec.json.encode(context).decode()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self) -> PlannedScheduling | None:
        """Return the scheduler that follows the plan, or None with another --dist or with ordinary tests."""
        return PlannedScheduling(*self.run.order()) if self.run and self.distribution.is_ours else None

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """Leave the idle item out of every count, and end the run if a worker has not collected a test."""
        if ids and ids[-1] == IDLE_NODEID:
            ids.pop()
        if self.run is not None and len(ids) < len(self.selected):
            raise collection_error(node, f"did not collect {', '.join(sorted(set(self.selected).difference(ids)))}")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:
        """Drop what pytest cannot report of a signal, and hold further ones back."""
        if self.run is not None:
            self.run.signals.is_held = True
        drop_entries_without_line(excinfo)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Any:
        """End the run: every outcome exists before anything reports on it."""
        if self.nothing_left and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
        if self.run is not None:
            self.run.signals.is_held = exitstatus == pytest.ExitCode.INTERRUPTED
            if exitstatus == pytest.ExitCode.INTERRUPTED:
                self.run.interrupt(has_workers=self.distribution.has_started or self.run.backend.rooms is not None)
                release_workers(self.config)
            session.exitstatus = self.run.end(exitstatus)
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        """Write the plan of a dry run, and why nothing was trained."""
        verbose, is_dry = self.config.option.verbose, self.config.option.collectonly
        if (draft := self.draft) is not None and (verbose > 0 or (is_dry and verbose == 0)):
            asked, lookup = draft.request, draft.request.lookup
            places = (lookup.folders or (asked.root,), asked.project, lookup.files, asked.kinds)
            for line in discovery.left_out(*places, is_brief=not verbose):
                terminalreporter.write_line(line)
        if draft is None and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and not self.collected:
            terminalreporter.write_line(arguments.nobody_asks(self.config), yellow=True)
        if draft is None or self.run is not None:
            return
        for sentence in self.unknown:
            terminalreporter.ensure_newline()
            terminalreporter.write_line(sentence, yellow=True)
        if self.nothing_left and draft.earlier:
            run_id = draft.earlier.folder.run_id
            terminalreporter.write_line(f"every selected job of run {run_id} passed: nothing to train")
        if self.config.option.collectonly and self.config.option.verbose >= 0 and draft.plan.jobs:
            terminalreporter.ensure_newline()
            terminalreporter.section("training plan", "-")
            for line in (*describe_plan(draft.plan, draft.request.limits), *filter(None, [self.place])):
                terminalreporter.write_line(line)
        for problem in (*draft.problems, *draft.history_problems):
            terminalreporter.write_line(f"warning: {problem}", yellow=True)


def _save_plan(plan: model.Plan, path: Path) -> None:
    """Write the plan that --training-plan asks for."""
    try:
        save_plan(plan, path)
    except OSError as error:
        raise pytest.UsageError(f"--training-plan: cannot write {path}: {error.strerror}") from None


def _ends_here(session: pytest.Session) -> bool:
    """Return True if errors of collection end the session before any test runs."""
    return bool(session.testsfailed) and not session.config.option.continue_on_collection_errors
