"""Tests of reporting/comparison.py: better, worse, the same, and what chance alone may explain."""

from __future__ import annotations

from typing import Any

from pytest_training.execution.outcome import Outcome, Status
from pytest_training.records.comparison import Comparison, compare
from pytest_training.records.history import Recorded


def outcome(metrics: dict[str, float], **more: Any) -> Outcome:
    return Outcome(
        **{"job_id": "als", "kind": "function", "title": "", "status": Status.PASSED, "metrics": metrics} | more
    )


def compared(before: Outcome, now: Outcome) -> Comparison:
    return compare([now], {"als": Recorded(run_id="r1", started="", outcome=before)}, against="run r1")


def test_each_metric_is_better_worse_or_the_same_by_its_direction() -> None:
    found = compared(
        outcome({"roc_auc": 0.8, "loss": 0.5, "mae": 1.0, "odd": 1.0}),
        outcome({"roc_auc": 0.9, "loss": 0.6, "mae": 1.0, "odd": 2.0}),
    )
    verdicts = {change.metric: change.verdict for change in found.jobs[0].changes}
    assert verdicts == {"roc_auc": "better", "loss": "worse", "mae": "same", "odd": "changed"}
    assert found.jobs[0].changes[0].words() == "▲ 0.800 → 0.900 (+0.1)"


def test_a_difference_inside_the_interval_is_said_to_be_possible_chance() -> None:
    now = outcome({"roc_auc": 0.84, "roc_auc_low": 0.80, "roc_auc_high": 0.88})
    change = compared(outcome({"roc_auc": 0.85}), now).jobs[0].changes[0]
    assert change.verdict == "worse"
    assert change.tone == "chance"
    assert "within its interval" in change.words()


def test_other_parameters_and_another_status_are_told() -> None:
    found = compared(
        outcome({"r2": 0.1}, parameters={"epochs": 5, "old": 1}),
        outcome({"r2": 0.1}, parameters={"epochs": 9}, status=Status.FAILED, cause="gate"),
    )
    assert found.jobs[0].parameters == ("epochs", "old")
    assert found.jobs[0].status == ("passed", "failed")
    assert found.jobs[0].is_notable


def test_differences_that_show_only_in_later_digits_are_shown_with_them() -> None:
    change = compared(outcome({"r2": 0.80001}), outcome({"r2": 0.80002})).jobs[0].changes[0]
    assert change.words() == "▲ 0.80001 → 0.80002 (+1e-05)"


def test_jobs_without_an_earlier_outcome_are_named() -> None:
    assert compare([outcome({"r2": 0.1})], {}, against="run r1").missing == ("als",)
