"""Tests of session/scheduler.py with workers that only take notes: no job ever waits behind a busy worker."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_training.session.scheduler import PlannedScheduling


class Worker:
    """A worker as the scheduler sees it; it runs what it is sent when the test says so."""

    def __init__(self, name: str, jobs: Sequence[str]) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.jobs = list(jobs)
        self.shutting_down = False
        self.running: str | None = None
        self.done: list[str] = []

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        job, idle = indices
        assert idle == len(self.jobs), "the idle item is the one after the jobs"
        assert self.running is None, f"{self.gateway.id} is busy with {self.running}"
        assert not self.shutting_down
        self.running = self.jobs[job]

    def shutdown(self) -> None:
        assert not self.shutting_down
        self.shutting_down = True


class Run:
    """A run with such workers."""

    def __init__(self, order: Sequence[str], needs: Mapping[str, Sequence[str]] | None = None) -> None:
        self.scheduler = PlannedScheduling(order, needs or {})
        self.collected = sorted(order)
        self.workers: dict[str, Worker] = {}

    def join(self, name: str, jobs: Sequence[str] | None = None) -> Worker:
        """Let a worker start and collect, as xdist's controller does."""
        worker: Any = Worker(name, self.collected if jobs is None else jobs)
        self.workers[name] = worker
        self.scheduler.add_node(worker)
        self.scheduler.add_node_collection(worker, worker.jobs)
        assert self.scheduler.collection_is_completed
        self.scheduler.schedule()
        return self.workers[name]

    def end(self, worker: Any) -> None:
        """Let a worker end its job, and then the idle item, which it is left with."""
        job, worker.running = worker.running, None
        worker.done.append(job)
        self.scheduler.mark_test_complete(worker, worker.jobs.index(job))
        self.scheduler.mark_test_complete(worker, len(worker.jobs))

    def die(self, worker: Any) -> str | None:
        """Let a worker die."""
        del self.workers[worker.gateway.id]
        return self.scheduler.remove_node(worker)

    @property
    def running(self) -> dict[str, str]:
        """What runs where."""
        return {name: worker.running for name, worker in self.workers.items() if worker.running is not None}


def test_jobs_start_as_soon_as_one_worker_has_collected() -> None:
    run = Run("cab")
    assert not run.scheduler.collection_is_completed
    assert not run.scheduler.tests_finished
    run.join("gw0")
    assert run.running == {"gw0": "c"}
    run.join("gw1")
    assert run.running == {"gw0": "c", "gw1": "a"}


def test_whoever_is_free_takes_the_next_job_of_the_plan() -> None:
    run = Run("dcba")
    slow, quick = run.join("gw0"), run.join("gw1")
    run.end(quick)
    run.end(quick)
    assert run.running == {"gw0": "d", "gw1": "a"}
    assert quick.done == ["c", "b"]
    run.end(slow)
    assert slow.shutting_down
    assert run.scheduler.has_pending
    run.end(quick)
    assert quick.shutting_down
    assert run.scheduler.tests_finished


def test_a_worker_without_anything_to_do_ends() -> None:
    run = Run("a")
    run.join("gw0")
    assert run.join("gw1").shutting_down
    assert [worker.gateway.id for worker in run.scheduler.nodes] == ["gw0", "gw1"]


def test_a_job_waits_for_what_it_needs_and_its_worker_waits_with_it() -> None:
    run = Run("abc", {"b": ["a"], "c": ["a", "b"]})
    first, second = run.join("gw0"), run.join("gw1")
    assert run.running == {"gw0": "a"}
    assert not second.shutting_down
    run.end(first)
    assert run.running == {"gw0": "b"}
    run.end(first)
    assert run.running == {"gw0": "c"}
    assert second.shutting_down


def test_a_job_that_needs_nothing_overtakes_one_that_waits() -> None:
    run = Run("abc", {"b": ["a"]})
    run.join("gw0")
    second = run.join("gw1")
    assert run.running == {"gw0": "a", "gw1": "c"}
    run.end(second)
    assert run.running == {"gw0": "a"}
    assert not second.shutting_down


def test_a_need_that_was_not_selected_keeps_nobody_waiting() -> None:
    run = Run("b", {"b": ["elsewhere"]})
    run.join("gw0")
    assert run.running == {"gw0": "b"}


def test_a_worker_that_dies_gives_its_job_back_to_xdist_and_the_rest_goes_on() -> None:
    run = Run("abc")
    first, second = run.join("gw0"), run.join("gw1")
    assert run.die(first) == "a"
    assert run.running == {"gw1": "b"}
    run.join("gw2")
    assert run.running == {"gw1": "b", "gw2": "c"}
    assert run.die(run.workers["gw2"]) == "c"
    run.end(second)
    assert run.scheduler.tests_finished


