"""Own every figure a job reports: folds, out-of-fold predictions, metrics with intervals, the dummy baseline.

Pictures and the model card are in `artifacts.py`, how iterative models are fitted in `fitting.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from folds import divisions, inner_split, seed_of
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from arrays import Floats, Fold, Mask, Rows, Target
    from cohorts import Cohort

    from pytest_training import Run

    Measure = Callable[[Target, Floats, Floats], Floats]

Estimator = Any  # scikit-learn has no types
RESAMPLES = 1000  # of people, for 95 % intervals: their ends move by less than 0.005 between seeds
SLAB = 100  # resamples at once: 6,000 people then take 5 MB, which stays in the cache
CERTAIN = 1e-6  # a risk of 0 or 1 is taken as this close to it, so that its log odds are finite


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
    baseline: Floats
    """The same of a dummy that is fitted on the target alone."""
    fold: Rows
    """Repeats x rows: the fold that held out the row."""
    importance: pd.DataFrame
    """Per block of columns (`block`, `loss`): the fall of the headline metric when it is permuted."""
    seed: int


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

    `importance` permutes each block of columns, which costs about as much as a fit. `checkpoint` saves the state after
    each fold and resumes from it; each fold has its own seed, so a resumed run returns the same figures.
    `stage` is (index, count) if the job makes several such calls: its progress then covers all of them.
    """
    shape = (len(parts), len(cohort), *([len(cohort.classes)] if cohort.question == "classes" else []))
    predicted, baseline = np.full(shape, np.nan), np.full(shape, np.nan)
    fold_of = np.full(shape[:2], -1)
    losses: list[pd.Series] = []
    done, total = 0, sum(map(len, parts))
    state = run.checkpoint.load() if checkpoint else None
    if state:
        predicted, baseline, fold_of = state["predicted"], state["baseline"], state["fold_of"]
        losses = [pd.Series(dict(pairs)) for pairs in state["losses"]]
    for repeat, folds in enumerate(parts):
        for fold, (rows, held_out) in enumerate(folds):
            if state and done < state["done"]:
                done += 1
                continue
            seed = seed_of(run.seed, repeat, fold)
            unseen = cohort.take(held_out)
            with threadpool_limits(limits=1, user_api="blas"):  # its threads add in another order: another last digit
                model = fit(cohort.take(rows), seed=seed, log=partial(run.log, repeat=repeat, fold=fold))
                predicted[repeat, held_out] = predict(model, unseen.features, cohort.classes)
            dummy = _dummy(cohort.take(rows))
            baseline[repeat, held_out] = predict(dummy, unseen.features, cohort.classes)
            fold_of[repeat, held_out] = fold
            losses += [_importance(model, unseen, seed)] if importance else []
            done += 1
            run.progress(stage[0] * total + done, stage[1] * total)
            if checkpoint:
                pairs = [[[str(name), value] for name, value in loss.items()] for loss in losses]
                run.checkpoint.save(done=done, predicted=predicted, baseline=baseline, fold_of=fold_of, losses=pairs)
    judged = np.flatnonzero((fold_of >= 0).all(axis=0))
    mean_loss = pd.concat(losses or [pd.Series(dtype=float)]).groupby(level=0, sort=False).mean().fillna(0.0)
    return OutOfFold(
        cohort=cohort.take(judged),
        predicted=predicted[:, judged],
        baseline=baseline[:, judged],
        fold=fold_of[:, judged],
        importance=mean_loss.rename_axis("block").reset_index(name="loss").sort_values("loss", ascending=False),
        seed=run.seed,
    )


def predict(model: Estimator, features: pd.DataFrame | Floats, classes: tuple[str, ...]) -> Floats:
    """Return the positive class's risk, every class's risk, or (without classes) the number."""
    if not classes:
        numbers: Floats = model.predict(features)
        return numbers
    risk = np.zeros((len(features), len(classes)))
    risk[:, model.classes_] = model.predict_proba(features)  # a fold may lack a class that groups keep together
    return risk[:, 1] if len(classes) == 2 else risk


def _dummy(cohort: Cohort) -> Estimator:
    kind = DummyRegressor(strategy="mean") if cohort.question == "number" else DummyClassifier(strategy="prior")
    return kind.fit(cohort.features, cohort.target)


