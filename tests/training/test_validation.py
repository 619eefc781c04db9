"""Tests of training/validation.py and reliance.py: nobody is judged by a model that saw them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import validation
from cohorts import Cohort
from sklearn.linear_model import LinearRegression, LogisticRegression
from validation import Estimator

from pytest_training.execution.attempt.run import Run
from pytest_training.records.events import read_events

from .samples import make_cohort

pytestmark = pytest.mark.slow

MakeRun = Callable[..., Run]


def plain(cohort: Cohort, *, seed: int, log: Callable[..., None]) -> Estimator:
    """Fit the simplest model of the kind that the cohort asks for."""
    log(seed=seed)
    return (LogisticRegression() if cohort.classes else LinearRegression()).fit(cohort.features, cohort.target)


@pytest.mark.parametrize("kind", ["binary", "classes", "number"])
def test_every_row_is_predicted_by_a_model_that_did_not_see_it(kind: str, make_run: MakeRun) -> None:
    cohort = make_cohort(90, kind=kind)
    seen: list[set[int]] = []

    def spy(cohort: Cohort, *, seed: int, log: Callable[..., None]) -> Estimator:
        seen.append(set(cohort.features.index))
        return plain(cohort, seed=seed, log=log)

    predictions = validation.cross_validate(make_run(), cohort, spy, folds=3, repeats=2)
    assert np.isfinite(predictions.predicted).all()
    for repeat in range(2):
        for row in range(90):
            assert row not in seen[3 * repeat + predictions.fold[repeat, row]]


def test_the_progress_of_a_job_that_validates_several_times_counts_them_all(tmp_path: Path) -> None:
    run = Run(folder=tmp_path, events=tmp_path / "events.jsonl")
    for stage in ((0, 2), (1, 2)):
        validation.cross_validate(run, make_cohort(90), plain, folds=3, stage=stage)
    run.close()
    progress = [event.progress for event in read_events(tmp_path / "events.jsonl", largest=2**20) if event.progress]
    assert progress == [(done, 6) for done in range(1, 7)]


def test_reliance_names_the_column_that_tells(make_run: MakeRun) -> None:
    predictions = validation.cross_validate(make_run(), make_cohort(300), plain, folds=3)
    assert list(predictions.relies_on) == ["signal", "noise"]
    assert predictions.relies_on["signal"] > 0.1
    assert abs(predictions.relies_on["noise"]) < 0.05


def test_a_resumed_training_returns_the_same(make_run: MakeRun, tmp_path: Path) -> None:
    files = tmp_path / "checkpoint"

    def stops(cohort: Cohort, *, seed: int, log: Callable[..., None]) -> Estimator:
        if len(stopped) == 3:
            raise KeyboardInterrupt
        stopped.append(seed)
        return plain(cohort, seed=seed, log=log)

    stopped: list[int] = []
    cohort = make_cohort(90)
    whole = validation.cross_validate(make_run(), cohort, plain, folds=3, repeats=2)
    with pytest.raises(KeyboardInterrupt):
        validation.cross_validate(
            Run(folder=tmp_path, checkpoint=files), cohort, stops, folds=3, repeats=2, checkpoint=True
        )
    resumed = validation.cross_validate(
        Run(folder=tmp_path, checkpoint=files), cohort, plain, folds=3, repeats=2, checkpoint=True
    )
    assert np.array_equal(resumed.predicted, whole.predicted)
    assert resumed.relies_on == whole.relies_on


def test_same_seed_gives_same_figures_and_another_seed_others(make_run: MakeRun) -> None:
    metrics = []
    for seed, name in ((0, "a"), (0, "b"), (1, "c")):
        run = make_run(seed, name)
        metrics.append(validation.judge(run, validation.cross_validate(run, make_cohort(), plain, folds=3)).metrics)
    assert metrics[0] == metrics[1] != metrics[2]


def test_some_of_the_people_are_judged_with_their_folds(make_run: MakeRun) -> None:
    run = make_run()
    whole = validation.cross_validate(run, make_cohort(), plain, folds=3, repeats=2)
    some = whole.of((whole.cohort.features["noise"] > 0).to_numpy())
    assert validation.judge(run, some, name="some").rows == len(some.cohort) == some.fold.shape[1]
    assert validation.judge(run, whole).people == 120
    assert next(iter(run.predicted)) == "roc_auc", "the call without a name has the headline"
