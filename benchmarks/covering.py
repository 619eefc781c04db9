"""Simulated studies: how often the printed 95 % interval covers what models of that size show on new people.

The models are fitted to all folds of a study at once: scikit-learn's would take twenty times as long, and say the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tables import Answer

from pytest_training.evaluation import interval, record
from pytest_training.evaluation.metrics import measures
from pytest_training.evaluation.record import Predictions
from pytest_training.execution.attempt.run import Run
from pytest_training.jobs.loading import load_jobs

QUESTION = "How often does the 95 % interval of the AUC cover?"
REPEATS = 400
"""Simulated studies of each line."""
SHUFFLES = 200
FOLDS, TIMES = 5, 5
PEOPLE, PREVALENCES = (126, 333, 3000), (0.1, 0.27, 0.5)
COLUMNS, TELLING, APART = 8, 3, 1.0  # predictors, how many of them tell, and by how many standard deviations
ALLOWED = (0.92, 0.98)
STUMPS, RATE, BINS = 30, 0.2, 16
ROOT = Path(__file__).parents[1]

Floats = NDArray[np.float64]
Fit = Callable[[Floats, NDArray[Any], NDArray[np.bool_]], Floats]
"""Takes features, target and which rows each model is fitted on; returns each model's risk for every row."""


def answer(folder: Path, repeats: int) -> Answer:
    """Simulate studies of each size, then shuffle the targets of five tables."""
    result = Answer(QUESTION, ["people", "prevalence", "model", "AUC", "covers", "is too low", "is too high"])
    shares = []
    for people in PEOPLE:
        for prevalence in PREVALENCES:
            for name, fit in MODELS.items():
                values, low, high = simulate(people, prevalence, fit, repeats)
                truth = values.mean()
                shares.append(float(np.mean((low <= truth) & (truth <= high))))
                cells = [f"{share:.3f}" for share in (truth, shares[-1], np.mean(high < truth), np.mean(low > truth))]
                result.rows.append([str(people), f"{prevalence:.0%}", name, *cells])
    for name, (features, target) in tables(folder).items():
        result.rows.append(
            [str(len(target)), name, "shuffled", "0.500", f"{1 - excluded(features, target):.3f}", "", ""]
        )
    result.notes.append(f"{TIMES} × {FOLDS} folds; a share of {repeats} studies may be 0.022 beside the true one.")
    verdict = "holds" if ALLOWED[0] <= min(shares) and max(shares) <= ALLOWED[1] else "does not hold"
    span = f"{min(shares):.3f} to {max(shares):.3f}"
    result.notes.append(f"Share that covers: {span}, allowed 0.92 to 0.98: **{verdict}**.")
    return result


def simulate(people: int, prevalence: float, fit: Fit, studies: int, *, apart: float = APART) -> tuple[Floats, ...]:
    """Return each study's AUC and the ends of its interval."""
    random = np.random.default_rng([people, int(1000 * prevalence)])
    ends = []
    for _ in range(studies):
        target = (random.random(people) < prevalence).astype(int)
        features = random.normal(size=(people, COLUMNS))
        features[:, :TELLING] += apart / np.sqrt(TELLING) * target[:, None]
        ends.append(judged(cross_validated(features, target, fit, random)))
    return tuple(np.array(ends).T)


def excluded(features: Floats, target: NDArray[Any], shuffles: int = SHUFFLES) -> float:
    """Return how often the interval of a shuffled target excludes 0.5."""
    random = np.random.default_rng(len(target))
    ends = [judged(cross_validated(features, random.permutation(target), linear, random)) for _ in range(shuffles)]
    return float(np.mean([low > 0.5 or high < 0.5 for _, low, high in ends]))


def judged(made: Predictions) -> tuple[float, float, float]:
    """Return the AUC and its interval, as a job gets them."""
    metrics = interval.measured(made, {"roc_auc": measures(made)["roc_auc"]})
    return metrics["roc_auc"], metrics.get("roc_auc_low", 0.0), metrics.get("roc_auc_high", 1.0)  # of few events none


