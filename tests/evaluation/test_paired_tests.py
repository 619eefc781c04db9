"""Tests of evaluation/comparison.py: equal to what pROC and R publish; right about equal and unequal models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import records as samples
from scipy import special

from pytest_training.evaluation import comparison, judge, record
from pytest_training.evaluation.comparison import corrected_t, delong, mcnemar
from pytest_training.evaluation.record import Predictions

# Subarachnoid haemorrhage (Turck et al. 2010), as pROC has it: outcome (2: poor), WFNS grade, S100B in hundredths.
OUTCOME = (
    "11112212112122112122212111111111211221221111111112211121112121122212212222111221211111121111111111112222221112111"
)
WFNS = (
    "11113254125255125225211112121134214541425511241125521251222151125214524414121421232421451154221113125225552445111"
)
S100B = (
    "13 14 10 4 13 10 47 16 18 10 12 10 44 71 4 8 49 4 7 33 9 9 7 11 7 17 7 11 13 19 5 16 41 14 34 "
    "35 48 9 96 25 50 46 16 7 43 45 11 8 9 86 52 8 6 13 207 10 14 15 7 6 77 5 9 30 3 9 4 23 70 9 27 "
    "71 8 26 8 16 9 13 10 8 11 33 11 28 7 10 32 22 7 5 24 38 10 15 8 14 10 7 4 19 56 14 58 32 82 74 "
    "15 47 17 44 15 50 48 "
)


def r_normal(seed: int, number: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return what R gives for set.seed(seed); rnorm(number): Mersenne Twister, by inversion of two draws each."""
    for _ in range(50):
        seed = (69069 * seed + 1) % 2**32
    state = []
    for _ in range(625):
        seed = (69069 * seed + 1) % 2**32
        state.append(seed)
    twister = np.random.RandomState()
    twister.set_state({"bit_generator": "MT19937", "state": {"key": np.array(state[1:], dtype=np.uint32), "pos": 624}})
    draws = twister.randint(0, 2**32, size=2 * number, dtype=np.uint32) * 2.3283064365386963e-10
    return np.asarray(special.ndtri(((2**27 * draws[::2]).astype(np.int64) + draws[1::2]) / 2**27))


def test_delong_is_that_of_proc() -> None:
    """pROC 1.19, tests/testthat/test-roc.test.R: `roc.test(r.wfns, r.s100b)`."""
    truth = np.array(list(OUTCOME)) == "2"
    tested = delong(truth, np.array(list(WFNS), dtype=float), np.array(S100B.split(), dtype=float))
    assert tested.statistic == pytest.approx(2.20898359144091, abs=1e-6)
    assert tested.p == pytest.approx(0.0271757822291882, abs=1e-6)
    assert (tested.low, tested.high) == pytest.approx((0.0104061769564846, 0.174214419249478), abs=1e-6)


def test_the_corrected_t_is_that_of_correctr() -> None:
    """The vignette of R's package correctR 0.1.2: `resampled_ttest(x, y, n = 30, n1 = 80, n2 = 20)`, p one-sided."""
    both = r_normal(123, 60)
    tested = corrected_t(0.6 + 0.1 * both[:30] - (0.4 + 0.1 * both[30:]), tested=20 / 80)
    assert tested.statistic == pytest.approx(2.407318, abs=1e-6)
    assert tested.p / 2 == pytest.approx(0.01132991, abs=1e-6)


@pytest.mark.parametrize(
    ("won", "lost", "corrected", "statistic", "p"),
    [
        (150, 86, False, 17.3559322, 3.099e-05),  # R's example of mcnemar.test, Agresti (1990), page 350
        (46, 9, True, 23.5636364, 1.208499116e-06),  # R 4: mcnemar.test(matrix(c(71, 9, 46, 74), 2))
        (46, 9, False, 24.8909091, 6.0692e-07),
    ],
)
def test_mcnemar_is_that_of_r(won: int, lost: int, corrected: bool, statistic: float, p: float) -> None:  # noqa: FBT001  (a table)
    right = np.repeat([True, False, True, False], [won, lost, 100, 100])
    other = np.repeat([False, True, True, False], [won, lost, 100, 100])
    tested = mcnemar(right, other, corrected=corrected)
    assert tested.statistic == pytest.approx(statistic, abs=1e-6)
    assert tested.p == pytest.approx(p, abs=1e-6)


