"""Own how iterative models are fitted by epochs: inner validation chooses how many, then all rows are used.

The rows given are one outer fold's; what is held out of that fold is never seen here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from evaluation import CERTAIN, calibration_line, split
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.pipeline import Pipeline, make_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cohorts import Cohort

INNER_FOLDS = 3
PATIENCE = 8  # epochs without a better validation loss before a penalty is given up
PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)  # L2, on standardised columns; strongest first


@dataclass(frozen=True)
class Curve:
    """Validation losses by epoch, as far as they were followed."""

    losses: list[float]
    penalty: float = 0.0

    @property
    def epochs(self) -> int:
        """How many epochs give the lowest loss."""
        return int(np.argmin(self.losses)) + 1


def fit_linear(  # noqa: PLR0913  (what is fitted, on whom, and how long)
    preparation: Any,
    cohort: Cohort,
    *,
    epochs: int,
    seed: int,
    log: Callable[..., None],
    penalties: tuple[float, ...] = PENALTIES,
) -> Pipeline:
    """Fit `preparation` and a penalised linear model by SGD, one pass over the rows per epoch.

    Logistic regression for classes, least squares for a number. Inner folds choose the penalty and, at its
    lowest loss, the number of epochs; then all rows are fitted that long.
    """
    inner = [
        _prepared(preparation, cohort.take(rows), cohort.take(held_out))
        for rows, held_out in _inner(cohort, seed)
    ]
    curves = [_follow(inner, cohort, penalty, epochs, seed) for penalty in penalties]
    best = min(curves, key=lambda curve: min(curve.losses))
    for epoch, loss in enumerate(best.losses):
        log(epoch=epoch, loss=loss, penalty=best.penalty)

    pipeline = make_pipeline(clone(preparation), _sgd(cohort, best.penalty, seed))
    seen = pipeline[:-1].fit_transform(cohort.features, cohort.target)
    for _ in range(best.epochs):
        _one_pass(pipeline[-1], seen, cohort)
    _settle(pipeline[-1], seen, cohort)
    return pipeline


def fit_boosting(
    cohort: Cohort, *, epochs: int, seed: int, log: Callable[..., None], **settings: Any
) -> HistGradientBoostingClassifier | HistGradientBoostingRegressor:
    """Fit gradient-boosted trees, at most one tree (per class) per epoch; inner folds choose how many."""
    kind = HistGradientBoostingRegressor if cohort.question == "number" else HistGradientBoostingClassifier
    settings = {
        "early_stopping": False,
        "categorical_features": "from_dtype",
        "random_state": seed,
        **settings,
    }
    losses = []
    for rows, held_out in _inner(cohort, seed):
        seen, unseen = cohort.take(rows), cohort.take(held_out)
        model = kind(max_iter=epochs, **settings).fit(seen.features, seen.target)
        known = model.classes_ if cohort.classes else None
        losses.append([_loss(answer, unseen.target, known) for answer in _stages(model, unseen)])
    curve = Curve([float(loss) for loss in np.mean(losses, axis=0)])
    for epoch, loss in enumerate(curve.losses):
        log(epoch=epoch, loss=loss)
    return kind(max_iter=curve.epochs, **settings).fit(cohort.features, cohort.target)


def _inner(cohort: Cohort, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return split(cohort, INNER_FOLDS, seed)


def _prepared(
    preparation: Any, seen: Cohort, unseen: Cohort
) -> tuple[np.ndarray, Cohort, np.ndarray, Cohort]:
    """Fit the preparation on the seen rows alone and apply it to both."""
    fitted = clone(preparation).fit(seen.features, seen.target)
    return fitted.transform(seen.features), seen, fitted.transform(unseen.features), unseen


def _sgd(cohort: Cohort, penalty: float, seed: int) -> SGDClassifier | SGDRegressor:
    if cohort.question == "number":
        return SGDRegressor(alpha=penalty, learning_rate="invscaling", eta0=0.005, random_state=seed)
    return SGDClassifier(loss="log_loss", alpha=penalty, random_state=seed)


def _one_pass(model: Any, seen: np.ndarray, cohort: Cohort) -> None:
    classes = {"classes": np.arange(len(cohort.classes))} if cohort.classes else {}
    model.partial_fit(seen, cohort.target, **classes)


def _settle(model: Any, seen: np.ndarray, cohort: Cohort) -> None:
    """Move the intercept until the mean prediction is right: SGD leaves it where the last rows pushed it."""
    score = (seen @ model.coef_.T + model.intercept_).ravel()
    if cohort.question == "number":
        model.intercept_ += np.mean(cohort.target - score)
    elif cohort.question == "binary":
        model.intercept_ += calibration_line(cohort.target, 1 / (1 + np.exp(-np.clip(score, -30, 30))))[1]


def _follow(inner: list[Any], cohort: Cohort, penalty: float, epochs: int, seed: int) -> Curve:
    """Train on every inner fold side by side until their mean validation loss no longer falls."""
    models = [_sgd(cohort, penalty, seed) for _ in inner]
    losses: list[float] = []
    while len(losses) < epochs and (not losses or len(losses) - int(np.argmin(losses)) <= PATIENCE):
        each = []
        for model, (seen, fold, unseen, held_out) in zip(models, inner, strict=True):
            _one_pass(model, seen, fold)
            each.append(_loss(_answer(model, unseen), held_out.target, np.arange(len(cohort.classes))))
        losses.append(float(np.mean(each)))
    return Curve(losses, penalty)


def _stages(model: Any, unseen: Cohort) -> Iterator[np.ndarray]:
    """Yield the answers after every epoch."""
    staged = model.staged_predict if unseen.question == "number" else model.staged_predict_proba
    return staged(unseen.features)


def _answer(model: SGDClassifier | SGDRegressor, rows: np.ndarray) -> np.ndarray:
    """Return what `predict_proba` or `predict` would, without checks that cost more than the arithmetic."""
    score = rows @ model.coef_.T + model.intercept_
    if isinstance(model, SGDRegressor):
        return score.ravel()
    risk = 1 / (1 + np.exp(-np.clip(score, -30, 30)))
    return np.hstack([1 - risk, risk]) if risk.shape[1] == 1 else risk / risk.sum(axis=1, keepdims=True)


def _loss(answer: np.ndarray, target: np.ndarray, classes: np.ndarray | None) -> float:
    """Return the mean squared error of numbers, the log loss of risks."""
    if answer.ndim == 1:
        return float(np.mean((answer - target) ** 2))
    column = np.searchsorted(classes, target)
    return float(-np.log(np.clip(answer[np.arange(len(target)), column], CERTAIN, 1)).mean())
