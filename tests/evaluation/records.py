"""Small records of predictions for the tests of evaluation/."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_training.evaluation import record
from pytest_training.evaluation.record import Predictions


def binary(rows: int = 60, *, repeats: int = 3, folds: int = 4, seed: int = 0, **stated: Any) -> Predictions:
    """Return a record with two classes; the score says something of the truth."""
    random = np.random.default_rng(seed)
    truth = random.permutation(np.arange(rows) % 3 == 0)
    score = 1 / (1 + np.exp(-random.normal(2 * truth - 1, size=(repeats, rows))))
    fold = np.array([random.permutation(np.arange(rows) % folds) for _ in range(repeats)])
    return record.make(truth, score, **{"fold": fold, **stated})


def classes(rows: int = 60, *, repeats: int = 3, folds: int = 4, seed: int = 0, **stated: Any) -> Predictions:
    """Return a record with three classes."""
    random = np.random.default_rng(seed)
    truth = random.permutation(np.arange(rows) % 3)
    weights = np.exp(random.normal(size=(repeats, rows, 3)) + np.eye(3)[truth])
    fold = np.array([random.permutation(np.arange(rows) % folds) for _ in range(repeats)])
    return record.make(truth, weights / weights.sum(axis=2, keepdims=True), **{"fold": fold, **stated})


def numbers(rows: int = 60, *, repeats: int = 3, folds: int = 4, seed: int = 0, **stated: Any) -> Predictions:
    """Return a record with numbers."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=rows) * 10
    fold = np.array([random.permutation(np.arange(rows) % folds) for _ in range(repeats)])
    return record.make(truth, truth + random.normal(size=(repeats, rows)) * 5, **{"fold": fold, **stated})
