"""The minimum sample size against the published values of the R package pmsampsize 1.1.3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_training.evaluation.sample_size import largest_r2, minimum_people


@pytest.mark.parametrize(
    ("explained", "shrinkage", "optimism"),
    [(0.2, 918, 401), (0.3, 574, 351)],  # its tests 2.1 and 2.2: parameters=25
)
def test_numbers_as_published(explained: float, shrinkage: int, optimism: int) -> None:
    found = minimum_people(25, explained=explained)
    assert found.criteria == {"shrinkage": shrinkage, "optimism": optimism, "residuals": 259}
    assert found.people == shrinkage


def test_few_people_that_would_do_by_chance_of_the_formula_do_not_count() -> None:
    """5 people shrink by 0.096, 6 and 7 by more than a tenth: only from 8 on it holds for all."""
    assert minimum_people(3, explained=0.5).criteria["shrinkage"] == 8


def test_binary_as_published() -> None:
    """`pmsampsize(type="b", csrsquared=0.288, parameters=24, prevalence=0.174)`: 623, 662 and 221."""
    found = minimum_people(24, (0.826, 0.174), explained=0.288 / largest_r2(0.174))
    assert found.criteria == {"shrinkage": 623, "optimism": 662, "overall risk": 221}
    assert (found.people, round(found.explained, 3)) == (662, 0.288)


shares = st.lists(st.floats(0.02, 1), min_size=2, max_size=5)
explained_parts = st.floats(0.01, 0.85)


@given(parameters=st.integers(1, 5000), shares=st.just([]) | shares, explained=explained_parts)
def test_more_parameters_never_need_fewer_people(parameters: int, shares: list[float], explained: float) -> None:
    fewer, more = (minimum_people(parameters + extra, shares, explained=explained) for extra in (0, 1))
    assert 0 < fewer.people <= more.people
    assert fewer.people == max(fewer.criteria.values())


@given(shares)
def test_the_order_of_classes_and_counts_do_not_matter(shares: list[float]) -> None:
    assert minimum_people(10, shares).people == pytest.approx(
        minimum_people(10, [50 * each for each in shares[::-1]]).people, abs=1
    )


@pytest.mark.parametrize(
    ("parameters", "shares", "explained"), [(0, [1, 1], 0.15), (3, [1], 0.15), (3, [], 0.95), (3, [], 0)]
)
def test_what_cannot_be_answered_is_refused(parameters: int, shares: list[float], explained: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        minimum_people(parameters, shares, explained=explained)
