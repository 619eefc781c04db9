"""Tests of evaluation/metrics.py: equal to scikit-learn's, and influences that are the metrics' derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import records as samples
from sklearn import metrics as sklearn

from pytest_training.evaluation.judge import evaluate
from pytest_training.evaluation.metrics import figure, measures
from pytest_training.evaluation.record import Predictions


def over_repeats(record: Predictions, measure: Callable[..., float]) -> float:
    return float(np.mean([measure(record.truth[lines], record.score[lines]) for lines in record.repeats]))


def within_folds(record: Predictions, measure: Callable[..., float]) -> float:
    each = [
        measure(record.truth[lines], record.score[lines])
        for repeat in record.repeats
        for lines in (repeat[record.fold[repeat] == fold] for fold in range(record.folds))
    ]
    return float(np.mean(each))


@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_those_of_scikit_learn(seed: int) -> None:
    two, three, number = (kind(seed=seed) for kind in (samples.binary, samples.classes, samples.numbers))
    two = two.replaced(score=np.round(two.score, 1), cutoff=0.3)
    assert evaluate(two).metrics == pytest.approx(
        evaluate(two).metrics
        | {
            "roc_auc": within_folds(two, sklearn.roc_auc_score),
            "average_precision": over_repeats(two, sklearn.average_precision_score),
            "brier": over_repeats(two, sklearn.brier_score_loss),
            "sensitivity": over_repeats(two, lambda truth, score: sklearn.recall_score(truth, score >= 0.3)),
            "baseline_roc_auc": 0.5,
        }
    )
    assert evaluate(three).metrics == pytest.approx(
        evaluate(three).metrics
        | {
            "roc_auc": within_folds(three, lambda truth, score: sklearn.roc_auc_score(truth, score, multi_class="ovr")),
            "accuracy": over_repeats(three, lambda truth, score: sklearn.accuracy_score(truth, score.argmax(axis=1))),
            "baseline_roc_auc": 0.5,
        }
    )
    assert evaluate(number).metrics == pytest.approx(
        evaluate(number).metrics
        | {
            "r2": over_repeats(number, sklearn.r2_score),
            "mae": over_repeats(number, sklearn.mean_absolute_error),
            "rmse": over_repeats(number, sklearn.root_mean_squared_error),
        }
    )


@pytest.mark.parametrize("kind", [samples.binary, samples.classes, samples.numbers])
def test_an_influence_is_what_a_metric_moves_by_when_a_person_counts_a_little_more(kind: Any) -> None:
    """A person who is there twice among 200 copies of everybody weighs 1/200 more."""
    record = kind(rows=24, repeats=1, folds=1)
    codes, copies = record.people[0], 200
    many = np.tile(np.arange(24), copies)
    for name, measure in measures(record).items():

        def value(lines: Any, measure: Any = measure) -> float:
            return float(measure(record.truth[lines], record.score[lines], record.fold[lines]).value)

        influence = figure(record, measure).influence[0]
        for line in (0, 7, 23):
            moved = (value(np.append(many, line)) - value(many)) * copies
            assert moved == pytest.approx(influence[codes[line]], rel=0.05, abs=2e-3), name


def test_the_dummy_has_no_auc_but_chance_also_where_a_fold_has_one_class() -> None:
    for seed in range(5):
        record = samples.binary(rows=30, folds=10, seed=seed)
        assert evaluate(record).metrics["baseline_roc_auc"] == 0.5
    held_out_alone = samples.binary(rows=30, folds=30)
    assert evaluate(held_out_alone).metrics["baseline_roc_auc"] == 0.5


def test_a_number_far_from_zero_has_its_r2() -> None:
    record = samples.numbers()
    later = record.replaced(truth=record.truth + 1.7e12, score=record.score + 1.7e12)
    assert evaluate(later).metrics["r2"] == pytest.approx(evaluate(record).metrics["r2"], abs=1e-3)
