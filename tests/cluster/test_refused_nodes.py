"""What becomes of nodes that a queueing system refuses to start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import asdict

from pytest_training.execution.backends.cluster.orders import ServerOrder
from pytest_training.execution.equipment import NodeRecord, equipment

pytest.importorskip("distributed")

from pytest_training.execution.backends.cluster.pool import Pool
from pytest_training.execution.backends.cluster.scaling import Scaling

SAID = "Command exited with non-zero exit code.\nExit code: 1\nstdout:\n\nstderr:\nsbatch: error: too many jobs\n"
Status = Enum("Status", "created running")


class Worker:
    """A node as Dask knows it: it runs, or was refused when Dask started it, and may be allowed by now."""

    def __init__(self, now: str) -> None:
        self.is_allowed, self.status = now == "allowed", Status.running if now == "running" else Status.created

    def __await__(self) -> Generator[None, None, None]:
        yield from ()
        if not self.is_allowed:
            raise RuntimeError(SAID)
        self.status = Status.running


class Cluster:
    """A cluster of these workers, whose loop calls at once."""

    def __init__(self, *workers: Worker) -> None:
        self.workers, self.loop = dict(enumerate(workers)), self
        self.worker_spec: dict[int, dict[str, Any]] = {name: {} for name in self.workers}
        self.new_spec = {"options": {"cores": 1}}

    def add_callback(self, function: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        asyncio.run(function(*arguments))

    def scale(self, n: int) -> None:
        pass


@pytest.mark.parametrize(
    ("nodes", "running", "lost", "problems"),
    [
        ("refused refused", 0, "sbatch: error: too many jobs", 0),
        ("refused came", 0, "", 1),
        ("refused running", 1, "", 1),
        ("allowed refused", 1, "", 1),
        ("allowed allowed", 2, "", 0),
        ("", 0, "", 0),
    ],
)
def test_a_run_goes_on_with_the_nodes_that_were_not_refused(nodes: str, running: int, lost: str, problems: int) -> None:
    said: list[str] = []
    client = SimpleNamespace(subscribe_topic=lambda *_: None, scheduler_comm=None)
    pool = Pool(client, ServerOrder(run_id="run", imports=(), seed=0), most=None, silence_s=30.0)
    if "came" in nodes:  # earlier, and has ended since
        pool.records["id"] = NodeRecord(name="n", **asdict(equipment(())))
    workers = [Worker(now) for now in nodes.split()]
    scaling = Scaling(Cluster(*workers), pool, None)
    scaling.report_problem = said.append
    for _ in range(2):
        scaling.next_look = scaling.next_start = 0.0
        scaling.look()
    assert pool.lost == lost
    assert sum(worker.status == Status.running for worker in workers) == running
    assert said == ["the cluster has fewer nodes than the jobs could use: sbatch: error: too many jobs"] * problems
