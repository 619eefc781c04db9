"""The values from which a slot is made, and the slot's place on pytest's config."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pytest_training.execution.backends.protocol import Seat
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.slot import Slot
from pytest_training.jobs.model import Plan, RunSettings, Value
from pytest_training.registry import Registry

SLOT = pytest.StashKey[Slot]()
"""On config: the slot of this process, once the run has begun."""


class SlotContext(Value, frozen=True, kw_only=True):
    """What a slot needs of its run; an xdist worker gets it as JSON in `workerinput`."""

    reports: str
    run_id: str
    settings: RunSettings
    connection: Any
    """The JSON value that the backend's `start` returned."""
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
