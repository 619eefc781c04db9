"""What a slot knows of its run, and where the plugin keeps things on pytest's objects."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.execution.backends.protocol import Seat
from pytest_training.execution.folder import ReportsFolder, RunFolder
from pytest_training.execution.slot import Slot
from pytest_training.jobs.model import Plan, RunSettings, Value
from pytest_training.registry import Registry


class SlotContext(Value, frozen=True, kw_only=True):
    """What a slot needs to know; an xdist worker gets it as JSON in `workerinput`."""

    reports: str
    run_id: str
    settings: RunSettings
    connection: Any
    """What the backend has returned when it was started: a JSON value."""
    worker: bool = False
    """True for an xdist worker."""
    idle: bool = False
    """True if the worker appends the idle item: the plugin's own scheduler is in use."""

    @property
    def folder(self) -> RunFolder:
        """The run's folder."""
        return RunFolder(Path(self.reports), self.run_id)

    def slot(self, name: str, plan: Plan, registry: Registry) -> Slot:
        """Return the slot of that name."""
        owner = os.getppid() if self.worker else None
        seat = Seat(folder=self.folder, owner=owner, limits=registry.limits)
        return Slot(
            name=name,
            folder=self.folder,
            launcher=registry.backends[self.settings.backend]().launcher(self.connection, seat),
            seed=plan.seed,
            threads=plan.threads,
            settings=self.settings,
            limits=registry.limits,
            datasets={dataset.name: dataset for dataset in plan.datasets},
            kinds=registry.kinds,
            readers=registry.readers,
            owned=self.worker,
        )

    def to_text(self) -> str:
        """Return the context as JSON, the only thing that execnet has to carry."""
        return msgspec.json.encode(self).decode()


SLOT = pytest.StashKey[Slot]()
"""On config: the slot of this process, once the run has begun."""


def leave_out_runs(config: pytest.Config, reports: Path) -> None:
    """Keep pytest from looking for tests in what runs left: where no `testpaths` says where tests are, it would."""
    config.addinivalue_line("norecursedirs", glob.escape(str(ReportsFolder(reports).runs)))
