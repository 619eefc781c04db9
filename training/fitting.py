"""Own how models are fitted: inner folds choose penalty or number of trees, then all rows are used.

Its rows are one outer fold's fit rows; the fold's held-out rows never come here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np
from arrays import Floats, Fold, Target
from cohorts import Cohort
from folds import inner_split
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from validation import Estimator

CERTAIN = 1e-6  # a risk of 0 is taken as this close to it, so that its logarithm is finite
PENALTIES = np.array([10, 3, 1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001])
"""L2, per row of standardised columns, strongest first: one grid for every job, wider than any of them needs."""


def fit_linear(preparation: Estimator, cohort: Cohort, *, epochs: int, seed: int, log: Callable[..., None]) -> Pipeline:
    """Fit `preparation` and a linear model with an L2 penalty, in at most `epochs` steps of its solver.

    Logistic regression for classes, least squares for a number. Inner folds choose the penalty.
    """
    inner = inner_split(cohort, seed)
    strengths = PENALTIES * np.mean([len(rows) for rows, _ in inner])
    choose = _ridge if cohort.question == "number" else _logistic
    prepared = clone(preparation)
    columns = prepared.fit_transform(cohort.features, cohort.target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # `epochs` asks for no more steps
        model, losses = choose(columns, cohort.target, inner=inner, strengths=strengths, epochs=epochs)
    for step, loss in enumerate(losses):
        log(step=step, loss=float(loss))  # one step per penalty, strongest first
    log(penalty=float(PENALTIES[np.argmin(losses)]))
    return make_pipeline(prepared, model)


def _logistic(
    columns: Floats, target: Target, *, inner: list[Fold], strengths: Floats, epochs: int
) -> tuple[Estimator, Floats]:
    """Return the model with the least log loss on inner held-out rows, and that loss per penalty."""
    model = LogisticRegressionCV(
        Cs=1 / strengths,
        cv=inner,
        scoring=_log_likelihood,
        solver="newton-cg",  # a few steps for a whole path of penalties, also where columns outnumber people
        max_iter=epochs,
        l1_ratios=(0.0,),
        use_legacy_attributes=False,
    ).fit(columns, target)
    return model.set_params(cv=None, scoring=None), -model.scores_.mean(axis=(0, 1))


def _log_likelihood(model: Estimator, columns: Floats, target: Target) -> float:
    """Return what scikit-learn's `neg_log_loss` does, without its checks: they took longer than the fits."""
    score = columns @ np.atleast_2d(model.coef_).T + model.intercept_
    score = np.hstack([np.zeros_like(score), score]) if score.shape[1] == 1 else score
    own = score[np.arange(len(target)), np.searchsorted(model.classes_, target)]
    return float(np.mean(own - np.logaddexp.reduce(score, axis=1)))


def _ridge(
    columns: Floats, target: Target, *, inner: list[Fold], strengths: Floats, epochs: int
) -> tuple[Estimator, Floats]:
    """Return the model with the least squared error on inner held-out rows, and that error per penalty."""
    model = Ridge(solver="lsqr", max_iter=epochs, tol=1e-6)
    search = GridSearchCV(model, {"alpha": strengths}, cv=inner, scoring="neg_mean_squared_error")
    search.fit(columns, target)
    return search.best_estimator_, -search.cv_results_["mean_test_score"]


def fit_boosting(
    cohort: Cohort, *, epochs: int, seed: int, log: Callable[..., None], trees: Mapping[str, float]
) -> HistGradientBoostingClassifier | HistGradientBoostingRegressor:
    """Fit gradient-boosted trees, at most one tree (per class) per epoch; inner folds choose how many.

    `trees` are settings of scikit-learn's model, such as its learning rate.
    """
    kind = HistGradientBoostingRegressor if cohort.question == "number" else HistGradientBoostingClassifier
    settings = {"early_stopping": False, "categorical_features": "from_dtype", "random_state": seed, **trees}
    by_fold = []
    for rows, held_out in inner_split(cohort, seed):
        seen, unseen = cohort.take(rows), cohort.take(held_out)
        model = kind(max_iter=epochs, **settings).fit(seen.features, seen.target)
        after_each_epoch = model.staged_predict_proba if cohort.classes else model.staged_predict
        by_fold.append([_loss(answer, unseen, model) for answer in after_each_epoch(unseen.features)])
    losses = np.mean(by_fold, axis=0)
    for epoch, loss in enumerate(losses, 1):
        log(epoch=epoch, loss=float(loss))
    return kind(max_iter=int(np.argmin(losses)) + 1, **settings).fit(cohort.features, cohort.target)


def _loss(answer: Floats, unseen: Cohort, model: Estimator) -> float:
    """Return the mean squared error of numbers, the log loss of risks; an unseen class has risk 0."""
    if not unseen.classes:
        return float(np.mean((answer - unseen.target) ** 2))
    risk = np.zeros((len(unseen), len(unseen.classes)))
    risk[:, model.classes_] = answer
    return float(-np.log(np.clip(risk[np.arange(len(unseen)), unseen.target], CERTAIN, 1)).mean())
