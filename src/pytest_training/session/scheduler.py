"""Gives each free xdist worker the next job of the plan, and no job to a worker that is busy."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from xdist.workermanage import WorkerController

from pytest_training.errors import TrainingError


class PlannedScheduling:
    """An xdist scheduler (`xdist.scheduler.protocol.Scheduling`) that follows the plan's order, job by job.

    `order` are the node ids in the order in which they shall start, `needs` which of them must end before another may
    start. What a worker is sent is always `[job, idle item]`, see `idle.py`.
    """

    def __init__(self, order: Sequence[str], needs: Mapping[str, Sequence[str]]) -> None:
        self._waiting = deque(order)
        self._needs = needs
        self._collection: list[str] | None = None
        self._index: dict[str, int] = {}
        self._workers: list[WorkerController] = []
        self._running: dict[WorkerController, str | None] = {}  # workers that have collected; None while one waits

    @property
    def nodes(self) -> list[WorkerController]:
        """The workers that are up."""
        return list(self._workers)

    @property
    def collection_is_completed(self) -> bool:
        """True as soon as one worker has collected: it starts at once, the others join."""
        return self._collection is not None

    @property
    def tests_finished(self) -> bool:
        """True if every job has ended."""
        return self.collection_is_completed and not self.has_pending

    @property
    def has_pending(self) -> bool:
        """True if a job waits or runs."""
        return bool(self._waiting) or any(job is not None for job in self._running.values())

    def add_node(self, node: WorkerController) -> None:
        """Note a worker that has started."""
        self._workers.append(node)

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Note what a worker has collected; it must be what the first one has."""
        jobs = list(collection)
        if self._collection is None:
            missing = sorted(set(self._waiting) - set(jobs))
            if missing:
                raise _different(node, f"did not collect {', '.join(missing)}")
            self._collection = jobs
            self._index = {job: index for index, job in enumerate(jobs)}
        elif jobs != self._collection:
            different = sorted(set(jobs) ^ set(self._collection)) or ["the same jobs in another order"]
            raise _different(node, f"collected other jobs than the first one: {', '.join(different)}")
        self._running[node] = None

    def schedule(self) -> None:
        """Give every waiting worker its next job."""
        for node, job in list(self._running.items()):
            if job is None:
                self._feed(node)

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:  # noqa: ARG002  (xdist's interface)
        """Note that a worker's job has ended; its end may let others start too."""
        if item_index == len(self._jobs):  # the idle item
            return
        self._running[node] = None
        self.schedule()

    def mark_test_pending(self, item: str) -> None:
        """Queue a job again, first."""
        self._waiting.appendleft(item)
        self.schedule()

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        """Never asked for: a worker holds no job but the one that it runs."""
        raise NotImplementedError(f"{node.gateway.id} holds no pending jobs, asked for {list(indices)}")

    def remove_node(self, node: WorkerController) -> str | None:
        """Forget a worker that has ended or died; return the job that it ran."""
        self._workers.remove(node) if node in self._workers else None
        job = self._running.pop(node, None)
        if job is not None:
            self.schedule()
        return job

    @property
    def _jobs(self) -> list[str]:
        if self._collection is None:
            raise TrainingError("no worker has collected yet")
        return self._collection

    def _feed(self, node: WorkerController) -> None:
        if node.shutting_down:
            return
        job = self._next()
        if job is not None:
            self._waiting.remove(job)
            self._running[node] = job
            node.send_runtest_some([self._index[job], len(self._jobs)])
        elif not self._waiting:
            node.shutdown()

    def _next(self) -> str | None:
        """Return the first waiting job whose needs have ended."""
        if not self._needs:
            return self._waiting[0] if self._waiting else None
        unfinished: set[Any] = {*self._waiting, *self._running.values()}
        return next((job for job in self._waiting if unfinished.isdisjoint(self._needs.get(job, ()))), None)


def _different(node: WorkerController, how: str) -> KeyboardInterrupt:
    """Make what ends the run as errors of collection do: no internal error, and with reports."""
    return pytest.Session.Interrupted(f"worker {node.gateway.id} {how}; every process must collect the same tests")