def judge(predictions: OutOfFold, *, cutoff: float = 0.5, prefix: str = "") -> dict[str, float]:
    """Return every metric: the headline first, with 95 % intervals over people, beside the dummy baseline.

    `cutoff` is the risk from which somebody counts as positive; it is stated, not tuned.
    """
    measures = _measures(predictions.cohort, cutoff)
    weights = resample(predictions.cohort, predictions.seed)
    metrics: dict[str, float] = {}
    for name, measure in measures.items():
        values = _over_repeats(measure, predictions.cohort.target, predictions.predicted, weights)
        metrics |= with_interval(name, values)
    if predictions.cohort.question == "binary":
        lines = [calibration_line(predictions.cohort.target, risk) for risk in predictions.predicted]
        metrics["calibration_slope"], metrics["calibration_intercept"] = map(float, np.mean(lines, axis=0))
        metrics |= {} if prefix else {"cutoff": cutoff}
    for name in BASELINE[predictions.cohort.question]:
        value = _over_repeats(measures[name], predictions.cohort.target, predictions.baseline, weights[:1])
        metrics[f"baseline_{name}"] = float(value[0])
    return {prefix + name: value for name, value in metrics.items()}


def judge_beside(predictions: OutOfFold, prefix: str) -> dict[str, float]:
    """Return headline, Brier score and baseline of a second set of predictions."""
    metrics = judge(predictions)
    headline, *others = BASELINE[predictions.cohort.question]
    names = (headline, f"{headline}_low", f"{headline}_high", others[-1], f"baseline_{headline}")
    return {prefix + name: metrics[name] for name in names}


def bootstrap(name: str, predictions: OutOfFold) -> Floats:
    """Return one metric on everybody, then on every resample."""
    measure = _measures(predictions.cohort, cutoff=0.5)[name]
    return _over_repeats(
        measure, predictions.cohort.target, predictions.predicted, resample(predictions.cohort, predictions.seed)
    )


def with_interval(name: str, values: Floats) -> dict[str, float]:
    """Return a metric and its 95 % interval, from the value on everybody and those on resamples."""
    low, high = interval(values[1:])
    return {name: float(values[0]), f"{name}_low": low, f"{name}_high": high}


def gain(name: str, predictions: OutOfFold, *, over: OutOfFold, prefix: str = "") -> dict[str, float]:
    """Return the difference of a metric to another model's on the same people, with its interval."""
    return with_interval(f"{prefix}gain", bootstrap(name, predictions) - bootstrap(name, over))


def subset(predictions: OutOfFold, rows: Mask) -> OutOfFold:
    """Return the same predictions for some of the people."""
    return replace(
        predictions,
        cohort=predictions.cohort.take(np.flatnonzero(rows)),
        predicted=predictions.predicted[:, rows],
        baseline=predictions.baseline[:, rows],
        fold=predictions.fold[:, rows],
    )


def dummy_of(predictions: OutOfFold) -> OutOfFold:
    """Return the dummy's predictions as if they were a model's."""
    return replace(predictions, predicted=predictions.baseline)


BASELINE = {
    "binary": ("roc_auc", "average_precision", "brier"),
    "classes": ("roc_auc", "accuracy", "brier"),
    "number": ("r2", "mae", "rmse"),
}
"""Metrics of the dummy; the first is the headline metric."""


def _measures(cohort: Cohort, cutoff: float) -> dict[str, Measure]:
    if cohort.question == "binary":
        return {
            "roc_auc": roc_auc,
            "average_precision": average_precision,
            "sensitivity": partial(sensitivity, cutoff=cutoff),
            "specificity": partial(specificity, cutoff=cutoff),
            "brier": brier,
        }
    if cohort.question == "classes":
        return {"roc_auc": macro_roc_auc, "accuracy": accuracy, "brier": brier_of_classes}
    return {"r2": r2, "mae": mae, "rmse": rmse}


def _over_repeats(measure: Measure, target: Target, predicted: Floats, weights: Floats) -> Floats:
    """Return the metric per resample: the mean over the repeats, never the metric of averaged predictions."""
    slabs = (weights[start : start + SLAB] for start in range(0, len(weights), SLAB))
    return np.concatenate([np.mean([measure(target, each, slab) for each in predicted], axis=0) for slab in slabs])


# Every metric takes the target, what was predicted, and weights: per resample, how often each row was drawn.


