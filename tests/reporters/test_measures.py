"""Tests of reporting/measures.py: whether more of a metric is better, and what belongs to which metric."""

from __future__ import annotations

import pytest

from pytest_training.execution.outcome import GateResult, Outcome, Status
from pytest_training.jobs.directions import direction
from pytest_training.jobs.model import Gate
from pytest_training.records.measures import headline, measures


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("roc_auc", "higher"),
        ("val_roc_auc_macro", "higher"),
        ("balanced_accuracy", "higher"),
        ("log_loss", "lower"),
        ("val_loss", "lower"),
        ("brier_score", "lower"),
        ("error_rate", "lower"),
        ("mae", "lower"),
        ("roc_auc_std", None),
        ("baseline_mae", None),
        ("external_baseline_mae", None),
        ("r2_low", None),
        ("calibration_slope", None),
        ("auc@loss.csv", "higher"),
        ("eval/loss@auc_results.json", "lower"),
        ("frobnication", None),
        ("neg_mean_squared_error", "higher"),
        ("test_neg_log_loss", "higher"),
        ("neg_log_likelihood", "lower"),
        ("test_negative_log_likelihood", "lower"),
        ("negative_precision", "higher"),
        ("davies_bouldin_score", "lower"),
        ("score_time", "lower"),
        ("accuracy_drop", None),
        ("train_test_accuracy_gap", None),
        ("accuracy_var", None),
        ("explained_variance", "higher"),
    ],
)
def test_the_name_tells_whether_more_is_better(metric: str, expected: str | None) -> None:
    assert direction(metric) == expected


def test_a_gate_tells_more_than_the_name() -> None:
    assert direction("frobnication", [Gate(metric="frobnication", operator="<=", threshold=1)]) == "lower"
    assert direction("loss", [Gate(metric="loss", operator=">", threshold=1)]) == "higher"
    both = [Gate(metric="r2", operator=">=", threshold=0), Gate(metric="r2", operator="<=", threshold=1)]
    assert direction("r2", both) is None


def test_the_baseline_of_a_named_evaluation_stands_with_its_metric() -> None:
    metrics = {"auc": 0.8, "external_auc": 0.7, "baseline_auc": 0.5, "external_baseline_auc": 0.4, "dummy_x": 1.0}
    found = measures(Outcome(job_id="x", kind="function", title="", status=Status.PASSED, metrics=metrics))
    assert [(each.name, each.baseline) for each in found] == [
        ("auc", 0.5),
        ("external_auc", 0.4),
        ("dummy_x", None),
    ]


def test_intervals_and_baselines_stand_with_their_metric_and_gated_metrics_first() -> None:
    gate = GateResult(gate=Gate(metric="mae", operator="<=", threshold=1), found=0.5, passed=True)
    outcome = Outcome(
        job_id="als",
        kind="function",
        title="",
        status=Status.PASSED,
        metrics={"r2": 0.2, "r2_low": 0.1, "r2_high": 0.3, "baseline_r2": 0.0, "mae": 0.5, "tide_low": 3.0},
        gates=(gate,),
    )
    found = measures(outcome)
    assert [each.name for each in found] == ["mae", "r2", "tide_low"]
    assert (found[1].low, found[1].high, found[1].baseline) == (0.1, 0.3, 0.0)
    main = headline(outcome)
    assert main is not None
    assert main.name == "mae"
