"""Tests of training/evaluation.py: figures against scikit-learn's, intervals over people, folds that do not leak."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import evaluation
import numpy as np
import pytest
from arrays import Floats
from cohorts import Cohort
from evaluation import Estimator
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, mean_absolute_error, r2_score, roc_auc_score

from pytest_training.execution.attempt.run import Run
from pytest_training.records.events import read_events

from .samples import make_cohort, make_predictions

MakeRun = Callable[..., Run]


def plain(cohort: Cohort, *, seed: int, log: Callable[..., None]) -> Estimator:
    """Fit the simplest model of the kind that the cohort asks for."""
    log(seed=seed)
    return (LogisticRegression() if cohort.classes else LinearRegression()).fit(cohort.features, cohort.target)


def weighted(rows: int) -> st.SearchStrategy[tuple[list[int], list[float], list[int]]]:
    """Return a strategy of a target with both classes, tied scores and how often each row was drawn."""
    scores = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), min_size=rows, max_size=rows)
    truth = st.lists(st.integers(0, 1), min_size=rows, max_size=rows)
    return st.tuples(truth, scores, st.lists(st.integers(0, 3), min_size=rows, max_size=rows))


@given(st.integers(2, 25).flatmap(weighted))
def test_weighted_curves_equal_those_of_scikit_learn(case: tuple[list[int], list[float], list[int]]) -> None:
    truth, score, weights = (np.array(each) for each in case)
    drawn = np.repeat(truth, weights)
    if len(set(drawn)) < 2:
        assert np.isnan(evaluation.roc_auc(truth, score, weights[None, :].astype(float))[0])
        return
    scores = np.repeat(score, weights)
    values = [
        measure(truth, score, weights[None, :].astype(float))[0]
        for measure in (evaluation.roc_auc, evaluation.average_precision, evaluation.brier)
    ]
    expected = [f(drawn, scores) for f in (roc_auc_score, average_precision_score, brier_score_loss)]
    assert values == pytest.approx(expected)


def test_numbers_are_judged_as_scikit_learn_does() -> None:
    cohort = make_cohort(kind="number")
    predicted = cohort.target + np.random.default_rng(1).normal(size=len(cohort))
    metrics = evaluation.judge(make_predictions(cohort, predicted))
    assert metrics["r2"] == pytest.approx(r2_score(cohort.target, predicted))
    assert metrics["mae"] == pytest.approx(mean_absolute_error(cohort.target, predicted))
    assert metrics["baseline_r2"] == pytest.approx(0, abs=1e-9)


def test_several_classes_are_judged_one_against_the_rest() -> None:
    cohort = make_cohort(kind="classes")
    risk = np.random.default_rng(1).dirichlet(np.ones(3), size=len(cohort))
    metrics = evaluation.judge(make_predictions(cohort, risk))
    assert metrics["roc_auc"] == pytest.approx(roc_auc_score(cohort.target, risk, multi_class="ovr"))
    assert metrics["accuracy"] == pytest.approx((risk.argmax(axis=1) == cohort.target).mean())


def test_headline_comes_first_with_an_interval_around_it_and_a_dummy_beside_it() -> None:
    cohort = make_cohort()
    risk = 1 / (1 + np.exp(-cohort.features["signal"].to_numpy()))
    metrics = evaluation.judge(make_predictions(cohort, risk), cutoff=0.4)
    assert list(metrics)[:3] == ["roc_auc", "roc_auc_low", "roc_auc_high"]
    assert metrics["roc_auc_low"] < metrics["roc_auc"] < metrics["roc_auc_high"]
    assert metrics["baseline_roc_auc"] == 0.5
    assert metrics["cutoff"] == 0.4
    assert all(np.isfinite(list(metrics.values())))


def test_interval_is_as_wide_as_theory_says() -> None:
    """Hanley and McNeil's standard error of an AUC of 0.76 with 300 and 300 people is about 0.0195."""
    random = np.random.default_rng(0)
    truth = np.repeat([0, 1], 300)
    score = random.normal(size=600) + truth
    cohort = Cohort(features=make_cohort(600).features, target=truth, classes=("well", "ill"))
    metrics = evaluation.judge(make_predictions(cohort, score.clip(0, 1) * 0 + 1 / (1 + np.exp(-score))))
    assert metrics["roc_auc_high"] - metrics["roc_auc_low"] == pytest.approx(3.92 * 0.0195, rel=0.15)


def test_intervals_are_over_people_not_rows() -> None:
    """Forty people with fifty equal rows each tell no more than forty rows."""
    few = make_cohort(40)
    risk = 1 / (1 + np.exp(-few.features["signal"].to_numpy()))
    many = few.take(np.repeat(np.arange(40), 50))
    grouped = Cohort(
        features=many.features, target=many.target, classes=many.classes, person=np.repeat(np.arange(40), 50)
    )
    widths = [
        (metrics := evaluation.judge(make_predictions(cohort, predicted)))["roc_auc_high"] - metrics["roc_auc_low"]
        for cohort, predicted in ((few, risk), (grouped, np.repeat(risk, 50)), (many, np.repeat(risk, 50)))
    ]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)
    assert widths[2] < widths[0] / 3


