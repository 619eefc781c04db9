"""Tests of expected durations: a duration has a fixed part, and one in proportion to epochs and folds."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_training.records.durations import Measured, expected_seconds

counts = st.integers(1, 1000)
seconds = st.floats(0.01, 1e5)
anything = st.one_of(st.none(), st.booleans(), st.just("many"), st.floats(), st.integers(), st.just(10**400))


def measured(duration_s: float, **parameters: Any) -> Measured:
    return Measured(seconds=duration_s, parameters=parameters)


@settings(max_examples=40)
@given(fixed_s=seconds, per_fit_s=st.floats(1e-3, 10), epochs=st.lists(counts, min_size=3, max_size=3, unique=True))
def test_two_sizes_tell_the_fixed_part(fixed_s: float, per_fit_s: float, epochs: list[int]) -> None:
    def took(number: int) -> float:
        return fixed_s + per_fit_s * number * 5

    asked, *earlier = epochs
    known = [measured(took(number), epochs=number, folds=5, rate=0.1) for number in earlier]
    expected = expected_seconds({"epochs": asked, "folds": 5, "rate": 0.1}, known)
    assert expected == pytest.approx(took(asked), rel=1e-6)


@settings(max_examples=40)
@given(duration_s=seconds, epochs=counts, folds=counts, used=counts)
def test_a_small_training_never_takes_next_to_nothing_by_one_large_one(
    duration_s: float, epochs: int, folds: int, used: int
) -> None:
    expected = expected_seconds({"epochs": epochs, "folds": folds}, [measured(duration_s, epochs=used, folds=used)])
    assert expected is not None
    size = epochs * folds / used**2
    least, most = sorted([1.0, size])
    assert duration_s * max(least, 0.5 * (size < 1)) <= expected * 1.000001
    assert expected <= duration_s * most * 1.000001


def test_two_epochs_of_a_job_of_six_seconds_are_not_a_twentieth_of_a_second() -> None:
    expected = expected_seconds({"epochs": 2, "folds": 2}, [measured(6.0, epochs=100, folds=5)])
    assert expected == pytest.approx(3.024)


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        ([measured(5.0, epochs=10), measured(9.0, epochs=100)], 5.0),
        ([measured(9.0, epochs=100), measured(5.0, epochs=10), measured(7.0, epochs=10)], 6.0),
        ([measured(8.0, epochs=20), measured(8.5, epochs=5)], 8.0),
        ([measured(8.0, epochs=20), measured(1.0, epochs=5)], 4.0),
        ([measured(7.0, epochs=20, net="large"), measured(2.0, epochs=20, net="small")], 5.25),
        ([measured(4.0, net="large")], 4.0),
        ([measured(math.inf, epochs=10), measured(math.nan, epochs=10), measured(-1.0), measured(0.0)], None),
        ([], None),
    ],
    ids=[
        "the same size",
        "the median at the same size",
        "a smaller training took longer",
        "more than proportional",
        "another net",
        "no size",
        "no durations",
        "nothing",
    ],
)
def test_what_is_expected_of_ten_epochs(earlier: list[Measured], expected: float | None) -> None:
    assert expected_seconds({"epochs": 10, "rate": 0.1}, earlier) == expected


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ({"epochs": 0}, {"epochs": 5}),
        ({"epochs": "many"}, {"epochs": 5}),
        ({"epochs": True}, {"epochs": 5}),
        ({"epochs": 5}, {"epochs": None}),
        ({"learning_rate": 0.1}, {"learning_rate": 0.2}),
        ({}, {"epochs": 5}),
    ],
)
def test_parameters_that_scale_nothing_leave_the_duration(now: dict[str, Any], then: dict[str, Any]) -> None:
    assert expected_seconds(now, [measured(8.0, **then)]) == 8.0


@settings(max_examples=40)
@given(
    asked=st.dictionaries(st.sampled_from(["epochs", "folds", "rate"]), anything),
    earlier=st.lists(
        st.builds(
            Measured,
            seconds=st.floats(),
            parameters=st.dictionaries(st.sampled_from(["epochs", "folds", "rate"]), anything),
        )
    ),
)
def test_whatever_was_recorded_the_expectation_is_positive_or_none(
    asked: dict[str, Any], earlier: list[Measured]
) -> None:
    expected = expected_seconds(asked, earlier)
    assert expected is None or expected > 0
