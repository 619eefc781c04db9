"""The run loop of a session that trains many jobs at once from one process: each in a thread that waits for its node.

pytest runs items one after the other, in one thread, and so it stays: setup, the test's own lines, teardown and all
reports. Only the training, which takes the time, has begun before the item does.
"""

import queue
import threading
from typing import Any

import pytest
from msgspec.structs import replace

from pytest_training.execution.backends.protocol import Backend, Rooms
from pytest_training.execution.outcome import Status
from pytest_training.execution.slot import Slot, new_outcome, save_outcome
from pytest_training.fixture import FIXTURE
from pytest_training.jobs.model import PlannedJob
from pytest_training.session.items import IDLE_NODEID, IdleItem
from pytest_training.session.running import RunningRun
from pytest_training.session.training_job import AHEAD, SLOT, job_of


class ConcurrentItems:
    """Starts, longest first, every job for which there is room; runs each item when its job has ended."""

    def __init__(self, running: RunningRun, backend: Backend, rooms: Rooms) -> None:
        self.run, self.backend, self.rooms = running, backend, rooms
        self.slot: Slot = running.config.stash[SLOT]
        self.ended: queue.SimpleQueue[pytest.Item | None] = queue.SimpleQueue()
        rooms.tell = lambda: self.ended.put(None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run every item of the session."""
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        between = IdleItem.from_parent(session, name="idle", nodeid=IDLE_NODEID)
        position = {each.job.id: index for index, each in enumerate(self.run.run.plan.jobs)}
        waiting = sorted(session.items, key=lambda item: position.get(getattr(job_of(item), "id", ""), -1))
        running: set[pytest.Item] = set()
        while waiting or running:
            self._start(waiting, running)
            self.rooms.note_work(waiting=len(waiting), running=len(running))
            if self.rooms.lost and not running:
                raise session.Interrupted(self.rooms.lost)
            if (item := self.ended.get()) is None:
                continue
            running.discard(item)
            is_last = not waiting and not running
            # Session fixtures stay; what is narrower is torn down, for nobody knows which item comes next.
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=None if is_last else between)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
        return True

    def _start(self, waiting: list[pytest.Item], running: set[pytest.Item]) -> None:
        unfinished = {job.id for item in (*waiting, *running) if (job := job_of(item)) is not None}
        for item in list(waiting):
            job = job_of(item)
            if job is not None and not unfinished.isdisjoint(job.needs):
                continue
            planned: PlannedJob | None = item.callspec.params[FIXTURE] if job else None  # type: ignore[attr-defined]  # it has a job, so it has this
            is_short = job is None or planned is None or planned.unchanged or job.problem or job.study
            lease = None
            if job is not None and not is_short:
                if reason := self.rooms.unfit(job):
                    outcome = new_outcome(job, seed=self.slot.seed, status=Status.FAILED, cause="system", reason=reason)
                    item.stash[AHEAD] = save_outcome(self.slot.folder, outcome)
                    is_short = True
                elif (lease := self.rooms.try_lease(job)) is None:
                    continue
            waiting.remove(item)
            running.add(item)
            if is_short or planned is None:
                self.ended.put(item)
            else:
                self.run.note_start(planned.job)
                threading.Thread(target=self._train, args=(item, planned, lease), daemon=True).start()

    def _train(self, item: pytest.Item, planned: PlannedJob, lease: Any) -> None:
        try:
            slot = replace(self.slot, name=lease.node.name, launcher=self.backend.launcher_at(lease))
            item.stash[AHEAD] = slot.train(planned)
        except BaseException as error:  # noqa: BLE001  (raised again where the item runs)
            item.stash[AHEAD] = error
        finally:
            self.ended.put(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:  # noqa: ARG002  (pytest's)
        """Give the report the time that the training took."""
        report = yield
        job = job_of(item)
        outcome = self.run.outcomes.by_node.get(item.nodeid)
        if report.when == "call" and job is not None and outcome is not None:
            report.duration = outcome.wall_s
        return report
