"""How many xdist workers a run has, never more than jobs, and which job each of them gets."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_training.pytest_adapter import set_options, start_xdist

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController


class Distribution:
    """xdist in this session, held back until the owner has collected: before that the number of jobs is unknown."""

    def __init__(self, config: pytest.Config) -> None:
        """Keep xdist from starting; to be made before xdist configures itself."""
        self.config = config
        has_workers = getattr(config.option, "tx", None) and not config.option.collectonly
        self.mode: str = getattr(config.option, "dist", "no") if has_workers else "no"  # the value of `--dist`
        self.is_held_back = self.mode != "no"  # True until the workers start, or turn out not to be needed
        self.has_started = False
        self.is_ours = False  # True if the plugin's own scheduler is in use
        if self.is_held_back:
            set_options(config, dist="no")

    def settle(self, *, items: int, pure: bool) -> int:
        """Decide on workers for that many items, `pure` if all are jobs; return the number of slots."""
        specs: list[str] = getattr(self.config.option, "tx", None) or []
        is_adjustable = pure and self.mode != "each" and all(spec == "popen" for spec in specs)
        if not specs or (is_adjustable and items == 1):
            self.is_held_back = False
            return 1
        self.is_ours = pure and self.mode == "load"
        if not is_adjustable:
            return len(specs)
        set_options(self.config, tx=specs[:items])
        return min(len(specs), items)

    def start(self, session: pytest.Session) -> None:
        """Have xdist start its workers."""
        set_options(self.config, dist=self.mode)
        self.is_held_back, self.has_started = False, True
        try:
            start_xdist(self.config, session)
        except OSError as error:
            workers = len(self.config.option.tx)
            problem = f"cannot start {workers} workers: {error.strerror}; a smaller number after -n needs less"
            raise pytest.UsageError(problem) from None


class PlannedScheduling:
    """An xdist scheduler (`xdist.scheduler.protocol.Scheduling`): free workers get the plan's next job, busy ones none.

    `order` has the node ids in the order in which they start, `needs` those that must end before another may start.
    A worker is always sent `[job, idle item]`, see `items.py`.
    """

    def __init__(self, order: Sequence[str], needs: Mapping[str, Sequence[str]]) -> None:
        self._waiting = deque(order)
        self._needs = needs
        self._collection: list[str] = []  # what the first worker has collected; empty before that
        self._workers: list[WorkerController] = []
        self._running: dict[WorkerController, str | None] = {}  # workers that have collected; None while one waits

    @property
    def nodes(self) -> list[WorkerController]:
        """The workers that are up."""
        return list(self._workers)

    @property
    def collection_is_completed(self) -> bool:
        """True as soon as one worker has collected: it starts at once, the others join."""
        return bool(self._collection)

    @property
    def tests_finished(self) -> bool:
        """True if every job has ended."""
        return self.collection_is_completed and not self.has_pending

    @property
    def has_pending(self) -> bool:
        """True if a job waits or runs."""
        return bool(self._waiting) or any(job is not None for job in self._running.values())

    def add_node(self, node: WorkerController) -> None:
        """Add a worker that has started."""
        self._workers.append(node)

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Check that a worker has collected the jobs of the plan, and what the first one has."""
        jobs = list(collection)
        if self._collection and jobs != self._collection:
            different = sorted(set(jobs) ^ set(self._collection)) or ["the same jobs in another order"]
            raise collection_error(node, f"collected other jobs than the first one: {', '.join(different)}")
        if missing := sorted(set(self._waiting) - set(jobs)):
            raise collection_error(node, f"did not collect {', '.join(missing)}")
        self._collection = jobs
        self._running[node] = None

    def schedule(self) -> None:
        """Give every waiting worker its next job."""
        for node, job in list(self._running.items()):
            if job is None:
                self._feed(node)

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:  # noqa: ARG002  (xdist's interface)
        """Note that a worker's job has ended; its end may let others start too."""
        if item_index < len(self._collection):  # not the idle item
            self._running[node] = None
            self.schedule()

    def mark_test_pending(self, item: str) -> None:
        """Queue a job again, first."""
        self._waiting.appendleft(item)
        self.schedule()

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        """Never called: a worker holds no job but the one that it runs."""
        raise NotImplementedError(f"{node.gateway.id} holds no pending jobs, asked for {list(indices)}")

    def remove_node(self, node: WorkerController) -> str | None:
        """Remove a worker that has ended or died; return the job that it ran."""
        if node in self._workers:
            self._workers.remove(node)
        if (job := self._running.pop(node, None)) is not None:
            self.schedule()
        return job

    def _feed(self, node: WorkerController) -> None:
        if node.shutting_down:
            return
        unfinished: set[Any] = {*self._waiting, *self._running.values()} if self._needs else set()
        job = next((job for job in self._waiting if unfinished.isdisjoint(self._needs.get(job, ()))), None)
        if job is not None:
            self._waiting.remove(job)
            self._running[node] = job
            node.send_runtest_some([self._collection.index(job), len(self._collection)])
        elif not self._waiting:
            node.shutdown()


def collection_error(node: WorkerController, how: str) -> KeyboardInterrupt:
    """Return what ends the run as errors of collection do: with reports, without an internal error."""
    return pytest.Session.Interrupted(f"worker {node.gateway.id} {how}; every process must collect the same tests")