def cross_validated(
    features: Floats, target: NDArray[Any], fit: Fit, random: np.random.Generator, times: int = TIMES
) -> Predictions:
    """Return what models say of the rows that they were not fitted on, over stratified folds."""
    fold = np.empty((times, len(target)), dtype=int)
    for own in fold:
        for label in (0, 1):
            rows = random.permutation(np.flatnonzero(target == label))
            own[rows] = (np.arange(len(rows)) + 2 * label) % FOLDS
    fitted = np.array([own != held_out for own in fold for held_out in range(FOLDS)])
    risk = fit(features, target, fitted).reshape(times, FOLDS, -1)
    score = np.take_along_axis(risk, fold[:, None, :], axis=1)[:, 0]
    return record.make(target, score, fold=fold)


def linear(features: Floats, target: NDArray[Any], fitted: NDArray[np.bool_], penalty: float = 1.0) -> Floats:
    """Fit logistic regressions with an L2 penalty by Newton's steps, as LogisticRegression() does."""
    columns = np.column_stack([features, np.ones(len(target))])
    weights, ridge = np.zeros((len(fitted), columns.shape[1])), np.diag([penalty] * features.shape[1] + [1e-9])
    own = fitted.astype(float)
    for _ in range(8):
        risk = 1 / (1 + np.exp(-weights @ columns.T))
        information = np.einsum("mn,ni,nj->mij", own * risk * (1 - risk), columns, columns, optimize=True) + ridge
        weights += np.linalg.solve(information, ((own * (target - risk)) @ columns - weights @ ridge)[..., None])[
            ..., 0
        ]
    last: Floats = 1 / (1 + np.exp(-weights @ columns.T))
    return last


def boosted(features: Floats, target: NDArray[Any], fitted: NDArray[np.bool_]) -> Floats:
    """Boost stumps by Newton's steps on predictors that are cut into sixteen parts."""
    edges = np.quantile(features, np.linspace(0, 1, BINS + 1)[1:-1], axis=0)
    below = np.concatenate([features[:, [each]] <= edges[:, each] for each in range(features.shape[1])], axis=1)
    own, odds, sides = fitted.astype(float), np.zeros(fitted.shape), below.astype(float)
    for _ in range(STUMPS):
        risk = 1 / (1 + np.exp(-odds))
        slope, bend = own * (target - risk), own * risk * (1 - risk)
        parts = [(each @ sides, each.sum(axis=1, keepdims=True)) for each in (slope, bend)]
        (slope_below, slope_all), (bend_below, bend_all) = parts
        slope_above, bend_above = slope_all - slope_below, bend_all - bend_below
        best = np.argmax(slope_below**2 / (bend_below + 1) + slope_above**2 / (bend_above + 1), axis=1)[:, None]
        low, high = (
            np.take_along_axis(up / (down + 1), best, axis=1)
            for up, down in ((slope_below, bend_below), (slope_above, bend_above))
        )
        odds += RATE * np.where(below[:, best[:, 0]].T, low, high)
    last: Floats = 1 / (1 + np.exp(-odds))
    return last


MODELS: dict[str, Fit] = {"linear": linear, "boosted": boosted}


def tables(folder: Path) -> dict[str, tuple[Floats, NDArray[Any]]]:
    """Return features and target of five tables of training/; of many columns the first twenty components."""
    sys.path.insert(0, str(ROOT / "training"))
    from cohorts import carotid, csf, head_injury, pima, speech  # noqa: PLC0415  (their folder is now on the path)

    run = Run(folder=folder, datasets={each.name: each for each in load_jobs(ROOT / "training", ROOT)[1]})
    cohorts = {
        "stroke": carotid.load(run.data("carotid_plaque")),
        "parkinsons": speech.load(run.data("parkinsons_speech")),
        "alzheimers": csf.load(run.data("csf_panel")),
        "diabetes": pima.load(run.data("pima_training"), run.data("pima_test")),
        "head_injury": head_injury.load(run.data("head_injury_simulated")),
    }
    return {name: (_numbers(cohort.features), cohort.target) for name, cohort in cohorts.items()}


def _numbers(features: Any) -> Floats:
    filled = features.fillna(features.mean())
    most = min(20, filled.shape[1])
    numbers: Floats = make_pipeline(StandardScaler(), PCA(most), StandardScaler()).fit_transform(filled)
    return numbers
