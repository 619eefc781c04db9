"""A cluster that the session has started has as many nodes as there is work for, and no node under a job is ended."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.test_nodes import job, node
from pytest_training.execution.backends.cluster.orders import ServerOrder
from pytest_training.execution.backends.cluster.pool import Pool
from pytest_training.execution.backends.cluster.scaling import Scaling
from pytest_training.jobs.model import Parameter

SILENT = SimpleNamespace(subscribe_topic=lambda *_: None, scheduler_comm=None, status="running")
"""Stands for a Dask client that nobody asks."""


class Spec:
    """What Scaling knows of a Dask SpecCluster; it does what it is asked at once."""

    def __init__(self, entries: list[int], *, group: int, cores: int, known: bool) -> None:
        self.suffixes = {"group": [f"-{index}" for index in range(group)]} if group > 1 else {}
        self.worker_spec = {f"n{name}": self.suffixes for name in entries}
        self.new_spec = {"options": {"nthreads": cores} if known else {}}
        self.loop = SimpleNamespace(add_callback=lambda function, *arguments: asyncio.run(function(*arguments)))
        self.workers: dict[str, Any] = {}
        self.asked: list[int] = []

    def scale(self, n: int) -> None:
        """Note how many nodes are asked for; the names are those that are free, as Dask takes them."""
        self.asked.append(n)
        free = (name for number in itertools.count() if (name := f"n{number}") not in self.worker_spec)
        self.worker_spec |= dict.fromkeys(itertools.islice(free, max(n - len(self.worker_spec), 0)), self.suffixes)

    async def scale_down(self, names: list[str]) -> None:
        """End nodes."""
        for name in names:
            del self.worker_spec[name]

    def names(self) -> dict[str, list[str]]:
        """Return the names of the Dask workers of each entry."""
        return {name: [f"{name}{each}" for each in spec.get("group", [""])] for name, spec in self.worker_spec.items()}


def filled(cluster: Spec, cores: int, *, most: int | None, pending: int = 0) -> Pool:
    """Return a pool that has every node of the cluster but the last ones, which Slurm lets wait."""
    pool = Pool(SILENT, ServerOrder(run_id="r", imports=(), seed=0), most=most, silence_s=30)
    for names in list(cluster.names().values())[: len(cluster.worker_spec) - pending]:
        pool.nodes.update({name: node(name, host=name, slots=cores) for name in names})
    pool.hosts = {name: each.host for name, each in pool.nodes.items()}
    return pool


def come(pool: Pool, *names: str) -> None:
    """Have nodes of one core answer."""
    for name in names:
        info = {"name": name, "nthreads": 1, "host": "h", "memory_limit": 0}
        pool._take(f"tcp://{name}", info, node(name, slots=1).facts)


@st.composite
def states(draw: Callable[..., Any]) -> tuple[Spec, Pool, int, int | None]:
    """Draw a cluster with nodes, some of which train, and how many nodes it may have."""
    cores, entries = draw(st.integers(1, 4)), draw(st.integers(0, 5))
    group, known = draw(st.sampled_from([1, 1, 2])), draw(st.booleans())
    cluster = Spec([*range(entries)], group=group, cores=cores, known=known)
    pool = filled(cluster, cores, most=draw(st.none() | st.integers(1, 12)), pending=draw(st.integers(0, entries)))
    for _ in range(draw(st.integers(0, 8))):
        pool.try_lease(job(cpus=draw(st.integers(1, cores))))
    pool._unmet.clear()
    pool.note_work(waiting=0, running=len(pool.leases) + draw(st.integers(0, 2)))
    return cluster, pool, cores, draw(st.none() | st.integers(1, 6))


@given(states())
def test_no_node_under_a_job_is_given_back(state: tuple[Spec, Pool, int, int | None]) -> None:
    """Those that are left hold every job that runs, also one between two attempts."""
    cluster, pool, _, most_nodes = state
    before = sum(each.cores for each in pool.nodes.values())
    Scaling(cluster, pool, most_nodes).look()
    assert not any(lease.ended.is_set() or lease.node.is_gone for lease in pool.leases)
    there = {name for names in cluster.names().values() for name in names}
    assert {lease.node.name for lease in pool.leases} <= set(pool.nodes) <= there
    assert sum(each.cores for each in pool.nodes.values()) >= min(before, pool.running)
    assert not cluster.asked


@given(states(), st.lists(st.integers(1, 4), min_size=1, max_size=20))
def test_jobs_that_wait_have_nodes_asked_for(state: tuple[Spec, Pool, int, int | None], waiting: list[int]) -> None:
    """As many as they need, at most those that are allowed, and never fewer than there are."""
    cluster, pool, cores, most_nodes = state
    entries, leased = len(cluster.worker_spec), [each.job.cpus or 1 for each in pool.leases]
    pool._unmet.update({str(index): min(each, cores) for index, each in enumerate(waiting)})
    pool.note_work(waiting=len(waiting), running=len(leased))
    Scaling(cluster, pool, most_nodes).look()
    (asked,) = cluster.asked
    assert len(cluster.worker_spec) == asked
    assert entries <= asked <= max(entries, most_nodes or asked)
    if "nthreads" in cluster.new_spec["options"]:
        largest = sorted(pool._unmet.values(), reverse=True)
        wanted = [*leased, *largest][: pool.most]  # as many as may train at once, none of which shares cores
        nodes = math.ceil(sum(1 / (cores // size) for size in wanted) - 1e-9)
        assert asked == max(entries, min(nodes, most_nodes or nodes))


def test_jobs_of_several_cores_have_a_node_each() -> None:
    """`-n 3` means three jobs at once, not three cores; two jobs of three cores do not share a node of four."""
    cluster = Spec([0], group=1, cores=4, known=True)
    pool = filled(cluster, 4, most=3)
    pool._unmet.update({str(index): 3 for index in range(9)})
    Scaling(cluster, pool, None).look()
    assert cluster.asked == [3]


def test_a_run_that_may_need_much_asks_for_it_before_the_first_node() -> None:
    """A queue takes its time for each."""
    cluster = Spec([], group=1, cores=4, known=True)
    Scaling(cluster, filled(cluster, 4, most=10), None).begin()
    assert cluster.asked == [3]


def test_nodes_of_unknown_names_are_left_alone() -> None:
    """As over SSH: nobody knows which entry stands for which node."""
    cluster = Spec([0, 1], group=1, cores=2, known=True)
    pool = filled(cluster, 2, most=None)
    pool.nodes = {"other": node("other", slots=2), "n1": node("n1", slots=2)}
    pool.note_work(waiting=0, running=1)
    Scaling(cluster, pool, 2).look()
    assert len(cluster.worker_spec) == len(pool.nodes) == 2


def test_a_node_that_was_given_back_gets_no_job_while_it_ends() -> None:
    """The scheduler names it until it has ended."""
    cluster = Spec([0, 1], group=1, cores=1, known=True)
    pool = filled(cluster, 1, most=None)
    lease = pool.try_lease(job())
    assert lease is not None
    pool.note_work(waiting=0, running=1)
    Scaling(cluster, pool, 2).look()
    assert [*pool.nodes] == [lease.node.name]
    assert pool.try_lease(job()) is None


def test_nothing_is_given_back_before_the_jobs_are_counted() -> None:
    """A second node is just about to come."""
    cluster = Spec([0, 1], group=1, cores=4, known=True)
    Scaling(cluster, filled(cluster, 4, most=8, pending=1), 2).look()
    assert len(cluster.worker_spec) == 2


def test_a_node_that_comes_after_it_was_given_back_gets_no_job() -> None:
    """It may answer while it ends."""
    cluster = Spec([0, 1], group=1, cores=1, known=True)
    pool = filled(cluster, 1, most=None, pending=1)
    assert pool.try_lease(job()) is not None
    pool.note_work(waiting=0, running=1)
    Scaling(cluster, pool, 2).look()
    assert [*cluster.worker_spec] == ["n0"]
    come(pool, "n1", "other")
    assert [each.name for each in pool.nodes.values()] == ["n0", "other"]


def test_a_node_that_has_the_name_of_one_that_was_given_back_gets_jobs() -> None:
    """A job that waited for its turn may need more than was left."""
    cluster = Spec([0, 1], group=1, cores=1, known=True)
    pool = filled(cluster, 1, most=None)
    assert pool.try_lease(job()) is not None
    pool.note_work(waiting=0, running=1)
    Scaling(cluster, pool, 2).look()
    assert pool.try_lease(job()) is None
    Scaling(cluster, pool, 2).look()
    assert [*cluster.worker_spec] == ["n0", "n1"]
    come(pool, "n1")
    assert pool.try_lease(job()) is not None


@pytest.mark.parametrize("address", ["", "tcp://10.0.0.1:8786"])
@pytest.mark.parametrize("variable", [None, "MY_TOKEN"])
def test_a_secret_crosses_to_no_open_address(address: str, variable: str | None) -> None:
    """A job without one may; the sentence never has the value."""
    pool = Pool(SILENT, ServerOrder(run_id="r", imports=(), seed=0), most=None, silence_s=30)
    pool.open_address = address
    secretive = msgspec.structs.replace(job(), declared=(Parameter(name="token", variable=variable),))
    refused = pool.unfit(secretive)
    assert bool(refused) == bool(address and variable)
    assert refused is None or (address in refused and "token" in refused)


@pytest.mark.parametrize("over", ["stopping", "lost"])
def test_a_run_that_ends_asks_for_nothing(over: str) -> None:
    """What was started is ended as a whole."""
    cluster = Spec([0], group=1, cores=1, known=True)
    pool = filled(cluster, 1, most=None)
    pool._unmet["j"] = 1
    setattr(pool, over, True if over == "stopping" else "gone")
    Scaling(cluster, pool, None).look()
    assert not cluster.asked
