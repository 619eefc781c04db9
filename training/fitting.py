"""Own how iterative models are fitted by epochs: inner validation chooses how many, then all rows are used.

Its rows are one outer fold's fit rows; the fold's held-out rows never come here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from evaluation import CERTAIN, calibration_line, inner_split
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.pipeline import Pipeline, make_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from arrays import Floats
    from cohorts import Cohort
    from evaluation import Estimator

    InnerFold = tuple[Floats, Cohort, Floats, Cohort]  # prepared rows to fit on, their cohort; the same held out

PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)  # L2, on standardised columns; strongest first
LADDER = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300, 500, 800)
"""Numbers of epochs that are compared: between them the loss hardly moves, and a call costs more than a pass."""
PATIENCE = 3  # rungs of the ladder without a better loss before a penalty is abandoned


@dataclass(frozen=True)
class Curve:
    """Validation losses by number of epochs."""

    epochs: list[int]
    losses: list[float]
    penalty: float = 0.0

    @property
    def best(self) -> int:
        """The number of epochs with the lowest loss."""
        return self.epochs[int(np.argmin(self.losses))]

    def report(self, log: Callable[..., None]) -> None:
        """Log every point."""
        for epoch, loss in zip(self.epochs, self.losses, strict=True):
            log(epoch=epoch, loss=loss, **({"penalty": self.penalty} if self.penalty else {}))


def fit_linear(  # noqa: PLR0913  (what is fitted, on whom, and how long)
    preparation: Estimator,
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
        _prepared(preparation, cohort.take(rows), cohort.take(held_out)) for rows, held_out in inner_split(cohort, seed)
    ]
    curves = [_follow(inner, cohort, penalty, epochs, seed) for penalty in penalties]
    best = min(curves, key=lambda curve: min(curve.losses))
    best.report(log)

    pipeline = make_pipeline(clone(preparation), _sgd(cohort, best.penalty, best.best, seed))
    seen = pipeline[:-1].fit_transform(cohort.features, cohort.target)
    pipeline[-1].fit(seen, cohort.target)
    _settle(pipeline[-1], seen, cohort)
    return pipeline


def fit_boosting(
    cohort: Cohort, *, epochs: int, seed: int, log: Callable[..., None], trees: Mapping[str, float]
) -> HistGradientBoostingClassifier | HistGradientBoostingRegressor:
    """Fit gradient-boosted trees, at most one tree (per class) per epoch; inner folds choose how many.

    `trees` are settings of scikit-learn's model, such as its learning rate.
    """
    kind = HistGradientBoostingRegressor if cohort.question == "number" else HistGradientBoostingClassifier
    settings = {"early_stopping": False, "categorical_features": "from_dtype", "random_state": seed, **trees}
    losses = []
    for rows, held_out in inner_split(cohort, seed):
        seen, unseen = cohort.take(rows), cohort.take(held_out)
        model = kind(max_iter=epochs, **settings).fit(seen.features, seen.target)
        losses.append([_loss(answer, unseen, model) for answer in _stages(model, unseen)])
    curve = Curve([*range(1, epochs + 1)], [float(loss) for loss in np.mean(losses, axis=0)])
    curve.report(log)
    return kind(max_iter=curve.best, **settings).fit(cohort.features, cohort.target)


def _prepared(preparation: Estimator, seen: Cohort, unseen: Cohort) -> InnerFold:
    """Fit the preparation on the seen rows alone and apply it to both."""
    fitted = clone(preparation).fit(seen.features, seen.target)
    return fitted.transform(seen.features), seen, fitted.transform(unseen.features), unseen


def _sgd(cohort: Cohort, penalty: float, epochs: int, seed: int) -> SGDClassifier | SGDRegressor:
    """Return a model that makes exactly `epochs` passes: without a tolerance SGD neither stops early nor warns."""
    settings = {"alpha": penalty, "max_iter": epochs, "tol": None, "random_state": seed}
    if cohort.question == "number":
        return SGDRegressor(learning_rate="invscaling", eta0=0.005, **settings)
    return SGDClassifier(loss="log_loss", **settings)


def _settle(model: SGDClassifier | SGDRegressor, seen: Floats, cohort: Cohort) -> None:
    """Move the intercept until the mean prediction is right: SGD leaves it where the last rows pushed it."""
    score = (seen @ model.coef_.T + model.intercept_).ravel()
    if cohort.question == "number":
        model.intercept_ += np.mean(cohort.target - score)
    elif cohort.question == "binary":
        model.intercept_ += calibration_line(cohort.target, 1 / (1 + np.exp(-np.clip(score, -30, 30))))[1]


def _follow(inner: list[InnerFold], cohort: Cohort, penalty: float, epochs: int, seed: int) -> Curve:
    """Climb the ladder of epochs until the mean validation loss of the inner folds no longer falls."""
    rungs, losses = [rung for rung in LADDER if rung < epochs] + [epochs], []
    for rung in rungs:
        models = [_sgd(cohort, penalty, rung, seed).fit(rows, seen.target) for rows, seen, _, _ in inner]
        held_out = [(rows, unseen) for _, _, rows, unseen in inner]
        each = [_loss(_answer(m, rows), unseen, m) for m, (rows, unseen) in zip(models, held_out, strict=True)]
        losses.append(float(np.mean(each)))
        if len(losses) - 1 - int(np.argmin(losses)) >= PATIENCE:
            break
    return Curve(rungs[: len(losses)], losses, penalty)


def _stages(model: Estimator, unseen: Cohort) -> Iterator[Floats]:
    """Yield the answers after every epoch."""
    staged = model.staged_predict if unseen.question == "number" else model.staged_predict_proba
    yield from staged(unseen.features)


def _answer(model: SGDClassifier | SGDRegressor, rows: Floats) -> Floats:
    """Compute `predict_proba` or `predict` without checks that cost more than the arithmetic."""
    score: Floats = rows @ model.coef_.T + model.intercept_
    if isinstance(model, SGDRegressor):
        return score.ravel()
    risk = 1 / (1 + np.exp(-np.clip(score, -30, 30)))
    return np.hstack([1 - risk, risk]) if risk.shape[1] == 1 else risk / risk.sum(axis=1, keepdims=True)


def _loss(answer: Floats, unseen: Cohort, model: Estimator) -> float:
    """Return the mean squared error of numbers, the log loss of risks; an unseen class has risk 0."""
    if not unseen.classes:
        return float(np.mean((answer - unseen.target) ** 2))
    risk = np.zeros((len(unseen), len(unseen.classes)))
    risk[:, model.classes_] = answer
    return float(-np.log(np.clip(risk[np.arange(len(unseen)), unseen.target], CERTAIN, 1)).mean())
