"""Tests of limits/ladder.py: SIGTERM, the grace period, SIGKILL, whatever asked for the end."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import field

from pytest_training.accidents import ACCIDENTS
from pytest_training.limits import LIMITS, Limits, retry_reasons
from pytest_training.limits.ladder import Ladder
from pytest_training.limits.protocol import Ending, Limit
from pytest_training.limits.tree import Tree


class RecordedTree(Tree):
    """A tree that uses what the test says and records what is done to it."""

    pid: int = 1
    age_s: float = 0.0
    done: list[str] = field(default_factory=list)

    def sample(self) -> None:
        pass

    def terminate(self) -> None:
        self.done.append("terminate")

    def kill(self) -> None:
        self.done.append("kill")


class Broken(Limit):
    """A limit that raises."""

    key = "broken"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def parse(self, value: Any, where: str) -> float:  # noqa: ARG002  (the protocol's)
        return float(value)

    def measure(self, tree: Tree) -> float:  # noqa: ARG002  (the protocol's)
        raise self.error


def ended(**fields: Any) -> Ending:
    return Ending(wall_s=1.25, **fields)


def ladder(tree: RecordedTree, grace_s: float = 0.0, limits: Limits = LIMITS, **most: float) -> Ladder:
    return Ladder(tree=tree, limits=limits, most=most, grace_s=grace_s)


@pytest.mark.parametrize(
    ("tree", "ended_by", "measured"),
    [
        (RecordedTree(age_s=9.9, memory_mb=99.0), None, None),
        (RecordedTree(age_s=10.1), "timeout", 10.1),
        (RecordedTree(memory_mb=101.0), "memory", 101.0),
        (RecordedTree(age_s=11.0, memory_mb=101.0), "timeout", 11.0),
    ],
)
def test_more_than_a_limit_ends_the_attempt(tree: RecordedTree, ended_by: str | None, measured: float | None) -> None:
    watched = ladder(tree, memory=100.0, timeout=10.0)
    watched.watch()
    assert (watched.ended_by, watched.measured) == (ended_by, measured)
    assert tree.done == (["terminate"] if ended_by else [])


def test_a_limit_that_the_job_does_not_have_ends_nothing() -> None:
    tree = RecordedTree(age_s=1e9, memory_mb=1e9)
    ladder(tree).watch()
    assert tree.done == []


def test_the_kill_comes_after_the_grace_period_and_not_before() -> None:
    tree = RecordedTree(age_s=11.0)
    patient, impatient = ladder(tree, grace_s=1000.0, timeout=10.0), ladder(tree, timeout=10.0)
    for each in (patient, patient, impatient):
        each.watch()
    assert tree.done == ["terminate", "terminate"]
    impatient.watch()
    assert tree.done == ["terminate", "terminate", "kill"]
    patient.end_now()
    patient.watch()
    assert tree.done == ["terminate", "terminate", "kill", "kill"]


def test_the_first_cause_stays() -> None:
    tree = RecordedTree()
    watched = ladder(tree, timeout=10.0)
    watched.end("interrupted")
    watched.end("timeout")
    assert watched.ended_by == "interrupted"
    assert tree.done == ["terminate"]


def test_a_process_that_ended_while_it_was_measured_is_no_reason_to_end_the_attempt() -> None:
    tree = RecordedTree()
    ladder(tree, limits={"broken": Broken(FileNotFoundError("/proc/7/fd"))}, broken=1.0).watch()
    assert tree.done == []


def test_a_limit_that_raises_ends_the_attempt_and_says_so() -> None:
    tree = RecordedTree()
    watched = ladder(tree, limits={"broken": Broken(TypeError("no"))}, broken=1.0)
    watched.watch()
    assert watched.problem == "limit 'broken' cannot be measured: TypeError: no"
    assert tree.done == ["terminate"]


@pytest.mark.parametrize(
    ("limit", "ending", "sentence"),
    [
        (LIMITS["timeout"], ended(), "ended after 1.2 s: its time limit is 5 s"),
        (
            LIMITS["memory"],
            ended(peak_memory_mb=7.4),
            "ended after 1.2 s: it used 7 MiB of memory, its limit is 5 MiB",
        ),
        (LIMITS["memory"], ended(), "ended after 1.2 s: it used unknown of memory, its limit is 5 MiB"),
        (Broken(OSError()), ended(measured=6.0), "ended after 1.2 s: broken was 6, its limit is 5"),
        (Broken(OSError()), ended(), "ended after 1.2 s: broken was more, its limit is 5"),
    ],
)
def test_a_limit_says_why_it_ended_an_attempt(limit: Limit, ending: Ending, sentence: str) -> None:
    assert limit.sentence(ending, 5.0) == sentence


def test_limits_give_the_reasons_for_another_attempt() -> None:
    assert retry_reasons(LIMITS)[:4] == ("crash", "timeout", "memory", "error")
    assert retry_reasons({"broken": Broken(OSError())})[:3] == ("crash", "broken", "error")
    assert {accident.cause for accident in ACCIDENTS} <= set(retry_reasons(LIMITS))
