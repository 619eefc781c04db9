"""An interval needs people: of few there is none, it ends where the metric does, and it says what it is of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import records as samples
from scipy.stats import binomtest

from pytest_training.evaluation import comparison, record
from pytest_training.evaluation.judge import evaluate
from pytest_training.evaluation.metrics import compared

FEW: dict[str, tuple[Any, dict[str, Any]]] = {
    "one person": (samples.binary, {"person": [0] * 60}),
    "two people": (samples.classes, {"person": np.arange(60) % 2}),
    "three people": (samples.binary, {"person": np.arange(60) % 3}),
    "seven people": (samples.numbers, {"person": np.arange(60) % 7}),
    "one person's numbers": (samples.numbers, {"person": ["a"] * 60}),
    "two rows": (samples.numbers, {"rows": 2, "folds": 1}),
    "seven rows": (samples.classes, {"rows": 7, "folds": 1, "repeats": 1}),
}


@pytest.mark.parametrize("case", FEW)
def test_few_people_have_no_interval_and_the_method_says_so(case: str) -> None:
    kind, stated = FEW[case]
    made = kind(**stated)
    evaluation = evaluate(made, against=made)
    ends = [name for name in evaluation.metrics if name.endswith(("_low", "_high", "gain_p", "gain_t_p"))]
    assert ends == []
    of_class = ", and 4 of each class that they compare" if made.classes else ""
    count = "1 person" if made.people[1] == 1 else f"{made.people[1]} people"
    people = f": {count}, expected 8{of_class}"
    assert people in evaluation.method
    assert "roc_auc" in evaluation.method or "r2" in evaluation.method
    assert "gain" in evaluation.method
    with pytest.raises(ValueError, match=rf"are of {count}; expected 8, and of classes 4 people of each"):
        comparison.paired(made, made)
    assert all(not line.band for drawing in evaluation.drawings for line in drawing.lines)


@pytest.mark.parametrize("cases", [1, 3, 4, 5])
def test_each_metric_needs_the_people_whom_it_is_a_mean_over(cases: int) -> None:
    truth = np.arange(200) < cases
    made = evaluate(record.make(truth, np.random.default_rng(0).random(200), name="x"))
    bare = {name for name in made.metrics if f"{name}_low" not in made.metrics and not name.endswith(("_low", "_high"))}
    bare = {name.removeprefix("x_") for name in bare if "baseline" not in name and "cutoff" not in name}
    of_cases = {"roc_auc", "average_precision", "sensitivity", "net_benefit", "observed_expected"}
    of_cases |= {"calibration_slope", "calibration_intercept"}
    assert bare - {"calibration_slope"} == (of_cases - {"calibration_slope"} if cases < 4 else set())
    assert ("no interval of x_roc_auc, " in made.method) == (cases < 4)


def test_intervals_of_means_are_of_everybody_also_where_a_class_is_rare() -> None:
    truth = np.repeat([0, 1, 2], [29, 19, 2])
    called = np.where(np.arange(50) % 10 == 0, (truth + 1) % 3, truth)
    made = evaluate(
        record.make(np.tile(truth, 2), np.eye(3)[np.tile(called, 2)], subgroup={"site": np.repeat(["a", "b"], 50)})
    )
    own = evaluate(record.make(truth, np.eye(3)[called], classes=list("abc")))
    wilson = binomtest(45, 50).proportion_ci(method="wilson")
    assert (own.metrics["accuracy_low"], own.metrics["accuracy_high"]) == pytest.approx(wilson, abs=0.01)
    for site in "ab":
        assert made.metrics[f"accuracy_site_{site}_low"] == pytest.approx(wilson.low, abs=0.01)
    cases = np.arange(100) < 5
    two = evaluate(record.make(cases, np.where(np.arange(100) % 10 == 7, 0.9, 0.1)))
    wilson = binomtest(95 - 10, 95).proportion_ci(method="wilson")
    assert (two.metrics["specificity_low"], two.metrics["specificity_high"]) == pytest.approx(wilson, abs=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_intervals_end_where_metrics_do(seed: int) -> None:
    random = np.random.default_rng(seed)
    wild = random.standard_cauchy(9)
    number = evaluate(record.make(wild, wild + random.standard_cauchy(9) / 10)).metrics
    risk = np.clip(np.arange(9) % 2 + random.normal(size=9) / 9, 0, 1)
    risk[0] = 1.0
    two = evaluate(record.make(np.arange(9) % 2, risk)).metrics
    three = evaluate(
        record.make(np.arange(12) % 3, np.eye(3)[np.where(np.arange(12) < 11, np.arange(12) % 3, 0)])
    ).metrics
    turned = evaluate(record.make(np.arange(9) % 2, risk), record.make(np.arange(9) % 2, 1 - risk)).metrics
    assert turned["gain"] <= turned["gain_high"] <= 1
    assert number["r2_high"] <= 1
    assert min(number["mae_low"], number["rmse_low"], two["brier_low"], three["brier_low"]) >= 0
    assert max(two["brier_high"], three["brier_high"] / 2) <= 1


PARTS: dict[str, tuple[Any, str]] = {
    "one fold with both": (
        np.where(np.arange(200) < 30, 9, np.arange(200) % 2),
        "the AUC is of 30 of 200 predictions, in 1 of 3 folds",
    ),
    "every fold with both": (np.arange(200) // 2 % 5, ""),
    "no fold with both": (np.arange(200) % 2, "over all folds together, for each lacks a class"),
}


@pytest.mark.parametrize("case", PARTS)
def test_the_method_says_of_which_rows_an_auc_is(case: str) -> None:
    fold, words = PARTS[case]
    truth = np.arange(200) % 2
    made = record.make(truth, np.random.default_rng(0).random(200), fold=fold)
    method = evaluate(made).method
    assert words in method if words else "the AUC is" not in method
    assert len(compared(made)) == (30 if "one" in case else 200)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7])
def test_the_dummys_precision_is_the_prevalence(share: float) -> None:
    random = np.random.default_rng(0)
    for folds in (2, 5, 10):
        truth = random.random(100) < share
        made = record.make(truth, random.random((2, 100)), fold=np.arange(100) % folds)
        assert evaluate(made).metrics["baseline_average_precision"] == pytest.approx(truth.mean())


APART: dict[str, tuple[Any, bool]] = {
    "apart": (np.r_[np.linspace(0.1, 0.4, 20), np.linspace(0.5, 0.9, 20)], False),
    "apart, the wrong way": (np.r_[np.linspace(0.5, 0.9, 20), np.linspace(0.1, 0.4, 20)], False),
    "apart, with a tie between": (np.r_[np.linspace(0.1, 0.5, 20), np.linspace(0.5, 0.9, 20)], False),
    "certain": (np.repeat([0.0, 1.0], 20), False),
    "one row beyond": (np.r_[np.linspace(0.1, 0.4, 19), 0.6, np.linspace(0.5, 0.9, 20)], True),
    "equal": (np.full(40, 0.3), True),
}


@pytest.mark.parametrize("case", APART)
def test_risks_that_separate_the_classes_have_no_slope(case: str) -> None:
    risk, has_slope = APART[case]
    made = evaluate(record.make(np.repeat([0, 1], 20), risk))
    assert ("calibration_slope" in made.metrics) == has_slope
    assert ("calibration_slope_low" in made.metrics) == (has_slope and case != "equal")
    assert ("no calibration_slope: the risks separate the classes completely" in made.method) != has_slope


def test_rows_of_the_same_people_are_no_further_votes() -> None:
    random = np.random.default_rng(1)
    truth, strong, weak = np.arange(40) % 2, random.random(40), random.random(40)
    stated: dict[str, Any] = {"person": np.tile(np.arange(40), 20), "fold": np.tile(np.arange(40) // 2 % 4, 20)}
    one, other = (record.make(np.tile(truth, 20), np.tile(each, 20), **stated) for each in (strong, weak))
    assert "gain_mcnemar_p" not in comparison.gain(one, other)
    assert "McNemar's test" not in [each.test for each in comparison.paired(one, other)]
    lone, rival = (record.make(truth, each, fold=stated["fold"][:40]) for each in (strong, weak))
    assert "gain_mcnemar_p" in comparison.gain(lone, rival)
    assert comparison.gain(one, other)["gain_p"] == pytest.approx(comparison.gain(lone, rival)["gain_p"])


@pytest.mark.parametrize("error", [0.0, 0.1, 1 / 3, -1e5])
@pytest.mark.parametrize("name", ["", "x"])
def test_an_error_that_is_the_same_for_all_has_no_interval_and_the_method_says_why(error: float, name: str) -> None:
    truth = np.random.default_rng(0).normal(size=60)
    made = evaluate(record.make(truth, truth + error, fold=np.arange(60) % 5, name=name, classes=()))
    prefix = f"{name}_" if name else ""
    flat = [f"{prefix}{each}" for each in ("mae", "rmse", "r2") if each != "r2" or not error]
    assert not {f"{each}{end}" for each in flat for end in ("_low", "_high")} & made.metrics.keys()
    assert all(made.metrics[f"{each}_low"] < made.metrics[f"{each}_high"] for each in (f"{prefix}r2",) if error)
    listed = ", ".join(each for each in (f"{prefix}r2", f"{prefix}mae", f"{prefix}rmse") if each in flat)
    assert f"no interval of {listed}: equal for all people" in made.method


def test_risks_that_are_the_same_for_all_have_no_interval_of_their_slope() -> None:
    made = evaluate(record.make(np.arange(60) % 2, np.full(60, 0.4)))
    assert "calibration_slope_low" not in made.metrics
    assert "no interval of net_benefit, calibration_slope: equal for all people" in made.method
