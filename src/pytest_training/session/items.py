"""The items of a session that trains: which job each trains, how pytest selects it, what other plugins need beside it.

A worker runs an item only if it has the one after it (pytest passes `nextitem` to the teardown). Without the idle item
that is a second job, which waits behind the first while other workers are free (pytest-xdist issues 278, 382, 894).
"""

import gc
import glob
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest

from pytest_training.errors import DeclarationError
from pytest_training.execution.backends.in_process import InProcess
from pytest_training.execution.folder import ReportsFolder
from pytest_training.fixture import FIXTURE, SHIPPED_TEST
from pytest_training.jobs.model import Job, Plan
from pytest_training.jobs.plan_file import read_plan
from pytest_training.options import REGISTRY, folder_of, holds_jobs, project_folder, shown_path
from pytest_training.session.arguments import is_job_file
from pytest_training.session.training_job import SLOT, TEST_LIMIT_S, SlotContext, job_of
from pytest_training.signals import ignore_warnings

IDLE_NODEID = "::training-idle"
MEASURED = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")  # with these, coverage measures what a process starts
COLLECTED_ID = pytest.StashKey[str]()  # on an item: its node id when it was collected; a hook may give it another


class Collector:
    """What the owner of a run and its workers have in common."""

    def __init__(self, config: pytest.Config, reports: Path) -> None:
        self.config = config
        # Without `testpaths`, pytest would collect tests from the folders of earlier runs.
        for folder in (ReportsFolder(reports), ReportsFolder(ReportsFolder(reports).smoke)):
            config.addinivalue_line("norecursedirs", glob.escape(str(folder.runs)))
        # A repository's own `python_files = tests/*` or `python_functions = check_*` must not hide the jobs.
        config.addinivalue_line("python_files", glob.escape(str(SHIPPED_TEST)))
        config.addinivalue_line("python_functions", "test_training_job")

    def register_tags(self, jobs: Iterable[Job]) -> None:
        """Register every tag of the jobs as a mark."""
        for tag in sorted({tag for job in jobs for tag in job.tags}):
            self.config.addinivalue_line("markers", f"{tag}: training jobs with this tag")

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out the files of jobs, whatever `python_files` says: they are never imported."""
        return True if is_job_file(self.config, collection_path) else None

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Note the item's id; have `-k` know that of the job, of which pytest escapes all but ASCII, and its file."""
        item.stash[COLLECTED_ID] = item.nodeid
        if (job := job_of(item)) is not None:
            item.extra_keyword_matches.update({job.id, Path(job.path or job.id).stem})


def collected_id(item: pytest.Item) -> str:
    """Return the node id with which an item was collected: the same in every process."""
    return item.stash.get(COLLECTED_ID, item.nodeid)


def give_plan(items: Iterable[pytest.Item], plan: Plan) -> None:
    """Replace the job of each item by the planned one."""
    planned = {each.job.id: each for each in plan.jobs}
    for item in items:
        if (job := job_of(item)) is not None:
            item.callspec.params[FIXTURE] = planned[job.id]  # type: ignore[attr-defined]  # it has a job, so it has this


class IdleItem(pytest.Item):
    """The item that a worker holds while it waits for a job: it does nothing, and no report shows it."""

    def runtest(self) -> NoReturn:
        """Do nothing: the worker's run protocol skips the item."""
        raise AssertionError("the idle item is never run")


class Neighbours:
    """What other plugins need beside jobs, which run in processes of their own, with limits of their own."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        """Make pytest-timeout's limit one of the job: its alarm would end the test, or pytest, but not the job."""
        slot = item.config.stash.get(SLOT, None)
        if job_of(item) is None or slot is None or slot.settings.backend == InProcess.name:
            return None
        item.stash[TEST_LIMIT_S] = settings.timeout
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Switch pytest-forked off for a job: it has a process of its own, and its slot must outlive it."""
        option = item.config.option
        if job_of(item) is None or not getattr(option, "forked", False):
            return (yield)
        option.forked = False
        try:
            return (yield)
        finally:
            option.forked = True


def remarks(config: pytest.Config) -> Iterator[str]:
    """Yield a sentence about jobs here that are not the project's, and for plugins that do less for jobs than tests."""
    here, project = config.invocation_params.dir, project_folder(config)
    inner = here / str(config.getini("training_root"))
    if here != project and not inner.is_relative_to(folder_of(config, "root")) and holds_jobs(config, inner):
        yield (
            f"the jobs in {inner} are not trained: pytest's root is {project}; an empty pytest.ini here makes this one"
        )
    typed, catalogue = config.known_args_namespace, folder_of(config, "root") / "jobs.yaml"
    is_told = typed.training_root or typed.training_catalogue or config.getini("training_catalogue")
    for name in () if is_told else ("jobs.yaml", "jobs.yml", "training/jobs.yaml", "training/jobs.yml"):
        if (project / name).is_file() and project / name != catalogue:
            yield f"{name} is not read: the catalogue is {shown_path(catalogue, config)}"
    if getattr(config.option, "cov_source", None) and not any(name in os.environ for name in MEASURED):
        yield "--cov measures no job: patch = subprocess in the section run of coverage's settings changes that"
    if getattr(config.option, "testmon", False):
        yield (
            "--testmon cannot see what a job runs, and leaves out jobs that have changed: "
            "--training-skip-unchanged leaves out the others"
        )


class Worker(Collector):
    """The hooks of an xdist worker: it collects what the owner selected, and trains the jobs of the plan."""

    def __init__(self, config: pytest.Config) -> None:
        values: dict[str, Any] = config.workerinput  # type: ignore[attr-defined]  # xdist sets it
        self.context = msgspec.json.decode(values["training"], type=SlotContext)
        super().__init__(config, Path(self.context.reports))
        ignore_warnings()
        self.problem = ""
        try:
            self.plan = read_plan(self.context.folder.plan, self.context.home)
        except DeclarationError as error:
            self.problem = f"worker {values['workerid']}: {error}; the run's folder must stay while it goes on"
            return
        config.stash[SLOT] = self.context.slot(values["workerid"], self.plan, config.stash[REGISTRY])
        self.register_tags(self.jobs_to_collect())
        self.collected: list[pytest.Item] = []  # every item, before any hook selects

    def jobs_to_collect(self) -> list[Job]:
        """Return the selected jobs as the owner planned them: files may have changed since."""
        return [planned.job for planned in self.plan.jobs]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """End the run with one sentence if there is no plan; an error would be an internal one, with its traceback."""
        if self.problem:
            session.shouldstop = self.problem
            raise session.Failed(self.problem)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Remember the item."""
        super().pytest_itemcollected(item)
        self.collected.append(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take the owner's selection, give the items their planned jobs, and add the idle item.

        Hooks have selected among the selected: what goes by count or position (pytest-split) would select twice.
        """
        by_id = defaultdict[str, list[pytest.Item]](list)
        for item in dict.fromkeys([*self.collected, *session.items]):
            by_id[collected_id(item)].append(item)
        session.items[:] = [by_id[each].pop(0) for each in self.context.items if by_id[each]]  # xdist names the missing
        give_plan(session.items, self.plan)
        if self.context.idle:
            session.items.append(IdleItem.from_parent(session, name="idle", nodeid=IDLE_NODEID))
        gc.freeze()  # what is there now stays; pytest's collections at the end would take 70 ms, in each worker

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Do nothing for the idle item."""
        return True if isinstance(item, IdleItem) else None