def test_what_needed_a_job_that_died_with_its_worker_waits_no_more() -> None:
    run = Run("ab", {"b": ["a"]})
    first = run.join("gw0")
    run.join("gw1")
    run.die(first)
    assert run.running == {"gw1": "b"}


def test_a_worker_that_waits_or_never_came_up_can_go_too() -> None:
    run = Run("ab", {"b": ["a"]})
    run.join("gw0")
    assert run.die(run.join("gw1")) is None
    stranger: Any = Worker("gw2", "ab")
    run.scheduler.add_node(stranger)
    assert run.scheduler.remove_node(stranger) is None
    assert [worker.gateway.id for worker in run.scheduler.nodes] == ["gw0"]


def test_a_job_that_is_queued_again_goes_first() -> None:
    run = Run("abc")
    worker = run.join("gw0")
    run.end(worker)
    run.scheduler.mark_test_pending("a")
    run.end(worker)
    assert run.running == {"gw0": "a"}


def test_no_worker_is_asked_for_jobs_that_it_has_not_started() -> None:
    run = Run("ab")
    worker: Any = run.join("gw0")
    with pytest.raises(NotImplementedError, match="gw0 holds no pending jobs"):
        run.scheduler.remove_pending_tests_from_node(worker, [1])


def test_a_worker_that_shuts_down_is_given_nothing() -> None:
    run = Run("ab")
    worker = run.join("gw0")
    worker.shutting_down = True
    run.end(worker)
    assert run.running == {}
    assert run.scheduler.has_pending


@pytest.mark.parametrize(
    ("second", "difference"),
    [
        (["a"], "collected other jobs than the first one: b"),
        (["a", "b", "c"], "collected other jobs than the first one: c"),
        (["b", "a"], "collected other jobs than the first one: the same jobs in another order"),
    ],
)
def test_collections_that_differ_end_the_run_and_say_how(second: list[str], difference: str) -> None:
    run = Run("ab")
    run.join("gw0")
    with pytest.raises(pytest.Session.Interrupted, match=f"worker gw1 {difference}; every process must collect"):
        run.join("gw1", second)


def test_a_first_collection_without_all_jobs_ends_the_run_and_names_them() -> None:
    with pytest.raises(pytest.Session.Interrupted, match="worker gw0 did not collect a, c; every process"):
        Run("abc").join("gw0", ["b"])


def test_tests_that_nobody_planned_are_left_alone() -> None:
    run = Run("a")
    run.join("gw0", ["a", "x"])
    assert run.running == {"gw0": "a"}


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[str], dict[str, list[str]], int, int]:
    """Return an order, needs that respect it, a number of workers and a seed for what happens."""
    order = [f"job{number}" for number in range(draw(st.integers(1, 12)))]
    needs = {
        job: draw(st.lists(st.sampled_from(order[:index]), max_size=2, unique=True))
        for index, job in enumerate(order)
        if index and draw(st.booleans())
    }
    return order, needs, draw(st.integers(1, 5)), draw(st.integers(0, 10**6))


@given(runs())
def test_whatever_happens_each_job_starts_once_and_no_worker_idles_while_a_job_could_start(
    drawn: tuple[list[str], dict[str, list[str]], int, int],
) -> None:
    order, needs, count, seed = drawn
    chance = random.Random(seed)  # noqa: S311  (chance, no secret)
    run = Run(order, needs)
    ended: list[str] = []
    started: list[str] = []
    names = iter(range(1000))
    run.join(f"gw{next(names)}")
    while not run.scheduler.tests_finished:
        busy = list(run.running)
        for name in busy:
            if run.running[name] not in started:
                started.append(run.running[name])
                assert set(needs.get(run.running[name], ())) <= set(ended)
        waiting = [job for job in order if job not in started and job not in run.running.values()]
        ready = [job for job in waiting if set(needs.get(job, ())) <= set(ended)]
        idle = [name for name, worker in run.workers.items() if worker.running is None and not worker.shutting_down]
        assert not (ready and idle), f"{idle} idle while {ready} could start"
        assert busy, "nothing runs and nothing ends"
        if len(run.workers) < count:
            run.join(f"gw{next(names)}")
            continue
        worker = run.workers[chance.choice(busy)]
        ended.append(run.running[worker.gateway.id])
        if chance.random() < 0.2:
            run.die(worker)
            run.join(f"gw{next(names)}")
        else:
            run.end(worker)
    assert sorted(started) == sorted(order)
