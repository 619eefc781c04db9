"""In which order jobs start, and how long the run takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_training.jobs.order import find_circle, simulate, start_order


def order(expected: dict[str, float | None], needs: dict[str, list[str]] | None = None, *, workers: int = 2) -> str:
    return "".join(start_order(list(expected), expected, needs or {}, workers=workers))


def test_unknown_jobs_go_first_then_the_longest() -> None:
    assert order({"a": 1, "b": None, "c": 5, "d": None, "e": 5}) == "bdcea"


def test_one_worker_keeps_the_declared_order() -> None:
    assert order({"a": 1, "b": None, "c": 5}, workers=1) == "abc"
    assert order({"a": 1, "b": None, "c": 5}, {"a": ["c"]}, workers=1) == "bca"


def test_what_a_job_needs_comes_first_and_the_longest_chain_leads() -> None:
    assert order({"a": 9, "b": 1, "c": 8}, {"c": ["b"]}) == "abc"
    assert order({"a": 9, "b": 2, "c": 8}, {"c": ["b"]}) == "bac"
    assert order({"a": 9, "b": 1, "c": None}, {"c": ["b"]}) == "bca"


def test_a_need_that_is_not_selected_keeps_nobody_waiting() -> None:
    assert order({"a": 1, "b": 2}, {"b": ["gone"]}) == "ba"


def test_circles_are_found_without_recursion() -> None:
    assert find_circle({"a": ["b"], "b": ["c"], "c": []}) == []
    circle = find_circle({"a": ["b"], "b": ["a"]})
    assert circle[0] == circle[-1]
    assert set(circle) == {"a", "b"}
    assert find_circle({str(n): [str(n + 1)] for n in range(50_000)}) == []


def test_the_twelve_sleeps_of_the_design() -> None:
    seconds = [1, 1, 1, 2, 2, 3, 1, 1, 5, 2, 1, 8]
    expected = {f"j{index}": float(value) for index, value in enumerate(seconds)}
    ids = start_order(list(expected), expected, {}, workers=4)
    assert simulate(ids, expected, {}, workers=4) == 8.0


def test_a_slot_skips_a_job_that_waits() -> None:
    assert simulate(["a", "b", "c"], {"a": 4, "b": 1, "c": 2}, {"b": ["a"]}, workers=2) == 5


def test_nothing_takes_no_time() -> None:
    assert simulate([], {}, {}, workers=4) == 0.0


_JOBS = st.dictionaries(st.integers(0, 30).map(str), st.floats(0, 100), min_size=1, max_size=20)


@given(_JOBS, st.integers(1, 6), st.data())
def test_an_order_is_complete_respects_needs_and_is_near_the_bound(
    expected: dict[str, float], workers: int, data: st.DataObject
) -> None:
    ids = list(expected)
    needs = {
        job_id: data.draw(st.lists(st.sampled_from(ids[:index]), max_size=2)) if index else []
        for index, job_id in enumerate(ids)
    }
    found = start_order(ids, expected, needs, workers=workers)
    assert sorted(found) == sorted(ids)
    assert all(found.index(need) < found.index(job_id) for job_id in ids for need in needs[job_id])
    makespan = simulate(found, expected, {}, workers=workers)
    bound = max(sum(expected.values()) / workers, *expected.values(), 0.0)
    assert bound - 1e-6 <= makespan <= 2 * bound + 1e-6
