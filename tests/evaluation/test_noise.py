"""Means and differences over seeds: equal to scipy's, and their intervals cover."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_training.evaluation.noise import Mean, mean_interval, t_quantile, welch

STUDIES = 2_000
WORSE = 0.9  # level of an interval whose one end excludes 0 in 5 % of equal pairs


def test_quantiles_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for probability in (0.2, 0.5, 0.6, 0.9, 0.975, 0.9999):
        for freedom in (1, 1.3, 2, 3.7, 8, 30, 5000):
            assert t_quantile(probability, freedom) == pytest.approx(
                stats.t.ppf(probability, freedom), rel=1e-9, abs=1e-12
            )


def test_a_difference_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    now, before = [0.81, 0.83, 0.80, 0.86], [0.79, 0.74, 0.81]
    expected = stats.ttest_ind(now, before, equal_var=False).confidence_interval(0.9)
    difference = welch(mean_interval(now), mean_interval(before), 0.9)
    assert difference is not None
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_one_number_has_no_interval() -> None:
    alone = mean_interval([0.8])
    assert alone.value == 0.8
    assert alone.low != alone.low
    assert welch(alone, mean_interval([0.7, 0.8])) is None


@pytest.mark.parametrize(
    ("metric", "numbers", "low", "high"),
    [
        ("specificity", [0.95, 0.95, 0.8], None, 1.0),
        ("external_ppv_sex_female", [0.99, 0.98, 0.87], None, 1.0),
        ("fpr", [0.0, 0.1], 0.0, None),
        ("r2", [-0.2, 0.9], None, 1.0),
        ("mae", [0.1, 3.0], 0.0, None),
        ("accuracy", [99.0, 80.0], None, None),  # per cent
        ("auc_gain", [0.0, 0.1], None, None),
        ("loss", [0.0, 0.9], None, None),
    ],
)
def test_an_interval_over_seeds_ends_where_its_metric_does(
    metric: str, numbers: list[float], low: float | None, high: float | None
) -> None:
    mean, free = mean_interval(numbers, metric), mean_interval(numbers)
    assert mean.low == (free.low if low is None else low)
    assert mean.high == (free.high if high is None else high)
    assert (mean.value, mean.sd) == (free.value, free.sd)


def test_equal_numbers_differ_by_their_difference() -> None:
    difference = welch(Mean(0.8, 0.0, 0.8, 0.8, 3), Mean(0.7, 0.0, 0.7, 0.7, 3))
    assert difference is not None
    assert difference.is_beyond_noise


FINITE = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5)


@settings(max_examples=60)
@given(FINITE, FINITE)
def test_diverged_numbers_have_a_mean_and_a_difference(now: list[float], before: list[float]) -> None:
    means = (mean_interval(now), mean_interval(before))
    for mean, numbers in zip(means, (now, before), strict=True):
        assert min(numbers) <= mean.value <= max(numbers)
    difference = welch(means[0], means[1])
    assert (difference is None) == (min(len(now), len(before)) == 1)


def test_intervals_of_five_seeds_cover_and_shifts_are_found() -> None:
    draw = random.Random(1)  # noqa: S311  (numbers for a simulation)
    covered = false_worse = shifts_found = 0
    for _ in range(STUDIES):
        now, same, better = (mean_interval([draw.gauss(mean, 1) for _ in range(5)]) for mean in (0, 0, 2))
        covered += now.low <= 0 <= now.high
        equal, shifted = welch(now, same, WORSE), welch(now, better, WORSE)
        assert equal is not None
        assert shifted is not None
        false_worse += equal.high < 0
        shifts_found += shifted.high < 0
    assert 0.92 <= covered / STUDIES <= 0.98
    assert false_worse / STUDIES <= 0.06  # 5 % and what chance adds to 2,000
    assert shifts_found / STUDIES >= 0.8
