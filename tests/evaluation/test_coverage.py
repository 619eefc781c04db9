"""Intervals cover, and paired tests are right about equal and unequal models: benchmarks/covering.py, reduced."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pytest_training.evaluation import comparison
from pytest_training.evaluation.interval import variance
from pytest_training.evaluation.metrics import figure, measures

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import covering

pytestmark = pytest.mark.slow
FEW, MANY = 40, 100  # simulated studies


@pytest.mark.parametrize(
    ("people", "prevalence", "model", "apart"),
    [(126, 0.27, "linear", 1.0), (126, 0.27, "linear", 0.0), (126, 0.1, "boosted", 1.0), (333, 0.5, "boosted", 1.0)],
)
def test_intervals_cover(people: int, prevalence: float, model: str, apart: float) -> None:
    """Of 100 studies 95 % are 95; 87 would be four standard deviations less."""
    values, low, high = covering.simulate(people, prevalence, covering.MODELS[model], MANY, apart=apart)
    truth = values.mean() if apart else 0.5
    assert np.sum((low <= truth) & (truth <= high)) >= 87


def test_predictions_given_the_models_alone_vary_too_little_which_is_why_repeats_are_needed() -> None:
    """A shuffled target: what one division into folds shows is half of the variance of the AUC."""
    random = np.random.default_rng(0)
    features, target = random.normal(size=(126, 8)), np.arange(126) % 4 == 0
    made = [
        covering.cross_validated(features, random.permutation(target).astype(int), covering.linear, random)
        for _ in range(MANY)
    ]
    own = [figure(each, measures(each)["roc_auc"]) for each in made]
    true = np.var([each.value for each in own], ddof=1)
    given_models = np.mean([(each.influence.mean(axis=0) ** 2).sum() for each in own])
    assert given_models < 0.7 * true
    assert 0.75 * true < np.mean([variance(each.influence, 5, each.noise) for each in own]) < 1.4 * true


@pytest.mark.parametrize(
    ("columns", "weights", "least", "most"),
    [
        (((0, 1, 2, 3), (4, 5, 6, 7)), (0.4, 0.2, 0, 0, 0.4, 0.2, 0, 0), 0.0, 0.05),  # equal models
        ((range(8), (0, 1, 2, 3, 5, 6, 7)), (0.4, 0.4, 0.4, 0.2, 0.47, 0, 0, 0), 0.8, 1.0),  # 0.03 of AUC apart
    ],
)
def test_a_paired_test_is_right(
    columns: Sequence[Sequence[int]], weights: Sequence[float], least: float, most: float
) -> None:
    random = np.random.default_rng(1)
    found = 0
    for _ in range(FEW):
        target = (random.random(1000) < 0.27).astype(int)
        features = random.normal(size=(1000, 8)) + np.array(weights) * target[:, None]
        seed = int(random.integers(2**31))
        one, other = (
            covering.cross_validated(features[:, own], target, covering.linear, np.random.default_rng(seed))
            for own in map(list, columns)
        )
        found += comparison.gain(one, other)["gain_p"] < 0.05
    assert least <= found / FEW <= most


@pytest.mark.parametrize("times", [1, 5])
@pytest.mark.parametrize("model", ["linear", "boosted"])
def test_models_fitted_anew_are_seldom_called_worse(model: str, times: int) -> None:
    """Of 60 pairs 5 % are 3; 9 would be four standard deviations more. Fixed predictions call up to 18 % worse."""
    random, worse = np.random.default_rng(times), 0
    for _ in range(60):
        target = (random.random(126) < 0.3).astype(int)
        features = random.normal(size=(126, 8)) + np.array([0.5, 0.3, 0, 0, 0.5, 0.3, 0, 0]) * target[:, None]
        one, other = (
            covering.cross_validated(features, target, covering.MODELS[model], random, times) for _ in range(2)
        )
        worse += comparison.differences(one, other)["roc_auc"].high < 0
    assert worse <= 8


def test_the_models_of_the_simulation_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    features, target = random.normal(size=(200, 5)), np.arange(200) % 3 == 0
    fitted = random.random((2, 200)) < 0.8
    for risk, own in zip(covering.linear(features, target.astype(int), fitted), fitted, strict=True):
        model = LogisticRegression(tol=1e-10).fit(features[own], target[own])
        assert np.abs(model.predict_proba(features)[:, 1] - risk).max() < 1e-4
