"""Tests of training/folds.py: nobody on both sides, shares of classes, and seeds that no two runs share."""

from __future__ import annotations

import folds
import numpy as np
import pytest

from .samples import make_cohort


@pytest.mark.parametrize("kind", ["binary", "classes", "number"])
@pytest.mark.parametrize("split", [folds.inner_split, lambda cohort, seed: folds.split(cohort, 5, seed)])
def test_a_person_is_never_on_both_sides(kind: str, split: object) -> None:
    cohort = make_cohort(200, kind=kind, people=40)
    assert cohort.person is not None
    assert callable(split)
    for fit, held_out in split(cohort, 0):
        assert not set(cohort.person[fit]) & set(cohort.person[held_out])


def test_folds_keep_the_share_of_classes() -> None:
    cohort = make_cohort(200)
    shares = [cohort.target[held_out].mean() for _, held_out in folds.split(cohort, 5, seed=0)]
    assert np.ptp(shares) <= 0.03


def test_no_two_seeds_of_any_runs_are_alike() -> None:
    """Seed 0's second repeat was seed 1's first: figures over seeds then differ too little."""
    seeds = [folds.seed_of(run, repeat, fold) for run in range(50) for repeat in range(10) for fold in range(-1, 10)]
    assert len(set(seeds)) == len(seeds)
    cohort = make_cohort()
    first, other = (folds.divisions(cohort, folds=5, repeats=3, seed=seed) for seed in (0, 1))
    held_out = [tuple(part[0][1]) for part in (*first, *other)]
    assert len(set(held_out)) == 6


@pytest.mark.parametrize(("number", "message"), [(1, "2 folds or more"), (80, r"80 folds need at least 80 people")])
def test_folds_that_cannot_be_made_are_refused(number: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        folds.divisions(make_cohort(), folds=number, repeats=1, seed=0)
