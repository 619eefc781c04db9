"""Own predictions for people who were not in the fit: how they come about, and what is judged of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd
import reliance
from arrays import Floats, Fold, Mask, Rows
from cohorts import Cohort
from folds import divisions, seed_of
from threadpoolctl import threadpool_limits

from pytest_training import Run
from pytest_training.evaluation.record import Predictions, make
from pytest_training.evaluation.result import Evaluation

Estimator = Any  # scikit-learn has no types


class Fit(Protocol):
    """Fit a model, its preparation included, on these people alone."""

    def __call__(self, cohort: Cohort, *, seed: int, log: Callable[..., None]) -> Estimator:
        """Return a fitted scikit-learn estimator that takes `cohort.features`."""


@dataclass(frozen=True, kw_only=True)
class OutOfFold:
    """Predictions for people who were not in the fit."""

    cohort: Cohort
    predicted: Floats
    """Repeats x rows: risk of the positive class, or the number; x classes where there are more than two."""
    fold: Rows
    """Repeats x rows: the fold that held out the row."""
    relies_on: dict[str, float]
    """By block of columns, the fall of the headline metric when it is permuted; the largest first."""

    def of(self, rows: Mask) -> OutOfFold:
        """Return the same predictions for some of the people."""
        cohort = self.cohort.take(np.flatnonzero(rows))
        return replace(self, cohort=cohort, predicted=self.predicted[:, rows], fold=self.fold[:, rows])


def cross_validate(  # noqa: PLR0913  (the defaults are what most jobs want)
    run: Run,
    cohort: Cohort,
    fit: Fit,
    *,
    folds: int,
    repeats: int = 1,
    importance: bool = True,
    checkpoint: bool = False,
    stage: tuple[int, int] = (0, 1),
) -> OutOfFold:
    """Predict every row by a model that was fitted on other people alone."""
    parts = divisions(cohort, folds=folds, repeats=repeats, seed=run.seed)
    return predict_held_out(run, cohort, fit, parts, importance=importance, checkpoint=checkpoint, stage=stage)


def predict_held_out(  # noqa: PLR0913  (the defaults are what most jobs want)
    run: Run,
    cohort: Cohort,
    fit: Fit,
    parts: list[list[Fold]],
    *,
    importance: bool = True,
    checkpoint: bool = False,
    stage: tuple[int, int] = (0, 1),
) -> OutOfFold:
    """Fit on each part's fit rows and predict its held-out rows; drop rows that no part holds out.

    `importance` permutes each block of columns in the first part's folds, which costs about as much as a fit.
    `checkpoint` saves the state after each fold and resumes from it; each fold has its own seed, so a resumed run
    returns the same metrics. `stage` is (index, count) if the job makes several such calls: its progress then covers
    all of them.
    """
    shape = (len(parts), len(cohort), *([len(cohort.classes)] if cohort.question == "classes" else []))
    predicted, fold_of = np.full(shape, np.nan), np.full(shape[:2], -1)
    losses: list[dict[str, float]] = []
    done, total = 0, sum(map(len, parts))
    if checkpoint and (state := run.checkpoint.load()):
        predicted, fold_of, losses, done = state["predicted"], state["fold_of"], state["losses"], state["done"]
    each_fold = [(repeat, fold, *rows) for repeat, part in enumerate(parts) for fold, rows in enumerate(part)]
    with threadpool_limits(limits=1, user_api="blas"):  # its threads add in another order: another last digit
        for repeat, fold, rows, held_out in each_fold[done:]:
            seed, unseen = seed_of(run.seed, repeat, fold), cohort.take(held_out)
            model = fit(cohort.take(rows), seed=seed, log=partial(run.log, repeat=repeat, fold=fold))
            predicted[repeat, held_out] = predict(model, unseen.features, cohort.classes)
            fold_of[repeat, held_out] = fold
            if importance and repeat == 0:
                losses.append(reliance.losses(partial(predict, model, classes=cohort.classes), unseen, seed))
            done += 1
            run.progress(stage[0] * total + done, stage[1] * total)
            if checkpoint:
                run.checkpoint.save(done=done, predicted=predicted, fold_of=fold_of, losses=losses)
    judged = np.flatnonzero((fold_of >= 0).all(axis=0))
    kept = {"predicted": predicted[:, judged], "fold": fold_of[:, judged]}
    return OutOfFold(cohort=cohort.take(judged), relies_on=reliance.mean(losses), **kept)


def predict(model: Estimator, features: pd.DataFrame | Floats, classes: tuple[str, ...]) -> Floats:
    """Return the positive class's risk, every class's risk, or (without classes) the number."""
    if not classes:
        numbers: Floats = model.predict(features)
        return numbers
    risk = np.zeros((len(features), len(classes)))
    risk[:, model.classes_] = model.predict_proba(features)  # a fold may lack a class that groups keep together
    return risk[:, 1] if len(classes) == 2 else risk


def record_of(predictions: OutOfFold) -> Predictions:
    """Return the predictions as the record from which every metric follows."""
    return make(predictions.cohort.target, predictions.predicted, **_stated(predictions))


def judge(
    run: Run, predictions: OutOfFold, *, cutoff: float = 0.5, name: str = "", over: Evaluation | None = None
) -> Evaluation:
    """Hand the predictions to the run: it keeps them, and every metric with its interval follows from them.

    `cutoff` is the risk from which somebody counts as positive; it is stated, not tuned. `over` is what another model
    came to on the same people: the gain over it is then a metric.
    """
    truth, stated = predictions.cohort.target, _stated(predictions)
    with threadpool_limits(limits=1, user_api="blas"):
        return run.predictions(truth, predictions.predicted, **stated, cutoff=cutoff, name=name, against=over)


def _stated(predictions: OutOfFold) -> dict[str, Any]:
    cohort = predictions.cohort
    whose = {"person": cohort.person, "subgroup": cohort.subgroup, "classes": cohort.classes}
    return {**whose, "fold": predictions.fold}