def test_repeats_are_averaged_as_metrics_not_as_predictions() -> None:
    cohort = make_cohort(60)
    predictions = make_predictions(cohort, np.linspace(0.1, 0.9, 60), repeats=2)
    predictions.predicted[1] = predictions.predicted[0][::-1]
    each = [roc_auc_score(cohort.target, risk) for risk in predictions.predicted]
    assert evaluation.judge(predictions)["roc_auc"] == pytest.approx(np.mean(each))


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.0), (2.0, 0.0), (0.5, 0.0), (1.0, 0.7)])
def test_calibration_line_finds_what_was_done_to_the_risks(factor: float, shift: float) -> None:
    random = np.random.default_rng(0)
    log_odds = random.normal(size=40_000)
    happened = (random.random(40_000) < 1 / (1 + np.exp(-log_odds))).astype(int)
    slope, intercept = evaluation.calibration_line(happened, 1 / (1 + np.exp(-(factor * log_odds - shift))))
    assert slope == pytest.approx(1 / factor, abs=0.05)
    assert shift == 0.0 or intercept == pytest.approx(shift, abs=0.05)


@pytest.mark.parametrize("risk", [np.full(50, 0.3), np.repeat([0.0, 1.0], 25)])
def test_calibration_of_constant_and_of_perfect_risks_is_finite(risk: Floats) -> None:
    assert np.isfinite(evaluation.calibration_line(np.repeat([0, 1], 25), risk)).all()


@pytest.mark.parametrize("kind", ["binary", "classes", "number"])
def test_every_row_is_predicted_by_a_model_that_did_not_see_it(kind: str, make_run: MakeRun) -> None:
    cohort = make_cohort(90, kind=kind)
    seen: list[set[int]] = []

    def spy(cohort: Cohort, *, seed: int, log: Callable[..., None]) -> Estimator:
        seen.append(set(cohort.features.index))
        return plain(cohort, seed=seed, log=log)

    predictions = evaluation.cross_validate(make_run(), cohort, spy, folds=3, repeats=2)
    assert np.isfinite(predictions.predicted).all()
    for repeat in range(2):
        for row in range(90):
            assert row not in seen[3 * repeat + predictions.fold[repeat, row]]


def test_the_progress_of_a_job_that_validates_several_times_counts_them_all(tmp_path: Path) -> None:
    run = Run(folder=tmp_path, events=tmp_path / "events.jsonl")
    for stage in ((0, 2), (1, 2)):
        evaluation.cross_validate(run, make_cohort(90), plain, folds=3, stage=stage)
    run.close()
    progress = [event.progress for event in read_events(tmp_path / "events.jsonl", largest=2**20) if event.progress]
    assert progress == [(done, 6) for done in range(1, 7)]


def test_reliance_names_the_column_that_tells(make_run: MakeRun) -> None:
    predictions = evaluation.cross_validate(make_run(), make_cohort(300), plain, folds=3)
    assert predictions.importance["block"].iloc[0] == "signal"
    assert predictions.importance["loss"].iloc[0] > 0.1
    assert abs(predictions.importance["loss"].iloc[1]) < 0.05


def test_same_seed_gives_same_figures_and_another_seed_others(make_run: MakeRun) -> None:
    figures = [
        evaluation.judge(evaluation.cross_validate(make_run(seed, name), make_cohort(), plain, folds=3))
        for seed, name in ((0, "a"), (0, "b"), (1, "c"))
    ]
    assert figures[0] == figures[1] != figures[2]


def test_gain_over_itself_is_nothing_and_over_noise_is_sure() -> None:
    cohort = make_cohort(300)
    model = make_predictions(cohort, 1 / (1 + np.exp(-cohort.features["signal"].to_numpy())))
    noise = make_predictions(cohort, 1 / (1 + np.exp(-cohort.features["noise"].to_numpy())))
    assert set(evaluation.gain("roc_auc", model, over=model).values()) == {0.0}
    assert evaluation.gain("roc_auc", model, over=noise, prefix="panel_")["panel_gain_low"] > 0.1


def test_a_column_that_gives_the_answer_away_is_found() -> None:
    cohort = make_cohort(200)
    cohort.features["copy"] = cohort.target * 3.0
    alone = evaluation.judge_each_column(cohort, seed=0)
    assert alone["copy"] == 1.0
    assert 0.5 < alone["signal"] < 0.95
    assert abs(alone["noise"] - 0.5) < 0.12
