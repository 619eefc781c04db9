"""The hooks of an xdist worker: it collects and trains the jobs of the plan."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.jobs.model import Job, read_plan
from pytest_training.options import REGISTRY
from pytest_training.session.items import IDLE_NODEID, Collector, IdleItem, give_plan
from pytest_training.session.training_job import SLOT, SlotContext
from pytest_training.signals import ignore_warnings


class Worker(Collector):
    """One slot of a distributed run."""

    def __init__(self, config: pytest.Config) -> None:
        values: dict[str, Any] = config.workerinput  # type: ignore[attr-defined]  # xdist sets it
        self.context = msgspec.json.decode(values["training"], type=SlotContext)
        super().__init__(config, Path(self.context.reports))
        ignore_warnings()
        self.plan = read_plan(self.context.folder.plan)
        config.stash[SLOT] = self.context.slot(values["workerid"], self.plan, config.stash[REGISTRY])
        self.register_tags(self.jobs_to_collect())

    def jobs_to_collect(self) -> list[Job]:
        """Return the selected jobs as the owner planned them: files may have changed since."""
        return [planned.job for planned in self.plan.jobs]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Give the items their planned jobs and add the idle item; after every deselection, or `--lf` would drop it."""
        give_plan(session.items, self.plan)
        if self.context.idle:
            session.items.append(IdleItem.from_parent(session, name="idle", nodeid=IDLE_NODEID))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Do nothing for the idle item."""
        return True if isinstance(item, IdleItem) else None
