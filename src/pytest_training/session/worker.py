"""The hooks of an xdist worker: it trains what the plan says, and collects nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.jobs.model import Job, read_plan
from pytest_training.options import REGISTRY
from pytest_training.session import idle
from pytest_training.session.context import SLOT, SlotContext, leave_out_runs
from pytest_training.session.marks import give_plan, match_by_id, register_tags


class Worker:
    """One slot of a distributed run."""

    def __init__(self, config: pytest.Config) -> None:
        values: dict[str, Any] = config.workerinput  # type: ignore[attr-defined]  # xdist sets it
        self.context = msgspec.json.decode(values["training"], type=SlotContext)
        self.plan = read_plan(self.context.folder.plan)
        config.stash[SLOT] = self.context.slot(values["workerid"], self.plan, config.stash[REGISTRY])
        register_tags(config, self.jobs_to_collect())
        leave_out_runs(config, Path(self.context.reports))

    def jobs_to_collect(self) -> list[Job]:
        """Return the selected jobs as the owner planned them: files may have changed since."""
        return [planned.job for planned in self.plan.jobs]

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Let `-k` find a job by its id, as the owner did."""
        match_by_id(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Give the items their planned jobs and add the idle item, before xdist reports the collection."""
        give_plan(session.items, self.plan)
        if self.context.idle:
            idle.append_to(session)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Do nothing for the idle item."""
        return True if isinstance(item, idle.IdleItem) else None