def resample(cohort: Cohort, seed: int, resamples: int = RESAMPLES) -> Floats:
    """Return how often each row is drawn: once in the first line, then by resampling people with all their rows."""
    random = np.random.default_rng(seed)
    person = np.arange(len(cohort)) if cohort.person is None else np.unique(cohort.person, return_inverse=True)[1]
    people = int(person.max()) + 1
    drawn = random.integers(people, size=(resamples, people)) + people * np.arange(resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=resamples * people).reshape(resamples, people)
    return np.vstack([np.ones(len(cohort)), counts[:, person]])


def interval(values: Floats) -> tuple[float, float]:
    """Return the 95 % interval; ignore resamples without the metric."""
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def _by_level(truth: Target, score: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the weight of positives and of negatives at each distinct score, lowest first."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    drawn, positive = weights[:, order], truth[order] == 1
    return (
        np.add.reduceat(drawn * positive, starts, axis=1),
        np.add.reduceat(drawn * ~positive, starts, axis=1),
    )


def _ratio(above: Floats, below: Floats) -> Floats:
    """Divide; return NaN for a resample whose divisor is 0."""
    ratio = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio


def _mean(values: Floats | Mask | Target, weights: Floats) -> Floats:
    """Return the weighted mean over rows, one per resample."""
    total: Floats = weights.sum(axis=1)
    return weights @ values / total


def roc_auc(truth: Target, score: Floats, weights: Floats) -> Floats:
    """Return how often a positive scores above a negative, ties counted half."""
    positive, negative = _by_level(truth, score, weights)
    lower = np.cumsum(negative, axis=1) - negative / 2
    return _ratio((positive * lower).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1))


def average_precision(truth: Target, score: Floats, weights: Floats) -> Floats:
    """Return the precision averaged over the positives, each at its own cut-off."""
    positive, negative = (each[:, ::-1] for each in _by_level(truth, score, weights))
    true_positives = np.cumsum(positive, axis=1)
    called = true_positives + np.cumsum(negative, axis=1)
    precision = np.divide(true_positives, called, out=np.zeros_like(true_positives), where=called > 0)
    return _ratio((positive * precision).sum(axis=1), positive.sum(axis=1))


def sensitivity(truth: Target, score: Floats, weights: Floats, *, cutoff: float) -> Floats:
    """Return the share of positives at or above the cut-off."""
    return _ratio(weights @ ((truth == 1) & (score >= cutoff)), weights @ (truth == 1))


def specificity(truth: Target, score: Floats, weights: Floats, *, cutoff: float) -> Floats:
    """Return the share of negatives below the cut-off."""
    return _ratio(weights @ ((truth == 0) & (score < cutoff)), weights @ (truth == 0))


def brier(truth: Target, score: Floats, weights: Floats) -> Floats:
    """Return the mean squared distance of the risk from what happened."""
    return _mean((score - truth) ** 2, weights)


def macro_roc_auc(truth: Target, score: Floats, weights: Floats) -> Floats:
    """Return the mean over classes of one class against the rest."""
    one_against_rest = [roc_auc(truth == label, score[:, label], weights) for label in range(score.shape[1])]
    mean: Floats = np.mean(one_against_rest, axis=0)
    return mean


def accuracy(truth: Target, score: Floats, weights: Floats) -> Floats:
    """Return the share of rows whose likeliest class is the right one."""
    return _mean(score.argmax(axis=1) == truth, weights)


def brier_of_classes(truth: Target, score: Floats, weights: Floats) -> Floats:
    """Return the squared distance of all risks from what happened, summed over classes."""
    happened = np.eye(score.shape[1])[truth]
    return _mean(((score - happened) ** 2).sum(axis=1), weights)


def r2(truth: Target, score: Floats, weights: Floats) -> Floats:
    """Return the share of the variance that is explained; negative where the mean would do better."""
    centred = truth - truth.mean()  # first: the squares of Unix milliseconds leave no digit for a variance
    variance = _mean(centred**2, weights) - _mean(centred, weights) ** 2
    return 1 - _ratio(_mean((score - truth) ** 2, weights), variance)


def mae(truth: Target, score: Floats, weights: Floats) -> Floats:
    """Return the mean absolute error in the target's unit."""
    return _mean(np.abs(score - truth), weights)


