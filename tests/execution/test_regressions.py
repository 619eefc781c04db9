"""Tests of gates on earlier metrics: they fail beyond noise, and say what they rest on."""

from __future__ import annotations

import pytest

from pytest_training.evaluation.noise import Difference, EarlierMetric, Mean
from pytest_training.execution.judge import judge_gates, tolerated
from pytest_training.execution.outcome import Differences
from pytest_training.jobs.model import Gate, Operator

RUN = "20260105-100000-abcd"


def gate(operator: Operator = ">=", *, sd: float | None = None) -> Gate:
    """Return a gate that holds `m` within 0.02 of 0.8."""
    return Gate(
        metric="m",
        operator=operator,
        threshold=0.78 if operator == ">=" else 0.82,
        against=f"0.8 in run {RUN}, at most 0.02 worse",
        earlier=EarlierMetric(RUN, 0.8, Mean(0.8, sd, 0.7, 0.9, 5) if sd else None),
    )


def pair(value: float, low: float, high: float) -> Differences:
    return {RUN: {"m": Difference(value, low, high, "paired by people")}}


def seeds(mean: float, sd: float) -> dict[str, float]:
    return {"m": mean, "m_sd": sd, "m_low": mean - sd, "m_high": mean + sd}


FAILS, FAILS_UNJUDGED, HOLDS, HOLDS_UNJUDGED = (False, True), (False, False), (True, True), (True, False)


@pytest.mark.parametrize(
    ("gate", "metrics", "differences", "seeds", "expected"),
    [
        (gate(), {"m": 0.79}, {}, 0, HOLDS_UNJUDGED),
        (gate(), {"m": 0.75}, {}, 0, FAILS_UNJUDGED),
        (gate(), {"m": 0.75}, pair(-0.05, -0.08, -0.02), 0, FAILS),
        (gate(), {"m": 0.75}, pair(-0.05, -0.12, 0.02), 0, HOLDS),
        (gate(), {"m": 0.75}, pair(-0.01, -0.12, 0.02), 0, FAILS_UNJUDGED),  # other predictions than the metric's
        (gate(), {"m": 0.79}, pair(-0.01, -0.012, -0.008), 0, HOLDS),  # beyond noise, and less than is allowed
        (gate("<="), {"m": 0.9}, pair(0.1, 0.05, 0.15), 0, FAILS),
        (gate("<="), {"m": 0.9}, pair(0.1, -0.05, 0.25), 0, HOLDS),
        (gate(sd=0.01), seeds(0.75, 0.01), {}, 5, FAILS),
        (gate(sd=0.05), seeds(0.75, 0.05), {}, 5, HOLDS),
        (gate(sd=0.05), {"m": 0.75}, {}, 0, FAILS_UNJUDGED),  # seeds then, one training now
        (gate(), seeds(0.75, 0.05), {}, 5, FAILS_UNJUDGED),
    ],
)
def test_a_regression_fails_beyond_noise(
    gate: Gate, metrics: dict[str, float], differences: Differences, seeds: int, expected: tuple[bool, bool]
) -> None:
    (result,) = judge_gates((gate,), metrics, differences, seeds)
    assert (result.passed, result.difference is not None) == expected
    said = tolerated([result])
    assert len(said) == (result.passed and not gate.holds(metrics["m"]))
    assert not said or ("within noise" in said[0] and "at most 0.02 worse" in said[0])