def test_mcnemar_of_few_rows_is_exact() -> None:
    """R: `binom.test(4, 14)$p.value` is 0.1795654."""
    right = np.repeat([True, False, True], [10, 4, 30])
    assert mcnemar(right, ~right | (np.arange(44) >= 14)).p == pytest.approx(0.1795654, abs=1e-6)
    assert mcnemar(right, right).p == 1


def test_a_record_compared_with_itself_differs_in_nothing() -> None:
    truth = np.arange(40) % 2
    score = np.random.default_rng(0).random((3, 40))
    made = record.make(truth, score, fold=np.arange(40) // 2 % 4)
    assert comparison.gain(made, made) == {
        **dict.fromkeys(("gain", "gain_low", "gain_high"), 0.0),
        **dict.fromkeys(("gain_p", "gain_t_p", "gain_mcnemar_p"), 1.0),
    }


def fitted_anew(seed: int, *, better: float = 0.0, people: int = 120, **stated: Any) -> Predictions:
    """Return predictions of the same people by other models over other folds."""
    same, own = np.random.default_rng(0), np.random.default_rng(seed)
    truth = same.permutation(np.arange(people) % 3 == 0)
    signal = same.normal(1.2 * truth, size=people)
    score = signal + better * truth + own.normal(scale=0.2, size=(3, people))
    fold = np.array([own.permutation(np.arange(people) % 4) for _ in range(3)])
    return record.make(truth, 1 / (1 + np.exp(-score)), **{"fold": fold, **stated})


def test_models_fitted_anew_differ_within_noise_and_better_ones_beyond_it() -> None:
    before = fitted_anew(1)
    equal = [comparison.differences(fitted_anew(seed), before)["roc_auc"] for seed in range(2, 12)]
    assert sum(each.is_beyond_noise for each in equal) <= 2
    better = comparison.differences(fitted_anew(2, better=1.5), before)
    assert better["roc_auc"].low > 0
    assert better["roc_auc"].method == "paired by people, with the spread of fitted models"
    assert set(better) == {"roc_auc", "average_precision", "sensitivity", "specificity", "brier", "net_benefit"}


def test_a_judged_difference_has_90_percent_of_the_tests_95() -> None:
    now, before = fitted_anew(2, better=0.3), fitted_anew(1)
    judged, tested = comparison.differences(now, before)["roc_auc"], comparison.gain(now, before)
    assert judged.value == pytest.approx(tested["gain"])
    assert tested["gain_low"] < judged.low < judged.high < tested["gain_high"]


@pytest.mark.parametrize("stated", [{"fold": None}, {"fold": np.zeros((3, 120), dtype=int)}])
def test_one_fitted_model_says_nothing_of_others(stated: dict[str, Any]) -> None:
    assert comparison.differences(fitted_anew(2, **stated), fitted_anew(1, **stated)) == {}
    assert comparison.differences(fitted_anew(2), fitted_anew(1, **stated)) == {}


def test_subgroups_of_the_same_people_are_judged_by_the_names_of_their_metrics() -> None:
    sex, age = np.where(np.arange(120) % 2, "f", "m"), np.arange(120.0)
    before = fitted_anew(1, subgroup={"sex": sex, "age": age})
    now = fitted_anew(2, better=1.5, subgroup={"sex": sex, "age": age})
    judged = comparison.differences_of_subgroups(now, before)
    assert judged["roc_auc_sex_f"].low > 0
    metrics = judge.evaluate(now).metrics
    assert {name for name in metrics if "_age_" in name and name.startswith("roc_auc")} >= {
        name for name in judged if "_age_" in name and name.startswith("roc_auc")
    }
    assert len([name for name in judged if name.startswith("roc_auc")]) == 5
    others = fitted_anew(2, subgroup={"sex": np.roll(sex, 1), "site": sex})
    assert comparison.differences_of_subgroups(others, before) == {}  # of other people


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (samples.numbers, {"r2", "mae", "rmse"}),
        (samples.classes, {"roc_auc", "accuracy", "brier"}),
        (samples.binary, {"roc_auc", "average_precision", "sensitivity", "specificity", "brier", "net_benefit"}),
    ],
)
def test_each_question_has_its_judged_metrics(make: Callable[..., Predictions], names: set[str]) -> None:
    now, before = make(), make()
    shifted = now.replaced(score=now.score + 0.01 * np.random.default_rng(3).random(now.score.shape))
    judged = comparison.differences(shifted, before)
    assert set(judged) == names
    assert all(each.low <= each.value <= each.high for each in judged.values())
