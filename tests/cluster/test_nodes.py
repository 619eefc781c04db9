"""Tests of what the nodes have: nodes on one host share its cores, memory and cards."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_training.execution.backends.cluster.nodes import (
    LONGEST_LOOK_S,
    Host,
    Lease,
    Node,
    Silences,
    cores_of,
    memory_of,
    threads,
    too_large,
)
from pytest_training.execution.backends.cluster.orders import NodeFacts
from pytest_training.execution.equipment import Equipment
from pytest_training.jobs.model import Job

EIGHT = tuple(range(8))


def node(
    name: str,
    *,
    slots: int = 1,
    host: str = "h",
    cpus: tuple[int, ...] = EIGHT,
    quota: int | None = None,
    cards: dict[str, str] | None = None,
    most_mb: float = math.inf,
    machine: Host | None = None,
) -> Node:
    facts = NodeFacts(
        id=f"{host}-{name}",
        host=host,
        cores=quota or len(cpus),
        cpus=cpus,
        memory_mb=1000.0,
        cards=cards or {},
        shares_files=True,
        equipment=Equipment(),
        scratch="/scratch",
        executable="python",
        prefix="/usr",
    )
    return Node(name, name, slots, most_mb, facts, machine or Host(1000.0))


def job(*, cpus: int | None = None, gpus: int = 0, memory: float = 0.0) -> Job:
    return Job(id="j", kind="function", source="", home="", root="", cpus=cpus, gpus=gpus, limits={"memory": memory})


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([node("a", slots=4)], [2]),
        ([node("a", slots=8)], [1]),
        ([node("a", slots=16)], [1]),
        ([node("a"), node("b")], [4, 4]),
        ([node("a", slots=3), node("b")], [2, 2]),
        ([node("a"), node("b", host="other")], [8, 8]),
        ([node("a", cpus=(0, 1)), node("b", cpus=(2, 3))], [2, 2]),
        ([node("a", cpus=(0, 1)), node("b", cpus=(0, 1))], [1, 1]),
        ([node("a", cpus=(0, 1, 2)), node("b", cpus=(2, 3, 4))], [2, 2]),
        ([node("a", quota=4)], [4]),
        ([node("a", quota=4), node("b", quota=4)], [2, 2]),
        ([node("a", slots=4, cpus=(0, 1))], [1]),
    ],
    ids=[
        "one node of four slots",
        "a core for each slot",
        "more slots than cores",
        "two nodes on a host",
        "unequal nodes",
        "two hosts",
        "bound to cores of their own",
        "bound to the same cores",
        "bound to cores that they share in part",
        "a container's quota",
        "two nodes in a container",
        "more slots than bound cores",
    ],
)
def test_an_attempt_gets_the_cores_of_the_host_that_are_left_to_its_slot(
    nodes: list[Node], expected: list[int]
) -> None:
    assert [threads(each, nodes) for each in nodes] == expected


JOBS = st.builds(
    job,
    cpus=st.sampled_from([None, 1, 2]),
    gpus=st.integers(0, 2),
    memory=st.sampled_from([0.0, 200.0, 400.0, 700.0]),
)


@settings(max_examples=60, deadline=None)
@given(
    cards=st.lists(
        st.dictionaries(st.sampled_from("0123"), st.sampled_from(["GPU-a", "GPU-b", "GPU-c"]), max_size=3),
        min_size=2,
        max_size=3,
    ),
    steps=st.lists(st.tuples(JOBS, st.integers(0, 5)), max_size=20),
)
def test_whatever_comes_and_goes_nothing_of_a_host_is_given_twice_and_all_comes_back(
    cards: list[dict[str, str]], steps: list[tuple[Job, int]]
) -> None:
    machine = Host(1000.0)
    own = [{card: gpu for card, gpu in each.items() if [*each.values()].count(gpu) == 1} for each in cards]
    nodes = [node(str(number), slots=2, cards=each, most_mb=600.0, machine=machine) for number, each in enumerate(own)]
    leases: list[Lease] = []
    for wanted, number in steps:
        if free := [each for each in nodes if each.has_room(wanted)]:
            assert all(each.offers(wanted) for each in free)
            leases.append(free[number % len(free)].take(wanted))
        elif leases:
            lease = leases.pop(number % len(leases))
            machine.leases.remove(lease)
        used = [gpu for lease in leases for gpu in lease.cards.values()]
        assert len(used) == len({*used}) == sum(lease.job.gpus for lease in leases)
        assert all(lease.cards.items() <= lease.node.facts.cards.items() for lease in leases)
        assert sum(memory_of(lease.job) for lease in leases) <= 1000
        for each in nodes:
            here = [lease.job for lease in leases if lease.node is each]
            assert sum(map(cores_of, here)) <= 2
            assert sum(map(memory_of, here)) <= 600
    machine.leases.clear()
    assert [each.free_cards for each in nodes] == own


@pytest.mark.parametrize(
    ("wanted", "needs"),
    [
        (job(cpus=64), "64 cores"),
        (job(gpus=1), "1 core, 1 GPU"),
        (job(memory=5000.0), "1 core, 5,000 MiB"),
        (job(cpus=4, gpus=2, memory=1.0), "4 cores, 2 GPUs, 1 MiB"),
    ],
)
def test_a_job_that_no_node_can_hold_says_what_it_needs_and_the_most_that_there_is(wanted: Job, needs: str) -> None:
    nodes = [node("a", slots=2, most_mb=4000.0), node("b", most_mb=900.0)]
    expected = f"needs {needs} at once; no node is that large: the most are 2 cores, 0 GPUs, 4,000 MiB"
    assert too_large(wanted, [each.size for each in nodes]) == expected
    assert not any(each.offers(wanted) for each in nodes)
    assert too_large(wanted, [*(each.size for each in nodes), (64, 2, 5000.0)]) is None


@given(
    gaps=st.lists(st.floats(0.1, 4.0), min_size=1, max_size=30),
    pause=st.floats(0.0, 10_000.0),
    pauses_after=st.integers(0, 30),
)
def test_only_time_in_which_this_process_looks_counts_as_silence(
    gaps: list[float], pause: float, pauses_after: int
) -> None:
    silences, now, counted = Silences(10.0), 100.0, 0.0
    assert not silences.too_long({"frozen": 1.0, "beating": now}, now)
    for number, gap in enumerate(gaps):
        step = gap + (pause if number == pauses_after else 0.0)  # Ctrl-Z, or a laptop that sleeps
        now, counted = now + step, counted + min(step, LONGEST_LOOK_S)
        silent = silences.too_long({"frozen": 1.0, "beating": now}, now)
        assert silent == ({"frozen"} if counted > 10.0 else set()) or abs(counted - 10.0) < 1e-6
