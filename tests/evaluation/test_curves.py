"""The pictures agree with the metrics beside them, and odd predictions draw what can be drawn."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import binary, classes, numbers

from pytest_training.evaluation import curves, record
from pytest_training.evaluation.curves import drawings, expit
from pytest_training.evaluation.drawing import Drawing, Line
from pytest_training.evaluation.judge import evaluate
from pytest_training.evaluation.metrics import figure, net_benefit, roc_auc
from pytest_training.evaluation.record import Predictions


def area(line: Line) -> float:
    x, y = zip(*line.points, strict=True)
    return float(np.trapezoid(y, x))


def one_of_two(made: Predictions) -> dict[str, Drawing]:
    return {each.kind: each for each in drawings(made)}


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(12, 200), st.integers(1, 4), st.sampled_from([1, 2, 5, 12]), st.integers(0, 3)
)
def test_areas_are_the_metrics_that_stand_below(seed: int, rows: int, repeats: int, folds: int, digits: int) -> None:
    made = binary(rows, repeats=repeats, folds=folds if folds < 12 else rows, seed=seed)
    made = made.replaced(score=made.score.round(digits))  # ties, and with 0 digits little else
    drawn, metrics = one_of_two(made), evaluate(made).metrics
    assert area(drawn["roc"].lines[0]) == pytest.approx(metrics["roc_auc"], abs=0.005)
    assert area(drawn["precision_recall"].lines[0]) == pytest.approx(metrics["average_precision"], abs=0.005)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.9))
def test_the_decision_curve_passes_through_the_net_benefit_at_every_cutoff(seed: int, cutoff: float) -> None:
    drawn = one_of_two(made := binary(seed=seed, cutoff=cutoff))["decision"]
    (line,) = drawn.lines
    for threshold, benefit in line.points[::12]:
        measure = partial(net_benefit, cutoff=threshold)
        assert benefit == pytest.approx(
            figure(made, measure).value, abs=2e-3
        )  # five digits of a threshold may pass a row
    (point,) = drawn.points
    assert point == pytest.approx((cutoff, evaluate(made).metrics["net_benefit"]), rel=1e-4, abs=1e-6)
    all_treated = {each.label: each for each in drawn.reference}["treat all"]
    (threshold, benefit), prevalence = all_treated.points[10], made.truth.mean()
    assert benefit == pytest.approx(prevalence - (1 - prevalence) * threshold / (1 - threshold), rel=1e-3, abs=1e-4)


def test_curves_of_classes_have_the_areas_of_one_against_the_rest() -> None:
    made = classes(200)
    drawn = {each.kind: each for each in drawings(made)}
    assert list(drawn) == ["roc", "precision_recall", "calibration"]
    for label, line in enumerate(drawn["roc"].lines):
        alone = made.replaced(truth=(made.truth == label).astype(int), score=made.score[:, label])
        assert line.label == made.classes[label]
        assert area(line) == pytest.approx(figure(alone, roc_auc).value, abs=0.01)


def simulated(rows: int, seed: int, slope: float, *, repeats: int = 1) -> Predictions:
    """Return risks whose log odds are 1 / slope times too extreme."""
    random = np.random.default_rng(seed)
    odds = random.normal(-0.5, 1, size=rows)
    truth = random.random(rows) < expit(odds * slope)
    return record.make(truth.astype(int), np.tile(expit(odds), (repeats, 1)), classes=("no", "yes"))


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_the_calibration_curve_is_where_the_risks_truly_are(slope: float) -> None:
    (line,) = one_of_two(simulated(20_000, 1, slope))["calibration"].lines
    risk, observed = np.array(line.points).T
    assert np.abs(expit(np.log(risk / (1 - risk)) * slope) - observed).max() < 0.03


def test_repeats_of_the_same_risks_make_no_band_narrower() -> None:
    one, five = (one_of_two(simulated(400, 2, 1.0, repeats=repeats)) for repeats in (1, 5))
    for kind in ("calibration", "decision"):
        narrow, wide = (np.ptp(np.array(each[kind].lines[0].band)[:, 1:], axis=1) for each in (five, one))
        assert narrow == pytest.approx(wide, rel=0.01, abs=1e-4)


@pytest.mark.slow
def test_the_band_of_a_calibration_curve_holds_the_truth_in_19_of_20_samples() -> None:
    held = []
    for seed in range(300):
        (line,) = one_of_two(simulated(500, seed, 0.7))["calibration"].lines
        risk, low, high = np.array(line.band).T
        truly = expit(np.log(risk / (1 - risk)) * 0.7)
        held.append((low <= truly) & (truly <= high))
    coverage = np.mean(held, axis=0)[3:-3]
    assert coverage.min() >= 0.92
    assert coverage.max() <= 0.98


ODD: dict[str, dict[str, Any]] = {
    "equal risks": {"truth": [0, 1] * 30, "score": [0.5] * 60},
    "two risks": {"truth": [0, 1, 1, 0] * 15, "score": [0.2, 0.8] * 30},
    "certain and right": {"truth": [0, 1] * 30, "score": [0.0, 1.0] * 30},
    "certain and wrong": {"truth": [0, 1] * 30, "score": [1.0, 0.0] * 30},
    "apart": {"truth": [0] * 30 + [1] * 30, "score": np.linspace(0, 1, 60)},
    "two rows": {"truth": [0, 1], "score": [0.1, 0.2]},
    "one event in 5,000": {"truth": [1] + [0] * 4999, "score": np.linspace(0, 0.01, 5000)},
    "one person has every row": {"truth": [0, 1] * 30, "score": np.linspace(0, 1, 60), "person": ["a"] * 60},
    "a fold for each row": {"truth": [0, 1] * 30, "score": np.linspace(0, 1, 60), "fold": range(60)},
    "a class that nobody has": {"truth": [0, 1] * 30, "score": [[0.5, 0.4, 0.1]] * 60, "classes": ("a", "b", "c")},
    "a number that is always predicted as 3.5": {"truth": np.arange(60) / 7, "score": [3.5] * 60},
    "Unix milliseconds": {"truth": 1.7e12 + np.arange(60), "score": 1.7e12 + np.arange(60) + 3},
    "two numbers": {"truth": [1.5, 2.5], "score": [1.0, 9.0]},
}


@pytest.mark.parametrize("case", ODD)
def test_odd_predictions_draw_finite_lines(case: str) -> None:
    made = drawings(record.make(**ODD[case]))
    assert made
    content = msgspec.json.encode(made)  # as null an infinite number would be no number when it is read
    assert msgspec.json.decode(content, type=tuple[Drawing, ...]) == made
    assert len(content) < 20_000


def test_a_long_record_makes_no_long_file() -> None:
    for make in (binary, classes, numbers):
        assert len(msgspec.json.encode(drawings(make(3000)))) < 16_000


def test_only_the_most_frequent_of_many_classes_are_drawn() -> None:
    truth = np.repeat(np.arange(10), [5, 30, 40, 50, 60, 70, 80, 5, 5, 5])
    score = np.random.default_rng(0).dirichlet(np.ones(10), len(truth))
    (first, *_) = drawings(record.make(truth, score, classes=tuple("abcdefghij")))
    assert "".join(each.label for each in first.lines) == "bcdefg"
    assert len(first.lines) == curves.MOST_CLASSES


@pytest.mark.parametrize("scale", [1.0, 0.03])
def test_every_row_is_in_a_bar_also_of_a_rare_event(scale: float) -> None:
    made = binary(90)
    bars = one_of_two(made.replaced(score=made.score * scale))["calibration"].bars
    assert sum(each.events for each in bars) == pytest.approx(30, rel=1e-3)
    assert sum(each.others for each in bars) == pytest.approx(60, rel=1e-3)
    assert len(bars) > 15
