"""The run loop of a session that trains many jobs at once from one process: each in a thread that waits for its end.

pytest runs items one after the other, in one thread, and so it stays: setup, the test's own lines, teardown and all
reports. Only the training, which takes the time, has begun before the item does; where a test does anything before it
trains (see `turns.py`), its job is trained in its turn, and the loop starts others meanwhile.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from msgspec.structs import replace

from pytest_training.errors import FROM_OTHERS
from pytest_training.execution.attempt.environment import changes_since
from pytest_training.execution.backends.protocol import Backend, Lease, Rooms
from pytest_training.execution.needs import needs_attempt
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.execution.slot import REFUSED, Slot, new_outcome, save_outcome
from pytest_training.fixture import FIXTURE
from pytest_training.jobs.model import Job, PlannedJob
from pytest_training.pytest_adapter import is_left_out, set_up_early, test_limit_of
from pytest_training.session.items import IDLE_NODEID, IdleItem
from pytest_training.session.running import RunningRun
from pytest_training.session.training_job import SLOT, TEST_LIMIT_S, TRAINER, job_of, limited_by_test
from pytest_training.session.turns import Turn, turn_of
from pytest_training.wording import counted

Changes = dict[str, str | None] | None  # of variables of the environment, as in a slot
LOOK_S = 1.0  # room may come without a word, as when a node is trusted again


class ConcurrentItems:
    """Starts, longest first, every job for which there is room; runs each item when its job has ended."""

    def __init__(self, running: RunningRun, backend: Backend, rooms: Rooms) -> None:
        self.run, self.backend, self.rooms = running, backend, rooms
        self.slot: Slot = running.config.stash[SLOT]
        running.config.stash[TRAINER] = self.train
        self.waiting: list[pytest.Item] = []  # tests with a job that have not begun, in the plan's order
        self.late: dict[pytest.Item, str] = {}  # those to be trained in their own turn, with the reason
        self.wanted = Counter[tuple[object, ...]]()  # of the others: what room each wants
        self.unfinished = Counter[str]()  # by job: tests that have not ended
        self.busy = set[str]()  # jobs that a test has begun
        self.training = set[pytest.Item]()  # tests that a thread trains
        self.trained: dict[pytest.Item, Future[Outcome]] = {}  # what was trained before the turn
        self.due = deque[pytest.Item]()  # tests whose turn has come
        self.events: queue.SimpleQueue[pytest.Item | None] = queue.SimpleQueue()  # a test trained, or there is room
        self.turns: dict[tuple[object, str], Turn] = {}  # by test function
        self.failed: dict[pytest.Item, BaseException] = {}  # what setting a test's fixtures up early has raised
        self.idle_slots: list[Slot] = []  # those that no thread uses; each takes part in a search once
        self.numbers = 0  # of slots
        self.ahead_s = 0.0  # seconds that the current test was trained before its turn
        rooms.tell = lambda: self.events.put(None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run every item of the session: first the ordinary tests, as pytest does, then each job that has ended."""
        between = IdleItem.from_parent(session, name="idle", nodeid=IDLE_NODEID)
        position = {each.job.id: index for index, each in enumerate(self.run.run.plan.jobs)}
        jobs = {item: job.id for item in session.items if (job := job_of(item)) is not None}
        self.waiting = sorted(jobs, key=lambda item: position[jobs[item]])
        self.unfinished.update(jobs.values())
        self._prepare(between)
        ordinary = [item for item in session.items if item not in jobs]
        for item, following in zip(ordinary, [*ordinary[1:], between], strict=False):
            self._start()
            self._run(item, following)
        for item in self._turns():
            # Session fixtures stay; what is narrower is torn down, for nobody knows which item comes next.
            self._run(item, between if self.unfinished.total() > 1 else None)
            self.unfinished -= Counter((jobs[item],))  # drops a job without further tests
            self.busy.discard(jobs[item])
            self.trained.pop(item, None)
        return True

    def _run(self, item: pytest.Item, following: pytest.Item | None) -> None:
        session = item.session
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if why := session.shouldfail or session.shouldstop:
            raise session.Interrupted(why)  # as xdist does: what runs is interrupted

    def _prepare(self, between: pytest.Item) -> None:
        """Set fixtures of the session up before the first job starts, and say which jobs cannot start early."""
        prepared = {frozenset[str]()}
        for item in self.waiting:
            turn = self._turn(item)
            if turn.reason:
                self.late[item] = turn.reason
                continue
            self.wanted[_wanted(_planned(item).job)] += 1
            if turn.fixtures not in prepared and not is_left_out(item):
                if (error := set_up_early(item, between)) is None:
                    prepared.add(turn.fixtures)
                else:  # the next test with these has pytest's answer of its own
                    self.failed[item] = error
        # What narrower fixtures and ordinary tests change later is no concern of jobs that are trained meanwhile.
        self.slot = replace(self.slot, changes=changes_since(self.slot.environment))
        if len(self.late) > 1:
            count, test, why = len(self.late), *next((item.nodeid, why) for item, why in self.late.items())
            self.run.run.problems.append(f"{count} jobs are trained one after another, {test} because {why}")

    def _turn(self, item: pytest.Item) -> Turn:
        key = (item.parent, getattr(item, "originalname", item.name))
        if key not in self.turns:
            self.turns[key] = turn_of(item)
        return self.turns[key]

    def _turns(self) -> Iterator[pytest.Item]:
        """Yield each test with a job when its turn has come; a signal meanwhile belongs to no test."""
        try:
            yield from self._each_turn()
        except pytest.Session.Interrupted:  # a KeyboardInterrupt too, and says why
            raise
        except KeyboardInterrupt:
            while_what = f"while {counted(len(self.training), 'job')} trained"
            raise pytest.Session.Interrupted(f"by a signal, {while_what}") from None  # not by a line of this file

    def _each_turn(self) -> Iterator[pytest.Item]:
        while self.waiting or self.training or self.due:
            self._start()
            while not self.events.empty():
                self._await_event()
            if not self.due and (item := next(filter(self._may_begin, self.late), None)) is not None:
                self._begin(item)
                self.due.append(item)
            if self.due:
                yield self.due.popleft()
            elif self.rooms.lost and not self.training:
                raise pytest.Session.Interrupted(self.rooms.lost)
            else:
                self._await_event()

    def _may_begin(self, item: pytest.Item) -> bool:
        job = _planned(item).job
        return job.id not in self.busy and not any(each in self.unfinished for each in job.needs)

    def _begin(self, item: pytest.Item) -> None:
        job = _planned(item).job
        self.waiting.remove(item)
        self.busy.add(job.id)
        if self.late.pop(item, None) is None:
            self.wanted -= Counter((_wanted(job),))  # drops a kind of room that no test waits for

    def _await_event(self) -> None:
        __tracebackhide__ = True  # a signal shows where the test waits
        with contextlib.suppress(queue.Empty):
            if (item := self.events.get(timeout=LOOK_S)) is not None:
                self.training.discard(item)
                if item in self.trained:
                    self.due.append(item)

    def _start(self) -> None:
        """Start every job for which there is room."""
        late = max(len(self.late) - 1, 0)  # they wait for one another, not for room
        self.rooms.note_work(waiting=len(self.waiting) - late, running=len(self.training))
        full = set[tuple[object, ...]]()  # what was wanted in vain
        for item in list(self.waiting):
            if self.wanted.keys() <= full:
                break
            wanted = _wanted((planned := _planned(item)).job)
            if item in self.late or wanted in full or not self._may_begin(item):
                continue
            if item in self.failed or is_left_out(item) or not needs_attempt(planned, self.slot.folder):
                self._begin(item)
                self.due.append(item)
            elif (lease := self._lease(item)) is not None:
                self._begin(item)
                item.stash[TEST_LIMIT_S] = test_limit_of(item) or 0.0
                self.trained[item] = self._train_at(lease, item, limited_by_test(item, planned), self.slot.changes)
            elif item in self.waiting:
                full.add(wanted)

    def _lease(self, item: pytest.Item) -> Lease | None:
        """Return room for a job, or None; a job that can never have any has ended."""
        job = _planned(item).job
        if (lease := self.rooms.try_lease(job)) is None and (reason := self.rooms.unfit(job)):
            self._begin(item)
            self.trained[item] = Future()
            self.trained[item].set_result(self._refuse(job, reason))
            self.due.append(item)
        return lease

    def _refuse(self, job: Job, reason: str) -> Outcome:
        fields = {"status": Status.FAILED, "cause": "system", "reason": reason}
        outcome = new_outcome(job, seed=self.slot.seed, slot=self.slot.name, **fields)
        with contextlib.suppress(OSError):  # the test's report has the reason too
            save_outcome(self.slot.folder, outcome)
        return outcome

    def _train_at(self, lease: Lease, item: pytest.Item, planned: PlannedJob, changes: Changes) -> Future[Outcome]:
        if not self.idle_slots:
            self.numbers += 1
            self.idle_slots.append(replace(self.slot, number=self.numbers, searches={}))
        slot, future = replace(self.idle_slots.pop(), name=lease.name, changes=changes), Future[Outcome]()

        def train() -> None:
            try:
                future.set_result(self._trained(slot, lease, planned))
            except BaseException as error:  # noqa: BLE001  (raised again where the test runs)
                future.set_exception(error)
            finally:
                end()

        def end() -> None:
            try:
                self.idle_slots.append(slot)
                self.rooms.release(lease)
            finally:
                self.events.put(item)

        self.training.add(item)
        self.run.note_start(planned.job)
        try:
            threading.Thread(target=train, name=f"training {planned.job.id}", daemon=True).start()
        except RuntimeError as error:  # the system's limit of threads
            future.set_result(self._refuse(planned.job, f"{REFUSED}: {error}"))
            end()
        return future

    def _trained(self, slot: Slot, lease: Lease, planned: PlannedJob) -> Outcome:
        try:
            launcher = self.backend.launcher_at(lease)
        except FROM_OTHERS as error:  # a backend from outside may raise anything: it fails this job alone
            why = f"backend {self.backend.name!r} cannot execute it: {type(error).__name__}: {error}"
            return self._refuse(planned.job, why)
        return replace(slot, launcher=launcher).train(planned)

    def train(self, item: pytest.Item, planned: PlannedJob) -> Outcome:
        """Return what the job of the current test came to; train it now if that was not done before."""
        __tracebackhide__ = True
        if (trained := self.trained.pop(item, None)) is not None:
            outcome = trained.result()
            self.ahead_s = outcome.wall_s
            return outcome
        return self._train_now(item, planned) if needs_attempt(planned, self.slot.folder) else self.slot.train(planned)

    def _train_now(self, item: pytest.Item, planned: PlannedJob) -> Outcome:
        __tracebackhide__ = True
        while (lease := self.rooms.try_lease(planned.job)) is None:
            if reason := self.rooms.unfit(planned.job):
                return self._refuse(planned.job, reason)
            if self.rooms.lost:
                raise item.session.Interrupted(self.rooms.lost)
            self._await_event()
        future = self._train_at(lease, item, planned, changes_since(self.slot.environment))  # of its fixtures too
        while item in self.training:
            self._start()
            self._await_event()
        return future.result()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Any:
        """Raise what setting the test's fixtures up early has raised, if that does not come again."""
        error = self.failed.pop(item, None)
        yield
        if error is not None:
            raise error

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Any:
        """Give the report the time that the training took."""
        report = yield
        if call.when == "call":
            report.duration += self.ahead_s
            self.ahead_s = 0.0
        return report


def _planned(item: pytest.Item) -> PlannedJob:
    planned: PlannedJob = item.callspec.params[FIXTURE]  # type: ignore[attr-defined]  # it has a job, so it has this
    return planned


def _wanted(job: Job) -> tuple[object, ...]:
    return job.cpus, job.gpus, job.limits.get("memory")
