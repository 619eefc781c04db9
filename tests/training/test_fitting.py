"""Tests of training/fitting.py: epochs mean something, inner folds choose, nothing outside the fold is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import fitting
import numpy as np
import pandas as pd
import pytest
from arrays import Target
from cohorts import Cohort
from evaluation import Estimator, predict
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

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


@pytest.mark.parametrize("fit", [fit_linear, fit_boosting])
def test_epochs_are_followed_and_the_best_number_is_used(fit: Callable[..., Estimator]) -> None:
    lines: list[dict[str, float]] = []
    model = fit(make_cohort(300), epochs=40, log=lambda **line: lines.append(line))
    best = min(lines, key=lambda line: line["loss"])["epoch"]
    assert 1 < len(lines) <= 40
    last = model[-1] if hasattr(model, "steps") else model
    assert (last.n_iter_ if fit is fit_boosting else last.max_iter) == best


@pytest.mark.parametrize("fit", [fit_linear, fit_boosting])
def test_one_epoch_is_less_trained_than_many(fit: Callable[..., Estimator]) -> None:
    cohort = make_cohort(400, kind="number")
    spread = [np.std(predict(fit(cohort, epochs=epochs), cohort.features, ())) for epochs in (1, 40)]
    assert spread[0] < 0.9 * spread[1]


def test_strong_penalties_are_chosen_where_there_is_nothing_to_learn() -> None:
    penalties: list[float] = []
    for seed in range(5):
        fit_linear(make_cohort(150, seed=seed).shuffled(seed), log=lambda **line: penalties.append(line["penalty"]))
    assert np.median(penalties) >= 0.3


def test_mean_risk_is_the_share_of_positives() -> None:
    cohort = make_cohort(200)
    risk = predict(fit_linear(cohort), cohort.features, cohort.classes)
    assert risk.mean() == pytest.approx(cohort.target.mean(), abs=1e-3)


class Spy(StandardScaler):  # type: ignore[misc]  # scikit-learn has no types
    """Scales, and remembers on which rows."""

    rows: ClassVar[list[set[int]]] = []

    def fit(self, features: pd.DataFrame, target: Target | None = None) -> Self:
        self.rows.append(set(features.index))
        super().fit(features, target)
        return self


def test_a_person_is_not_split_between_inner_folds() -> None:
    """What chooses penalty and epochs must not know the person that it judges either."""
    cohort = make_cohort(200, people=30)
    assert cohort.person is not None
    Spy.rows.clear()
    fitting.fit_linear(Spy(), cohort, epochs=3, seed=0, log=lambda **_: None)
    *inner, everybody = Spy.rows
    assert len(inner) == 3
    assert everybody == set(range(200))
    for rows in inner:
        people = set(cohort.person[list(rows)])
        assert not people & set(cohort.person[list(everybody - rows)])


def test_preparation_is_fitted_on_the_rows_given_alone() -> None:
    cohort = make_cohort(100)
    model = fit_linear(cohort.take(np.arange(60)))
    assert model[0].mean_ == pytest.approx(cohort.features.iloc[:60].mean().to_numpy())
