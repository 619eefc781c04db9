"""The items of a session that trains: which job each trains, how pytest selects it, what other plugins need beside it.

A worker runs an item only if it has the one after it (pytest passes `nextitem` to the teardown). Without the idle item
that is a second job, which waits behind the first while other workers are free (pytest-xdist issues 278, 382, 894).
"""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from pytest_training.execution.backends.in_process import InProcess
from pytest_training.execution.folder import ReportsFolder
from pytest_training.fixture import FIXTURE
from pytest_training.jobs.model import Job, Plan, PlannedJob
from pytest_training.session.arguments import is_job_file
from pytest_training.session.training_job import SLOT, TEST_LIMIT_S

IDLE_NODEID = "::training-idle"
MEASURED = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")  # with these, coverage measures what a process starts
COLLECTED_ID = pytest.StashKey[str]()  # on an item: its node id when it was collected; a hook may give it another


class Collector:
    """What the owner of a run and its workers have in common."""

    def __init__(self, config: pytest.Config, reports: Path) -> None:
        self.config = config
        # Without `testpaths`, pytest would collect tests from the folders of earlier runs.
        config.addinivalue_line("norecursedirs", glob.escape(str(ReportsFolder(reports).runs)))

    def register_tags(self, jobs: Iterable[Job]) -> None:
        """Register every tag of the jobs as a mark."""
        for tag in sorted({tag for job in jobs for tag in job.tags}):
            self.config.addinivalue_line("markers", f"{tag}: training jobs with this tag")

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out the files of jobs, whatever `python_files` says: they are never imported."""
        return True if is_job_file(self.config, collection_path) else None

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Note the item's id; let `-k größe` select the job of that id, as pytest escapes all but ASCII in node ids."""
        item.stash[COLLECTED_ID] = item.nodeid
        if (job := job_of(item)) is not None:
            item.extra_keyword_matches.add(job.id)


def job_of(item: pytest.Item) -> Job | None:
    """Return the job that an item trains, or None for an ordinary test."""
    job = item.callspec.params.get(FIXTURE) if hasattr(item, "callspec") else None
    job = job.job if isinstance(job, PlannedJob) else job
    return job if isinstance(job, Job) else None


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
    """Yield a sentence for each plugin that does not do for jobs what it does for tests."""
    if getattr(config.option, "cov_source", None) and not any(name in os.environ for name in MEASURED):
        yield "--cov measures no job: patch = subprocess in the section run of coverage's settings changes that"
    if getattr(config.option, "testmon", False):
        yield (
            "--testmon cannot see what a job runs, and leaves out jobs that have changed: "
            "--training-skip-unchanged leaves out the others"
        )
