"""The slot of a process, and the value of the `training_job` fixture, which trains a job there."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.evaluation.description import DESCRIPTION
from pytest_training.execution.backends.protocol import Backend, Seat
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.execution.slot import Slot
from pytest_training.fixture import FIXTURE
from pytest_training.jobs.model import Job, Plan, PlannedJob, RunSettings, Value
from pytest_training.options import shown_path
from pytest_training.registry import Registry
from pytest_training.text import home_folder

SLOT = pytest.StashKey[Slot]()  # on config: the slot of this process, once the run has begun
Trainer = Callable[[pytest.Item, PlannedJob], Outcome]
TRAINER = pytest.StashKey[Trainer]()  # on config: what trains in the place of the slot
TEST_LIMIT_S = pytest.StashKey[float]()  # on an item: the time limit that pytest-timeout has for it


class SlotContext(Value, frozen=True, kw_only=True):
    """What a slot needs of its run; an xdist worker gets it as JSON in `workerinput`."""

    reports: str
    run_id: str
    settings: RunSettings
    home: str = msgspec.field(default_factory=home_folder)  # the user's home folder, which the plan abbreviates
    connection: Any  # the JSON value that the backend's `start` returned
    items: tuple[str, ...] = ()  # the selected tests, by the node ids with which they were collected; for a worker
    environment: dict[str, str]  # the owner's when the backend started
    worker: bool = False  # True for an xdist worker
    idle: bool = False  # True if the worker appends the idle item: the plugin's own scheduler is in use

    @property
    def folder(self) -> RunFolder:
        """The run's folder."""
        return RunFolder(Path(self.reports), self.run_id)

    def slot(self, name: str, plan: Plan, registry: Registry, backend: Backend | None = None) -> Slot:
        """Return the slot of that name."""
        owner = os.getppid() if self.worker else None
        seat = Seat(folder=self.folder, owner=owner, limits=registry.limits)
        backend = backend or registry.backends[self.settings.backend]()
        return Slot(
            name=name,
            folder=self.folder,
            launcher=backend.launcher(self.connection, seat),
            seed=plan.seed,
            threads=plan.threads,
            settings=self.settings,
            limits=registry.limits,
            datasets={dataset.name: dataset for dataset in plan.datasets},
            kinds=registry.kinds,
            readers=registry.readers,
            environment=self.environment,
            studies={each.job.id: each for each in plan.jobs if each.job.study and each.job.study.search},
            owned=self.worker,
        )


class TrainingJob(msgspec.Struct):
    """One job as a test sees it."""

    planned: PlannedJob
    slot: Slot
    item: pytest.Item
    outcome: Outcome | None = None

    @property
    def job(self) -> Job:
        """The job with its final parameters."""
        return self.planned.job

    def train(self) -> Outcome:
        """Train the job, with its retries, and return its outcome; `check` raises its failure."""
        __tracebackhide__ = True
        self.outcome = self.slot.leave_out(self.planned) or self._with_cards(self._trained())
        if self.outcome.status in {Status.SKIPPED, Status.NOT_RUN}:
            pytest.skip(self.outcome.reason)
        if self.outcome.status == Status.INTERRUPTED:
            raise KeyboardInterrupt(self.outcome.reason)
        return self.outcome

    def _trained(self) -> Outcome:
        __tracebackhide__ = True
        planned = limited_by_test(self.item, self.planned)
        trainer = self.item.config.stash.get(TRAINER, None)
        return trainer(self.item, planned) if trainer else self.slot.train(planned)

    def _with_cards(self, outcome: Outcome) -> Outcome:
        """Write the job's cards, if it has more to say than metrics."""
        folder = self.slot.folder.path / outcome.attempts[-1].folder if outcome.attempts else None
        if self.job.study:  # it has no folder of its own
            return outcome
        has_more = outcome.interval_method or self.job.statements or (folder and (folder / DESCRIPTION).exists())
        if not has_more:
            return outcome
        from pytest_training.reporters.cards.record import JobRecord  # noqa: PLC0415  (costs each worker 5 ms)

        datasets = tuple(self.slot.datasets[name] for name in self.job.data)
        if (record := JobRecord.read(self.job, outcome, self.slot.folder, datasets)) is None:
            return outcome
        from pytest_training.reporters.cards.writing import with_cards  # noqa: PLC0415  (needs jinja2: 40 ms)

        return with_cards(record)

    def check(self) -> None:
        """Fail the test unless the job passed."""
        __tracebackhide__ = True
        if self.outcome is None:
            raise RuntimeError(f"training_job.check() before training_job.train(), job {self.job.id!r}")
        if self.outcome.status == Status.PASSED:
            return
        raised: BaseException | None = getattr(self.slot.launcher, "raised", None)  # by a job in this process
        if raised is not None and (not self.job.optional or isinstance(raised, pytest.exit.Exception)):
            raise raised  # the debugger needs the job's own frames
        from pytest_training.reporters.console import failure_text  # noqa: PLC0415  (costs each worker 35 ms)

        text = failure_text(self.outcome, folder=shown_path(self.slot.folder.path, self.item.config))
        if self.outcome.optional:
            pytest.xfail(text)
        pytest.fail(text, pytrace=False)


def limited_by_test(item: pytest.Item, planned: PlannedJob) -> PlannedJob:
    """Return the job with the time limit of its test, if that is the shorter one."""
    limit_s, own_s = item.stash.get(TEST_LIMIT_S, None), planned.job.limits.get("timeout", math.inf)
    if not limit_s or limit_s >= own_s:
        return planned
    limited = msgspec.structs.replace(planned.job, limits={**planned.job.limits, "timeout": limit_s})
    return msgspec.structs.replace(planned, job=limited)


def job_of(item: pytest.Item) -> Job | None:
    """Return the job that an item trains, or None for an ordinary test."""
    job = item.callspec.params.get(FIXTURE) if hasattr(item, "callspec") else None
    job = job.job if isinstance(job, PlannedJob) else job
    return job if isinstance(job, Job) else None
