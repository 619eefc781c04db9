"""Tests of training/fitting.py: epochs mean something, inner folds choose, nothing outside the fold is seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fitting
import numpy as np
import pandas as pd
import pytest
from cohorts import Cohort
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler
from validation import Estimator, predict

from pytest_training.execution.attempt.run import Run

from .samples import make_cohort

KINDS = ["binary", "classes", "number"]


def fit_linear(cohort: Cohort, epochs: int = 30, **more: Any) -> Estimator:
    return fitting.fit_linear(StandardScaler(), cohort, epochs=epochs, seed=0, **{"log": lambda **_: None, **more})


def fit_boosting(cohort: Cohort, epochs: int = 30, **more: Any) -> Estimator:
    return fitting.fit_boosting(cohort, epochs=epochs, seed=0, trees={}, **{"log": lambda **_: None, **more})


@pytest.mark.parametrize("fit", [fit_linear, fit_boosting])
@pytest.mark.parametrize("kind", KINDS)
def test_models_learn_what_can_be_learned(fit: Callable[..., Estimator], kind: str) -> None:
    seen, unseen = make_cohort(600, kind=kind), make_cohort(600, kind=kind, seed=1)
    answer = predict(fit(seen), unseen.features, unseen.classes)
    if kind == "number":
        assert 0.4 < r2_score(unseen.target, answer) < 0.6  # the noise is as large as the signal
    else:
        assert roc_auc_score(unseen.target, answer, multi_class="ovr") > (0.75 if kind == "binary" else 0.68)


def test_trees_are_followed_and_their_best_number_is_used() -> None:
    lines: list[dict[str, float]] = []
    model = fit_boosting(make_cohort(300), epochs=40, log=lambda **line: lines.append(line))
    assert [line["epoch"] for line in lines] == [*range(1, 41)]
    assert model.n_iter_ == min(lines, key=lambda line: line["loss"])["epoch"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
def test_a_linear_model_takes_at_most_as_many_steps_as_epochs(kind: str) -> None:
    steps = [np.max(fit_linear(make_cohort(400, kind=kind), epochs=epochs)[-1].n_iter_) for epochs in (1, 2, 100)]
    assert steps[0] <= 1
    assert steps[1] <= 2
    assert steps[2] < 100


def test_one_tree_is_less_trained_than_many() -> None:
    cohort = make_cohort(400, kind="number")
    spread = [np.std(predict(fit_boosting(cohort, epochs=epochs), cohort.features, ())) for epochs in (1, 40)]
    assert spread[0] < 0.9 * spread[1]


def penalty_of(cohort: Cohort) -> float:
    lines: list[dict[str, float]] = []
    fit_linear(cohort, log=lambda **line: lines.append(line))
    return lines[-1]["penalty"]


def test_strong_penalties_are_chosen_where_there_is_nothing_to_learn(tmp_path: Path) -> None:
    tossed = [make_cohort(150, seed=seed).with_target_of(Run(folder=tmp_path, shuffle=seed)) for seed in range(1, 6)]
    assert np.median([penalty_of(cohort) for cohort in tossed]) >= 0.3


def test_the_penalty_is_chosen_on_people_who_were_not_fitted_on() -> None:
    """Ten rows of each person: a row of somebody who was fitted on would ask for hardly any penalty."""
    penalties = []
    for seed in range(5):
        random = np.random.default_rng(seed)
        once = pd.DataFrame(random.normal(size=(40, 12)))
        person = np.repeat(np.arange(40), 10)
        toss = random.permutation(np.arange(40) % 2)
        cohort = Cohort(features=once.iloc[person], target=toss[person], classes=("well", "ill"), person=person)
        penalties.append(penalty_of(cohort))
    assert np.median(penalties) >= 0.3


@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_the_likelihood_by_which_a_penalty_is_chosen_is_that_of_scikit_learn(kind: str) -> None:
    cohort = make_cohort(200, kind=kind)
    model = LogisticRegression().fit(cohort.features, cohort.target)
    own = fitting._log_likelihood(model, cohort.features.to_numpy(), cohort.target)
    assert own == pytest.approx(-log_loss(cohort.target, model.predict_proba(cohort.features)))


def test_mean_risk_is_the_share_of_positives() -> None:
    cohort = make_cohort(200)
    risk = predict(fit_linear(cohort), cohort.features, cohort.classes)
    assert risk.mean() == pytest.approx(cohort.target.mean(), abs=1e-3)


def test_preparation_is_fitted_on_the_rows_given_alone() -> None:
    cohort = make_cohort(100)
    model = fit_linear(cohort.take(np.arange(60)))
    assert model[0].mean_ == pytest.approx(cohort.features.iloc[:60].mean().to_numpy())
