"""Tests of records/studies.py: the order of trials, the best one, means over seeds, differences to the best."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_studies import FAILED, LEFT_OUT, PRUNED, UNCHANGED, study_job, trial

from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Outcome, Status, StudyResult
from pytest_training.execution.slot import save_outcome
from pytest_training.execution.studies import judge_study
from pytest_training.jobs.model import Gate, PlannedJob
from pytest_training.records.studies import StudyTable, study_table


def order(table: StudyTable) -> list[str]:
    return [row.id.removeprefix("forest-") for row in table.rows]


@pytest.mark.parametrize(
    ("metric", "gates", "expected", "better"),
    [
        ("", (), ["trees-9", "trees-5", "trees-1"], "higher"),  # auc: the first metric, by its name
        ("mae", (), ["trees-1", "trees-9", "trees-5"], "lower"),
        ("mae", (Gate(metric="mae", operator=">=", threshold=0),), ["trees-5", "trees-9", "trees-1"], "higher"),
        ("", (Gate(metric="mae", operator="<=", threshold=0),), ["trees-1", "trees-9", "trees-5"], "lower"),
        ("oddity", (), ["trees-1", "trees-5", "trees-9"], ""),  # as planned: nobody says which is better
    ],
)
def test_trials_stand_best_first_by_the_stated_metric(
    metric: str, gates: tuple[Gate, ...], expected: list[str], better: str
) -> None:
    trials = [
        trial("trees-1", {"auc": 0.6, "mae": 1.0, "oddity": 3}),
        trial("trees-5", {"auc": 0.7, "mae": 3.0, "oddity": 2}),
        trial("trees-9", {"auc": 0.8, "mae": 2.0, "oddity": 9}),
    ]
    table = study_table("forest", trials, job=study_job(*gates, metric=metric))
    assert (order(table), table.direction) == (expected, better)
    assert table.best == (table.rows[0] if better else None)
    assert table.parameters == ("trees",)
    assert table.rows[0].parameters == {"trees": expected[0].removeprefix("trees-")}
    judged = Outcome(
        job_id="forest",
        kind="study",
        title="",
        status=Status.PASSED,
        study=StudyResult(metric="mae", direction="lower"),
    )
    assert order(study_table("forest", trials, job=study_job(metric=metric), outcome=judged))[0] == "trees-1"


@pytest.mark.parametrize("best", ["forest-n-2", "forest-n-3"])
def test_of_equal_trials_the_best_is_that_of_the_verdict(best: str) -> None:
    trials = [trial(f"n-{n}", {"auc": value}) for n, value in ((1, 0.5), (2, 0.9), (3, 0.9))]
    result = StudyResult(metric="auc", direction="higher", best=best)
    own = Outcome(job_id="forest", kind="study", title="", status=Status.PASSED, study=result)
    table = study_table("forest", trials, outcome=own)
    assert table.best
    assert table.best.id == table.rows[0].id == best


def test_only_whole_trainings_can_be_best_and_all_trials_have_a_row() -> None:
    trials = [
        trial("trees-1", **FAILED),
        trial("trees-2", {"loss": 0.1}, **FAILED),
        trial("trees-3", {"loss": 0.2}, **PRUNED),
        trial("trees-4", {"loss": 0.3}, **PRUNED),
        trial("trees-5", **LEFT_OUT),
        trial("trees-6", {"accuracy": 0.9}),
        trial("trees-7", {"loss": math.nan}),
        trial("trees-8", {"loss": 0.6, "loss_low": 0.5, "dummy_loss": 2, "seconds": 1}),
        trial("trees-9", {"loss": 0.5}, **UNCHANGED),
        trial("none", {"loss": 0.7}, parameters={}),
    ]
    table = study_table("forest", trials, job=study_job(metric="loss"))
    numbers = ["9", "8", "none", "3", "4", "6", "7", "1", "2", "5"]
    assert [name.removeprefix("trees-") for name in order(table)] == numbers
    assert table.best == table.rows[0]
    assert table.metrics == ("loss", "accuracy", "seconds", "loss_low", "dummy_loss")
    assert table.rows[2].parameters == {}


@pytest.mark.parametrize("trials", [[], [trial("trees-1", **FAILED)], [trial("trees-1"), trial("trees-2", **LEFT_OUT)]])
def test_a_study_without_a_metric_has_no_best_trial(trials: list[Outcome]) -> None:
    table = study_table("forest", trials)
    assert (table.metric, table.best, len(table.rows)) == ("", None, len(trials))


def test_seeds_have_a_mean_with_its_interval_and_none_is_best() -> None:
    trials = [trial(f"seed-{seed}", {"auc": value}, seed=seed, parameters={}) for seed, value in ((3, 0.7), (4, 0.9))]
    trials.append(trial("seed-5", seed=5, parameters={}, **FAILED))
    table = study_table("forest", trials, job=study_job(seeds=(3, 4, 5)))
    assert (order(table), table.best) == (["seed-4", "seed-3", "seed-5"], None)
    assert [row.seed for row in table.rows] == [4, 3, 5]
    assert table.spread
    assert table.spread.value == pytest.approx(0.8)
    assert table.spread.number == 2


def test_a_combination_has_the_means_of_its_seeds_and_its_difference_to_the_best() -> None:
    values = {("1", 0): 0.60, ("1", 1): 0.62, ("5", 0): 0.80, ("5", 1): 0.84, ("9", 0): 0.95}
    trials = [
        trial(f"trees-{trees}-seed-{seed}", {"auc": value, "mae": seed}, seed=seed, parameters={"trees": trees})
        for (trees, seed), value in values.items()
    ]
    trials.append(trial("trees-9-seed-1", seed=1, parameters={"trees": "9"}, **FAILED))
    table = study_table("forest", trials, job=study_job(seeds=(0, 1)))
    assert order(table) == ["trees-5", "trees-1", "trees-9"]  # the last one lacks a seed
    best, second, partial = table.rows
    assert table.best == best
    assert best.metrics == {"auc": pytest.approx(0.82), "mae": 0.5}
    assert (best.wall_s, best.behind) == (4.0, None)
    assert best.trials == ("forest-trees-5-seed-0", "forest-trees-5-seed-1")
    assert second.behind
    assert second.behind.value == pytest.approx(-0.21)
    assert second.behind.low < -0.21 < second.behind.high
    assert second.behind.is_beyond_noise
    assert (partial.status, partial.cause, partial.behind) == (Status.FAILED, "error", None)
    assert [row.spread and row.spread.number for row in table.rows] == [2, 2, 1]
    assert [row.id for row in table.trials][:2] == ["forest-trees-9-seed-0", "forest-trees-5-seed-1"]


def test_a_combination_without_all_seeds_or_with_a_seed_that_lacks_the_metric_is_not_the_best() -> None:
    values = {("1", 0): {"auc": 0.6}, ("1", 1): {"auc": 0.7}, ("5", 0): {"auc": 0.9}, ("9", 0): {"auc": 0.95}}
    values[("9", 1)] = {"mae": 0.0}
    trials = [
        trial(f"trees-{trees}-seed-{seed}", metrics, seed=seed, parameters={"trees": trees})
        for (trees, seed), metrics in values.items()
    ]
    table = study_table("forest", trials, job=study_job(metric="auc", seeds=(0, 1)))
    assert order(table) == ["trees-1", "trees-5", "trees-9"]
    assert table.best == table.rows[0]
    assert [row.is_ranked for row in table.rows] == [True, False, True]


NUMBERS = st.floats(-1e9, 1e9) | st.just(math.nan)
STATES: tuple[dict[str, Any], ...] = ({}, FAILED, PRUNED, LEFT_OUT, UNCHANGED)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(STATES), st.none() | NUMBERS), max_size=12), st.sampled_from([True, False]))
def test_no_trial_is_lost_and_none_is_better_than_the_best(
    states: list[tuple[dict[str, Any], float | None]],
    has_seeds: bool,  # noqa: FBT001  (drawn)
) -> None:
    trials = [
        trial(
            f"x-{index}{f'-seed-{index}' * has_seeds}",
            {} if value is None else {"loss": value},
            seed=index,
            parameters={"x": index},
            **state,
        )
        for index, (state, value) in enumerate(states)
    ]
    table = study_table("forest", trials, job=study_job(metric="loss"))
    assert sorted(row.id for row in table.trials) == sorted(each.job_id for each in trials)
    whole = [row.metrics["loss"] for row in table.rows if row.is_ranked and "loss" in row.metrics]
    finite = [value for value in whole if math.isfinite(value)]
    assert (table.best.metrics["loss"] if table.best else None) == min(finite, default=None)


@pytest.mark.parametrize(
    ("changes", "is_alike"),
    [((0.0, 0.0, 0.0), True), ((0.0, 0.1, 0.0), False), ((0.1, 0.1, 0.1), False)],  # by which seed 1 moves the metric
)
@pytest.mark.parametrize("trees", [1, 3])
def test_seeds_that_change_nothing_judge_nothing_and_are_named(
    changes: tuple[float, ...], trees: int, tmp_path: Path, *, is_alike: bool
) -> None:
    trials = [
        trial(f"trees-{n}-seed-{seed}", {"auc": n / 10 + change * seed}, seed=seed, parameters={"trees": n})
        for n, change in enumerate(changes[-trees:], 1)
        for seed in (0, 1)
    ]
    is_alike = is_alike or not any(changes[-trees:])
    folder, job = RunFolder(tmp_path, "20260105-100000-abcd"), study_job(metric="auc", seeds=(0, 1), trials=trials)
    for each in trials:
        save_outcome(folder, each)
    planned = PlannedJob(job=job, expected_s=None, expected_from="unknown")
    notes = judge_study(planned, folder, is_worker=False)["notes"]
    sentence = "trials that differ in their seeds alone have equal metrics: does the job use its seed?"
    assert (sentence in notes) == is_alike
    best, *rows = study_table("forest", trials, job).rows
    moves = [max(row.spread.sd, best.spread.sd) > 0 for row in rows if row.spread and best.spread]
    assert [row.behind is not None for row in rows] == moves


@settings(max_examples=60, deadline=None)
@given(
    states=st.lists(st.tuples(st.sampled_from(STATES), st.sampled_from([None, 0.1, 0.2, 0.3])), min_size=6, max_size=6),
    seeds=st.sampled_from([(), (0, 1)]),
    trees=st.sampled_from([1, 3]),
    left_out=st.integers(0, 3),
)
def test_the_table_agrees_with_the_verdict_on_the_study(
    states: list[tuple[dict[str, Any], float | None]], seeds: tuple[int, ...], trees: int, left_out: int
) -> None:
    names = [(f"trees-{n}" * (trees > 1), seed) for n in range(trees) for seed in seeds or (0,)][left_out:]
    trials = [
        trial(
            f"{name}{f'-seed-{seed}' * bool(seeds)}-".strip("-"),
            {} if value is None else {"auc": value, "mae": seed},
            seed=seed,
            parameters={"trees": name} if name else {},
            **state,
        )
        for (name, seed), (state, value) in zip(names, states, strict=False)
    ]
    job = study_job(metric="auc", seeds=seeds, trials=trials)
    with TemporaryDirectory() as path:
        folder = RunFolder(Path(path), "20260105-100000-abcd")
        for each in trials:
            save_outcome(folder, each)
        planned = PlannedJob(job=job, expected_s=None, expected_from="unknown")
        fields = judge_study(planned, folder, is_worker=False)
    own = Outcome(job_id="forest", kind="study", title="", **fields)
    assert own.study
    assert own.status != Status.PASSED or "auc" in own.metrics
    for table in (study_table("forest", trials, job), study_table("forest", trials, job, own)):
        if seeds and trees == 1:
            assert (table.spread.value if table.spread else None) == own.metrics.get("auc")
        elif "auc" in own.metrics:
            assert table.best
            assert own.study.best in {table.best.id, *table.best.trials}
            assert table.best.metrics["auc"] == own.metrics["auc"]
        else:
            assert table.best is None
