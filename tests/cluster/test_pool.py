"""Tests of how a session sees its nodes, with a Dask client that says what the test wants."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.execution.attempt.messages import AttemptRequest, Lost, Reply
from pytest_training.execution.backends.cluster.cargo import Shipment
from pytest_training.execution.backends.cluster.launcher import ClusterLauncher
from pytest_training.execution.backends.cluster.nodes import Lease
from pytest_training.execution.backends.cluster.orders import ServerOrder
from pytest_training.execution.backends.cluster.pool import Pool
from pytest_training.execution.folder import JobFolder
from pytest_training.jobs.kinds.protocol import Call
from pytest_training.jobs.model import Job
from pytest_training.limits.protocol import Ending

PASSED = Reply(ending=Ending(wall_s=1.0))


FACTS = {"cores": 2, "cpus": (0, 1), "memory_mb": 1000.0, "cards": {}, "shares_files": True}
OWN = {"packages": {"pytest-training": metadata.version("pytest-training")}}
FACTS |= {"scratch": "", "executable": sys.executable, "prefix": sys.prefix, "equipment": OWN}


class KilledWorker(Exception):  # noqa: N818  (its name in distributed)
    pass


class Task:
    """A future that ends as the test says."""

    def __init__(self, status: str, error: Exception | None = None) -> None:
        self.status, self.error, self.is_cancelled = status, error, False

    def add_done_callback(self, function: Callable[[Any], None]) -> None:
        if self.status != "pending":
            function(self)

    def exception(self, timeout: float) -> Exception | None:  # noqa: ARG002  (distributed's)
        return self.error

    def cancel(self, *, force: bool) -> None:
        self.is_cancelled = force


class Dask:
    """A client with two nodes of two cores."""

    def __init__(self) -> None:
        self.status = "running"
        self.problem: Exception | None = None
        self.frozen: set[str] = set()
        self.asked: list[str] = []  # nodes, what they have
        self.workers = {name: {"name": name, "nthreads": 2, "status": "running", "last_seen": 1.0} for name in "ab"}
        self.scheduler = self.scheduler_comm = self
        self.next: tuple[Task, Reply | None] = (Task("finished"), PASSED)

    def subscribe_topic(self, _topic: str, handler: Callable[[Any], None]) -> None:
        self.hears = handler

    def identity(self) -> None: ...

    def sync(self, _function: object, **_: object) -> dict[str, Any]:
        if self.problem is not None:
            raise self.problem
        for name in self.workers.keys() - self.frozen:
            self.workers[name]["last_seen"] = time.monotonic()
        return {"workers": {name: {**each} for name, each in self.workers.items()}}

    def run(self, _function: object, *_: object, workers: list[str], on_error: str) -> dict[str, bytes]:  # noqa: ARG002  (distributed's)
        self.asked += workers
        return {each: msgspec.json.encode(FACTS | {"id": each, "host": f"h{each}"}) for each in workers}

    def submit(self, _function: object, _order: bytes, *, key: str, **_: object) -> Task:
        task, reply = self.next
        if reply is not None:
            self.hears((0.0, (key, msgspec.json.encode(reply), ["each job imports for itself: no folder"])))
        return task


@pytest.fixture
def dask() -> Dask:
    return Dask()


@pytest.fixture
def pool(dask: Dask) -> Pool:
    pool = Pool(dask, ServerOrder(run_id="r", imports=(), seed=0), most=None, silence_s=0.0, wait_s=0.0)
    pool.wait_for_node(10)
    while len(pool.nodes) < len(dask.workers):
        pool.refresh()
    return pool


def job(name: str = "j", **fields: Any) -> Job:
    return Job(id=name, kind="function", path="/p/train_j.py", source="train_j.py", home="/p", root="/p", **fields)


def leases(pool: Pool) -> dict[str, Lease]:
    """Take room on both nodes."""
    return {lease.name: lease for lease in (pool.try_lease(job("x")), pool.try_lease(job("y"))) if lease}


def lose_a(dask: Dask) -> None:
    del dask.workers["a"]


def freeze_a(dask: Dask) -> None:
    dask.frozen.add("a")


def break_connection(dask: Dask) -> None:
    dask.status = "connecting"


def close(dask: Dask) -> None:
    dask.status = "closed"


def be_silent(dask: Dask) -> None:
    dask.problem = TimeoutError()


CUT_OFF = "was cut off: the connection to the scheduler broke"
LOSSES = [
    (lose_a, {"a": "went away"}, ""),
    (freeze_a, {"a": "was not heard of for 0 s and given up"}, ""),
    (break_connection, {"a": CUT_OFF, "b": CUT_OFF}, ""),
    (close, dict.fromkeys("ab", "was cut off: the cluster's scheduler is gone"), "the cluster's scheduler is gone"),
    (
        be_silent,
        dict.fromkeys("ab", "was cut off: the cluster's scheduler has not answered for 0 s"),
        "the cluster's scheduler has not answered for 0 s",
    ),
]


@pytest.mark.parametrize(("happen", "lost", "all_lost"), LOSSES, ids=[each[0].__name__ for each in LOSSES])
def test_a_lost_node_ends_its_attempts_alone_and_says_how_it_was_lost(
    dask: Dask, pool: Pool, happen: Callable[[Dask], None], lost: dict[str, str], all_lost: str
) -> None:
    taken = leases(pool)
    happen(dask)
    pool.refresh()
    assert {name: lease.lost for name, lease in taken.items() if lease.ended.is_set()} == lost
    assert (set(pool.nodes), pool.lost) == (taken.keys() - lost.keys(), all_lost)


def test_a_node_that_closes_or_has_no_memory_left_gets_no_attempt(dask: Dask, pool: Pool) -> None:
    for status in ("paused", "closing_gracefully"):
        dask.workers["a"]["status"] = dask.workers["b"]["status"] = status
        pool.refresh()
        assert (pool.try_lease(job()), len(pool.nodes)) == (None, 2)


@pytest.mark.parametrize("problem", [OSError("broken"), None], ids=["a broken connection", "no node for long"])
def test_only_a_cluster_without_nodes_ends_the_run(dask: Dask, pool: Pool, problem: Exception | None) -> None:
    if problem is None:
        dask.workers.clear()
    dask.problem = problem
    pool.refresh()
    assert pool.lost == ""
    pool.try_lease(job(cpus=3))  # which waits from now on
    pool.refresh()
    assert pool.lost == ("" if problem else "no node is left, and none has come for 0 s (training_cluster_wait)")


def test_no_attempt_begins_before_the_scheduler_is_there_again(dask: Dask, pool: Pool, tmp_path: Path) -> None:
    dask.status = "connecting"  # the nodes are not dropped yet
    assert pool.try_lease(job()) is None
    went_on: list[bool] = []
    launcher = ClusterLauncher(pool, Shipment(pool, project=tmp_path, runs=tmp_path))
    thread = threading.Thread(target=lambda: went_on.append(launcher.pause(0.0)))
    thread.start()
    assert went_on == []
    pool.lose("the cluster's scheduler is gone")
    thread.join(10)
    assert went_on == [True]
    lost = launcher.launch(request(tmp_path)).lost
    assert lost is not None
    assert lost.reason == "worker died: the cluster's scheduler is gone"


def test_an_attempt_goes_where_no_other_session_trains(dask: Dask, pool: Pool) -> None:
    dask.workers["a"]["metrics"] = {"task_counts": {"executing": 2}}
    pool.refresh()
    names = [lease.name if (lease := pool.try_lease(job(f"{number}"))) else "" for number in range(5)]
    assert names == ["b", "b", "a", "a", ""]


def test_a_run_has_the_slots_of_nodes_that_came_late_and_of_those_that_went(dask: Dask, pool: Pool) -> None:
    assert pool.slots == 4
    dask.workers["c"] = {**dask.workers["a"], "name": "c", "nthreads": 3}
    while len(pool.nodes) < 3:
        pool.refresh()
    dask.workers.clear()
    pool.refresh()
    assert (len(pool.nodes), pool.slots) == (0, 7)


def test_a_node_that_was_given_back_is_not_asked_again_while_the_scheduler_names_it(dask: Dask, pool: Pool) -> None:
    pool.ended.add("a")
    pool.drop(pool.nodes["a"], "was given back")
    pool._not_before.clear()
    pool.refresh()
    while pool._asked:
        time.sleep(0.001)
    assert (sorted(dask.asked), [*pool.nodes]) == (["a", "b"], ["b"])


def test_what_nodes_say_of_their_imports_is_reported_once(pool: Pool, tmp_path: Path) -> None:
    pool.answers.report = (reported := list[str]()).append
    for name, lease in leases(pool).items():
        launcher = ClusterLauncher(pool, Shipment(pool, project=tmp_path, runs=tmp_path), lease)
        assert launcher.launch(request(tmp_path / name)).ending == PASSED.ending
    assert reported == ["each job imports for itself: no folder"]


def test_another_attempt_gets_room_before_another_job(pool: Pool) -> None:
    pool.wait_s = 60.0
    taken = [pool.try_lease(job(f"{number}")) for number in range(4)]
    again: list[Lease | None] = []
    thread = threading.Thread(target=lambda: again.append(pool.lease(job("again", cpus=2))))
    thread.start()
    while not pool.again:
        time.sleep(0.001)
    for lease in (each for each in taken if each and each.name == "a"):
        assert pool.try_lease(job("new")) is None  # also with room for it
        pool.release(lease)
    thread.join(10)
    assert again[0] is not None
    assert (again[0].name, pool.again) == ("a", [])


def request(tmp_path: Path) -> AttemptRequest:
    folder = tmp_path / "jobs/j/attempt-1"
    folder.mkdir(parents=True)
    checkpoint = tmp_path / "jobs/j/checkpoint"
    checkpoint.mkdir()
    (checkpoint / "state.zip").write_text("state")
    start = Call(path="/p/train_j.py", function="train")
    return AttemptRequest(job=job(), start=start, folder=str(folder), checkpoint=str(checkpoint), seed=0, threads=1)


WENT = r"worker died: after 0.0 s its node b on hb went away"
STATES = {
    "answered": (Task("finished"), PASSED, None),
    "answered, then lost": (Task("error", KilledWorker()), PASSED, None),
    "answered, then cancelled": (Task("cancelled"), PASSED, None),
    "killed": (Task("error", KilledWorker()), None, WENT),
    "cancelled": (Task("cancelled"), None, f"worker died: after 0.0 s its node b on hb {CUT_OFF}"),
    "data lost": (Task("lost"), None, WENT),
    "finished without an answer": (Task("finished"), None, WENT),
    "told to close": (
        Task("finished"),
        Reply(lost=Lost(cause="worker died", reason="was told to close")),
        "worker died: after 0.0 s its node b on hb was told to close",
    ),
    "without its server": (
        Task("finished"),
        Reply(lost=Lost(cause="server died", reason="the job server died")),
        "the job server of node b on hb died while the job ran; see any server.log in the run folder",
    ),
    "an error there": (Task("error", OSError("disk")), None, "a node cannot execute it: OSError: disk"),
}


@pytest.mark.parametrize("state", STATES)
def test_the_state_of_one_future_is_that_of_one_attempt(dask: Dask, pool: Pool, tmp_path: Path, state: str) -> None:
    task, answer, said = STATES[state]
    taken, dask.next = leases(pool), (task, answer)
    asked = request(tmp_path)
    reply = ClusterLauncher(pool, Shipment(pool, project=tmp_path, runs=tmp_path), taken["b"]).launch(asked)
    found = reply.lost.reason if reply.lost else reply.refused
    assert (found and re.sub(r"after \d+\.\d s", "after 0.0 s", found)) == said
    assert reply.lost or reply.refused or reply.ending == PASSED.ending
    assert not taken["a"].ended.is_set()
    assert pool.nodes.keys() == {"a", "b"}
    # Who may still write to the old checkpoint never overwrites that of the next attempt.
    checkpoint = JobFolder(tmp_path / "jobs/j").checkpoint
    assert checkpoint.name == ("checkpoint-2" if reply.lost else "checkpoint")
    assert (checkpoint / "state.zip").read_text() == "state"
    assert task.is_cancelled == (answer is None and bool(reply.lost))
