"""Judges how well columns of a table answer its question on held-out people: one alone, two together, all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pytest_training.evaluation.columns import Floats
from pytest_training.evaluation.result import Question

Ints = NDArray[np.int64]
FOLDS = 3
PERFECT = 0.995  # ROC AUC
MOST_BINS, FEWEST_IN_BIN = 16, 8
MOST_LEVELS = 64  # of a column that have a bin each
MOST_FITTED = 200  # columns of a model of all others: the best by the fold's own fit rows


def numbers(column: pd.Series[Any]) -> Floats:
    """Return a column as numbers: dates in days, texts and categories as codes, missing values as NaN."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.astype("int64").where(column.notna()).to_numpy(float) / 86_400e9
    if pd.api.types.is_numeric_dtype(column) and not isinstance(column.dtype, pd.CategoricalDtype):
        return column.to_numpy(float, na_value=np.nan)
    codes = pd.factorize(column.astype(str).where(column.notna()), sort=True)[0].astype(float)
    codes[codes < 0] = np.nan
    return codes


def person_codes(person: ArrayLike | None, rows: int) -> Ints:
    """Return the person of each row as a number from 0 on; without `person` each row is one."""
    if person is None:
        return np.arange(rows)
    return pd.factorize(np.asarray(person))[0].astype(np.int64)


