"""The hooks of an xdist worker: it collects what the owner selected, and trains the jobs of the plan."""

import gc
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import Job
from pytest_training.jobs.plan_file import read_plan
from pytest_training.options import REGISTRY
from pytest_training.session.items import IDLE_NODEID, Collector, IdleItem, collected_id, give_plan
from pytest_training.session.training_job import SLOT, SlotContext
from pytest_training.signals import ignore_warnings


class Worker(Collector):
    """One slot of a distributed run."""

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
        self.collected: list[pytest.Item] = []
        """Every item, before any hook selects."""

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
        session.items[:] = _selected(self.context.items, dict.fromkeys([*self.collected, *session.items]))
        give_plan(session.items, self.plan)
        if self.context.idle:
            session.items.append(IdleItem.from_parent(session, name="idle", nodeid=IDLE_NODEID))
        gc.freeze()  # what is there now stays; pytest's collections at the end would take 70 ms, in each worker

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Do nothing for the idle item."""
        return True if isinstance(item, IdleItem) else None


def _selected(ids: Iterable[str], items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the items with these ids, in their order; the scheduler names those that are missing."""
    by_id = defaultdict[str, list[pytest.Item]](list)
    for item in items:
        by_id[collected_id(item)].append(item)
    return [by_id[each].pop(0) for each in ids if by_id[each]]