def rmse(truth: Target, score: Floats, weights: Floats) -> Floats:
    """Return the root of the mean squared error in the target's unit."""
    root: Floats = np.sqrt(_mean((score - truth) ** 2, weights))
    return root


def calibration_line(truth: Target, risk: Floats) -> tuple[float, float]:
    """Return slope and intercept of what happened over the log odds predicted: 1 and 0 are perfect.

    The slope (below 1: too extreme) is of a logistic regression on the log odds; the intercept (above 0:
    risks too low on the whole) is calibration in the large, with the slope held at 1 (Van Calster 2019).
    Equal risks have slope 0: they do not tell people apart.
    """
    safe = np.clip(risk, CERTAIN, 1 - CERTAIN)
    log_odds = np.log(safe / (1 - safe))
    intercept = _newton(np.ones((len(truth), 1)), truth, offset=log_odds)[0]
    if np.ptp(log_odds) < CERTAIN:
        return 0.0, float(intercept)
    slope = _newton(np.column_stack([log_odds, np.ones(len(truth))]), truth, offset=np.zeros(len(truth)))[0]
    return float(slope), float(intercept)


def _newton(columns: Floats, truth: Target, offset: Floats) -> Floats:
    """Fit an unpenalised logistic regression; a ridge of 1e-6 keeps it finite where the classes separate."""
    ridge = 1e-6 * np.eye(columns.shape[1])
    coefficients = np.zeros(columns.shape[1])
    for _ in range(30):
        log_odds = np.clip(columns @ coefficients + offset, -30, 30)
        risk = 1 / (1 + np.exp(-log_odds))
        gradient = columns.T @ (truth - risk) - ridge @ coefficients
        step = np.linalg.solve((columns * (risk * (1 - risk))[:, None]).T @ columns + ridge, gradient)
        coefficients += np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-8:
            break
    return coefficients


def _importance(model: Estimator, unseen: Cohort, seed: int) -> pd.Series:
    """Return the fall of the headline metric on held-out rows per permuted block.

    All permuted copies are predicted in one call: 130 single calls would take longer than the training.
    """
    blocks = unseen.blocks or {str(column): [column] for column in unseen.features}
    rows, random = np.arange(len(unseen)), np.random.default_rng(seed)
    copies = max(1, min(5, 4000 // len(rows), 60 // len(blocks)))  # small folds are permuted more often
    variants = [(name, random.permutation(rows)) for name in blocks for _ in range(copies)]
    moved = {name: [order if block == name else rows for block, order in variants] for name in blocks}
    source = {column: np.concatenate(moved[name]) for name, columns in blocks.items() for column in columns}
    unmoved = np.tile(rows, len(variants))
    features = pd.DataFrame(
        {column: values.array.take(source.get(column, unmoved)) for column, values in unseen.features.items()}
    )
    headline = _measures(unseen, cutoff=0.5)[BASELINE[unseen.question][0]]
    everyone = np.ones((1, len(rows)))
    whole = headline(unseen.target, predict(model, unseen.features, unseen.classes), everyone)[0]
    parts = np.split(predict(model, features, unseen.classes), len(variants))
    losses = [whole - headline(unseen.target, part, everyone)[0] for part in parts]
    return pd.Series(losses, index=[name for name, _ in variants])


def judge_each_column(cohort: Cohort, seed: int) -> dict[str, float]:
    """Return how well each column alone, by a small tree, answers the question on held-out rows."""
    inner = inner_split(cohort, seed)
    headline = _measures(cohort, cutoff=0.5)[BASELINE[cohort.question][0]]
    kind = DecisionTreeRegressor if cohort.question == "number" else DecisionTreeClassifier
    tree = kind(max_depth=4, min_samples_leaf=5, random_state=seed)
    alone = {}
    for name, values in cohort.features.items():
        column = values.cat.codes if isinstance(values.dtype, pd.CategoricalDtype) else values
        single = np.asarray(column, dtype=float)[:, None]
        answers = [
            predict(tree.fit(single[fit], cohort.target[fit]), single[rest], cohort.classes) for fit, rest in inner
        ]
        target = np.concatenate([cohort.target[rest] for _, rest in inner])
        alone[str(name)] = float(headline(target, np.concatenate(answers), np.ones((1, len(target))))[0])
    return alone