@dataclass(frozen=True)
class Judge:
    """A target and the folds that hold people out."""

    question: Question
    target: Floats
    """Rows x 1, or rows x classes of 0 and 1."""
    person: Ints
    fold: Ints

    @classmethod
    def of(cls, target: ArrayLike, question: Question, person: Ints, seed: int = 0) -> Judge:
        """Hold out people in folds that resemble each other in the target."""
        truth = np.asarray(target, dtype=float)
        random = np.random.default_rng(seed)
        count = np.bincount(person)
        mean = np.bincount(person, truth) / np.maximum(count, 1)
        place = np.empty(len(count), dtype=np.int64)
        place[np.lexsort([random.random(len(count)), mean])] = np.arange(len(count))
        columns = np.eye(int(truth.max()) + 1)[truth.astype(int)] if question == "classes" else truth[:, None]
        return cls(question, columns, person, place[person] % FOLDS)

    def of_rows(self, rows: Ints) -> Judge:
        """Return the judge of some rows."""
        return Judge(self.question, self.target[rows], person_codes(self.person[rows], len(rows)), self.fold[rows])

    def shuffled(self, seed: int = 0) -> Judge:
        """Return the judge of a target that nothing can tell: what chance alone reaches."""
        first = np.unique(self.person, return_index=True)[1]
        other = np.random.default_rng(seed).permutation(first)[self.person]
        return Judge(self.question, self.target[other], self.person, self.fold)

    def score(self, answer: Floats) -> float:
        """Return the ROC AUC (the mean of each class against the rest) or R² of an answer per row."""
        if self.question == "number":
            truth = self.target[:, 0]
            spread = float(np.sum((truth - truth.mean()) ** 2))
            return 1 - float(np.sum((truth - answer[:, 0]) ** 2)) / spread if spread else 0.0
        return float(np.mean([auc(*pair) for pair in zip(self.target.T, answer.T, strict=True)]))

    def is_sure(self, score: float, errors: float = 4.5) -> bool:
        """Return True if a score is so many standard errors above one of chance, or perfect for four people or more."""
        weight = 1 / np.bincount(self.person)[self.person]  # the rows of a person count as one
        people = float(weight.sum())
        if self.question == "number":
            correlation = np.sqrt(min(max(score, 0.0), 1 - 1e-9))
            return bool(people > 4 and np.arctanh(correlation) * np.sqrt(people - 3) >= errors)
        positive = float((weight @ self.target).min())
        few = min(positive, people - positive)
        error = np.sqrt((people + 1) / (12 * few * (people - few))) if few else np.inf
        return bool(score - 0.5 >= errors * error or (score >= PERFECT and few >= 4))

    def alone(self, values: Floats) -> float:
        """Return how well a column answers: along its order, or by the mean of its bins in the other folds."""
        ways = (self._mean_of_bin(bins_of(values)), self._mean_of_bin(bins_of(values, own=MOST_LEVELS)))
        return max(self.in_order(values), *map(self.score, ways))

    def in_order(self, values: Floats) -> float:
        """Return how well a column's order (for a number: its line) answers; missing values count as the middle."""
        known = np.isfinite(values)
        if not known.any() or self.question == "classes":
            return 0.0
        filled = values if known.all() else np.where(known, values, np.median(values[known]))
        if self.question == "binary":
            reached = auc(self.target[:, 0], filled)
            return max(reached, 1 - reached)
        spread = filled.std() * self.target.std()
        return (
            float(np.mean((filled - filled.mean()) * (self.target[:, 0] - self.target.mean())) / spread) ** 2
            if spread
            else 0.0
        )

    def gaps(self, missing: NDArray[np.bool_]) -> float:
        """Return how well it answers whether a value is missing."""
        return self.in_order(missing.astype(float)) if self.question != "classes" else self.alone(missing.astype(float))

    def pair(self, first: Floats, second: Floats) -> float:
        """Return how well two columns answer by their difference, ratio, product, distance or place in a grid."""
        with np.errstate(all="ignore"):
            left, right = ((each - np.nanmean(each)) / np.nanstd(each) for each in (first, second))
            together = (first - second, first / second, left * right, np.abs(left - right), left + right)
        best = max(self.in_order(np.where(np.isfinite(each), each, np.nan)) for each in together)
        cells = bins_of(first, most=6) * 8 + bins_of(second, most=6)
        return max(best, self.score(self._mean_of_bin(cells)))

    def _mean_of_bin(self, bins: Ints) -> Floats:
        """Return for each row the target's mean in its bin, of the other folds alone."""
        places, size = bins * FOLDS + self.fold, (int(bins.max()) + 1) * FOLDS
        answer = np.empty_like(self.target)
        rows = np.bincount(places, minlength=size).reshape(-1, FOLDS)
        others = (rows.sum(axis=1, keepdims=True) - rows)[bins, self.fold]
        for column, truth in enumerate(self.target.T):
            sums = np.bincount(places, truth, minlength=size).reshape(-1, FOLDS)
            answer[:, column] = (sums.sum(axis=1, keepdims=True) - sums)[bins, self.fold] + truth.mean()
        return np.asarray(answer / (others + 1)[:, None])

    def together(self, columns: Sequence[Floats]) -> float:
        """Return how well a boosted model of all these columns answers; without columns, chance's score."""
        if not columns:
            return 0.0 if self.question == "number" else 0.5
        table, answer = np.column_stack(columns), np.empty_like(self.target)
        for fold in range(FOLDS):
            fit, rest = np.flatnonzero(self.fold != fold), np.flatnonzero(self.fold == fold)
            best = self._best(table, fit)
            answer[rest] = self._predict(table[np.ix_(fit, best)], fit, table[np.ix_(rest, best)])
        return self.score(answer)

    def _best(self, table: Floats, fit: Ints) -> Ints:
        """Return the columns that answer best on the fit rows."""
        if table.shape[1] <= MOST_FITTED:
            return np.arange(table.shape[1])
        judge = self.of_rows(fit)
        return np.argsort([-judge.alone(column) for column in table[fit].T], kind="stable")[:MOST_FITTED]

    def _predict(self, seen: Floats, fit: Ints, unseen: Floats) -> Floats:
        from sklearn import ensemble  # noqa: PLC0415  (half a second, and few tables need it)

        is_number = self.question == "number"
        kind = ensemble.HistGradientBoostingRegressor if is_number else ensemble.HistGradientBoostingClassifier
        model = kind(max_iter=25, max_leaf_nodes=8, min_samples_leaf=5, early_stopping=False, random_state=0)
        if is_number:
            return np.asarray(model.fit(seen, self.target[fit, 0]).predict(unseen)[:, None])
        labels = self.target[fit].argmax(axis=1) if self.question == "classes" else self.target[fit, 0].astype(int)
        answer = np.zeros((len(unseen), max(2, self.target.shape[1])))
        if len(set(labels)) > 1:
            answer[:, np.unique(labels)] = model.fit(seen, labels).predict_proba(unseen)
        return answer[:, 0 if self.question == "classes" else 1 :]


def auc(truth: Floats, score: Floats) -> float:
    """Return how often a positive scores above a negative, ties counted half; 0.5 if one of them is missing."""
    positive = int(truth.sum())
    negative = len(truth) - positive
    if not positive or not negative:
        return 0.5
    high, low = score[truth == 1], np.sort(score[truth == 0])  # ranks of all would take ten times as long
    above = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(above.sum()) / (2 * positive * negative)


def bins_of(values: Floats, *, most: int = MOST_BINS, own: int = 0) -> Ints:
    """Return each value's bin: 0 for a missing one; each value its own if they are few, else bins of equal size."""
    known = np.isfinite(values)
    bins = np.zeros(len(values), dtype=np.int64)
    if not known.any():
        return bins
    count = int(np.clip(known.sum() // FEWEST_IN_BIN, 2, most))
    distinct, place = np.unique(values[known], return_inverse=True)
    if len(distinct) > max(count, own):
        place = np.searchsorted(np.quantile(values[known], np.arange(1, count) / count), values[known], side="right")
    bins[known] = place + 1
    return bins
