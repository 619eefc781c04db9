"""Tests of every train_*.py: what it leaves behind is whole and opens, it is quiet, and nothing leaks."""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sessions import command, ended, strict_json
from threadpoolctl import threadpool_limits

from pytest_training.execution.attempt.run import Run
from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.model import Job

from .samples import cards, train

MakeRun = Callable[..., Run]

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

JOBS = {job.id: job for job in load_jobs(ROOT / "training", ROOT)[0]}
OTHER_ARTIFACTS = {"baseline_models"}  # compares families: neither one model nor one question
TRUSTED = ("sklearn.", "numpy.", "scipy.", "builtins.")
"""Where a model's types may come from: scikit-learn and what it is made of, none of this repository's."""
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, dict[str, float], list[str]]]:
    """Train a job once with two epochs and folds; return its folder, metrics and warnings."""
    datasets = {dataset.name: dataset for dataset in load_jobs(ROOT / "training", ROOT)[1]}
    done: dict[str, tuple[Path, dict[str, float], list[str]]] = {}

    def once(job: str) -> tuple[Path, dict[str, float], list[str]]:
        if job not in done:
            folder = tmp_path_factory.mktemp(job)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                run = Run(folder=folder, datasets=datasets, beside=(folder, None))
                metrics = train(job, run, epochs=2, folds=2)
            for name, text in zip(("model_card.md", "tripod_ai.md"), cards(run, job, metrics), strict=True):
                (folder / name).write_text(text)
            done[job] = folder, metrics, [str(each.message) for each in caught]
        return done[job]

    return once


Quick = Callable[[str], tuple[Path, dict[str, float], list[str]]]


def simulated(job: Job) -> bool:
    datasets = {dataset.name: dataset for dataset in load_jobs(ROOT / "training", ROOT)[1]}
    return not all(datasets[name].real for name in job.data)


def test_the_twelve_jobs_are_there() -> None:
    assert set(JOBS) == {
        *("als", "alzheimers", "alzheimers_structured", "baseline_models", "brain_mri", "cardiovascular"),
        *("diabetes", "diabetes_progression", "head_injury", "model", "parkinsons", "stroke"),
    }


def test_the_twelve_jobs_run_through_a_smoke_run(tmp_path: Path) -> None:
    words = ("--training-smoke", "-n", "4", "--training-reports", tmp_path, "-o", "addopts=", "test_training_jobs.py")
    assert ended(command(*words), cwd=ROOT).ret == 0
    report = strict_json(tmp_path / "smoke" / "report.json")
    jobs = [test["metadata"] for test in report["tests"]]
    assert {job["id"]: job["status"] for job in jobs} == dict.fromkeys(JOBS, "passed")
    assert {(gate["passed"], gate["found"] is None) for job in jobs for gate in job["gates"]} == {(None, False)}
    assert not [note for job in jobs for note in job["notes"] if "trained whole" in note]


@pytest.mark.parametrize("word", ["als", "parkinsons"])
def test_a_word_selects_its_own_job_alone(word: str) -> None:
    """`pytest -k` matches ids and marks, whatever their case."""
    named = [job for job in JOBS.values() if any(word in name.lower() for name in (job.id, *job.tags))]
    assert [job.id for job in named] == [word]


@pytest.mark.parametrize("job", JOBS)
def test_every_job_has_the_common_parameters_a_question_and_gates(job: str) -> None:
    parameters = JOBS[job].parameters
    assert parameters["epochs"] >= 2
    assert parameters["folds"] == 5
    assert "shuffle_target" not in parameters, "pytest --training-audit shuffles, in one place"
    assert JOBS[job].title.endswith("?")
    assert JOBS[job].gates
    assert JOBS[job].data
    assert JOBS[job].tags


@pytest.mark.parametrize("job", JOBS)
def test_simulated_data_are_in_the_title_or_the_tags(job: str) -> None:
    assert simulated(JOBS[job]) == ("simulated" in JOBS[job].tags)


@pytest.mark.parametrize("job", JOBS)
def test_no_job_silences_warnings_prints_or_sets_a_global_seed(job: str) -> None:
    source = inspect.getsource(importlib.import_module(f"train_{job}"))
    for word in ("filterwarnings", "simplefilter", "print(", "random.seed", "manual_seed"):
        assert word not in source


@pytest.mark.parametrize("job", JOBS)
def test_training_warns_of_nothing(job: str, quick: Quick) -> None:
    assert quick(job)[2] == []


@pytest.mark.parametrize("job", JOBS)
def test_metrics_are_finite_headline_first_with_interval_and_dummy(job: str, quick: Quick) -> None:
    metrics = quick(job)[1]
    assert all(np.isfinite(value) for value in metrics.values())
    assert {gate.metric for gate in JOBS[job].gates} <= set(metrics)
    headline, dummy = HEADLINES.get(job, ("roc_auc", "baseline_roc_auc"))
    assert next(iter(metrics)) == headline
    if dummy:
        assert metrics[f"{headline}_low"] <= metrics[headline] <= metrics[f"{headline}_high"]
        assert dummy in metrics


HEADLINES = {
    "als": ("r2", "baseline_r2"),
    "diabetes_progression": ("r2", "baseline_r2"),
    "cardiovascular": ("known_history_roc_auc", "known_history_baseline_roc_auc"),
    "baseline_models": ("tables_above_dummy", ""),  # a count
}


@pytest.mark.parametrize("job", JOBS)
def test_gates_stand_above_the_dummy(job: str, quick: Quick) -> None:
    metrics = quick(job)[1]
    headline, dummy = HEADLINES.get(job, ("roc_auc", "baseline_roc_auc"))
    thresholds = {gate.metric: gate.threshold for gate in JOBS[job].gates}
    if job in {"model", "baseline_models"}:  # their gates are distances to the dummy
        assert headline not in thresholds or job == "baseline_models"
        return
    assert thresholds[headline] >= metrics[dummy] + 0.08


def test_the_dummy_knows_nothing(quick: Quick) -> None:
    """Constants within folds rank backwards where folds are pooled: the dummy then had 0.43 to 0.49."""
    for job in JOBS:
        dummies = {name: value for name, value in quick(job)[1].items() if name.endswith("baseline_roc_auc")}
        assert all(value == 0.5 for name, value in dummies.items()), (job, dummies)


@pytest.mark.parametrize("job", JOBS)
def test_pictures_open_and_say_what_is_simulated(job: str, quick: Quick) -> None:
    folder = quick(job)[0]
    expected = {"importance.svg", *(["measured.svg"] if "r2" in quick(job)[1] else [])}
    found = {path.name for path in folder.glob("*.svg")}
    assert found >= (expected if job not in OTHER_ARTIFACTS else {"comparison.svg"})
    for path in folder.glob("*.svg"):
        picture = ET.parse(path).getroot()  # noqa: S314  (our own picture)
        text = " ".join(node.text or "" for node in picture.iter(f"{SVG}text"))
        assert path.stat().st_size < 150_000
        assert len(list(picture.iter(f"{SVG}path"))) > 5
        assert ("simulated" in text) == simulated(JOBS[job])


@pytest.mark.parametrize("job", JOBS)
def test_model_card_says_what_a_reader_must_know(job: str, quick: Quick) -> None:
    folder, metrics, _ = quick(job)
    card = (folder / "model_card.md").read_text()
    assert card.startswith("# ")
    assert "Not for clinical use." in card
    assert "License: " in card
    assert simulated(JOBS[job]) or "sha256 `" in card  # what is simulated is no file of the catalogue
    assert "## Limits" in card
    headline = next(iter(metrics))
    assert f"{headline} | {metrics[headline]:.3f} | " in card.replace("\\", "")
    assert ("data are simulated" in card) == simulated(JOBS[job])


NEVER_STATED = {"3c", "5b", "8b", "8c", "17", "18a", "18b", "18c", "18d", "19"}
"""Of parkinsons: no source in this repository states them."""
OF_A_RUN = {"18f", "22"}
"""Commit and files of the model: a run has them, a training in this process has none."""


def test_the_checklist_of_parkinsons_says_what_is_known_and_no_more(quick: Quick) -> None:
    text = (quick("parkinsons")[0] / "tripod_ai.md").read_text()
    assert "\n40 of 52 sub-items are answered." in text
    rows = [line.removeprefix("| ").split(" | ") for line in text.splitlines() if re.match(r"\| \d", line)]
    assert {row[0] for row in rows if "**not stated**" in row[3]} == NEVER_STATED | OF_A_RUN
    assert {row[4].rstrip(" |") for row in rows} == {"record", "stated", "record and stated", ""}


@pytest.mark.parametrize("job", JOBS)
def test_predictions_are_those_that_the_metrics_judge(job: str, quick: Quick) -> None:
    folder, metrics, _ = quick(job)
    if job in OTHER_ARTIFACTS:
        assert {"table", "model", "row", "fold", "truth", "risk"} <= set(pd.read_csv(folder / "predictions.csv"))
        return
    for path in folder.glob("predictions*.csv"):
        table, prefix = pd.read_csv(path), path.stem.removeprefix("predictions").removeprefix("_")
        assert table.notna().all(axis=None)
        assert set(table["fold"]) <= {0, 1}
        if "r2" in metrics:
            value, name = (table["score"] - table["truth"]).abs().mean(), "mae"
        else:
            positive = table.filter(like="score_").columns[1]
            value = ((table[positive] - (table["truth"] == positive.removeprefix("score_"))) ** 2).mean()
            name = "brier"
        assert value == pytest.approx(metrics[f"{prefix}_{name}" if prefix else name], abs=1e-9)


@pytest.mark.parametrize("job", [job for job in JOBS if job not in OTHER_ARTIFACTS])
def test_saved_model_loads_without_any_type_of_ours(job: str, quick: Quick) -> None:
    (path,) = quick(job)[0].glob("*.skops")
    types = skops.io.get_untrusted_types(file=path)
    assert all(name.startswith(TRUSTED) for name in types)
    model = skops.io.load(path, trusted=types)
    assert hasattr(model, "predict")


@pytest.mark.parametrize("job", ["diabetes", "cardiovascular", "parkinsons", "stroke", "model", "diabetes_progression"])
def test_saved_model_predicts_whoever_it_is_given(job: str, quick: Quick, make_run: MakeRun) -> None:
    module, folder = importlib.import_module(f"train_{job}"), quick(job)[0]
    run = make_run()
    load = module.breast.load if job == "model" else module.load
    cohort = load(*[run.data(name) for name in JOBS[job].data])
    path = folder / "model.skops"
    model = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    answer = model.predict_proba(cohort.features)[:, 1] if cohort.classes else model.predict(cohort.features)
    assert answer.shape == (len(cohort),)
    assert np.corrcoef(answer, cohort.target)[0, 1] > 0.2


@pytest.mark.parametrize("job", JOBS)
def test_a_seed_gives_the_same_metrics_to_the_last_digit_with_any_number_of_threads(
    job: str, quick: Quick, make_run: MakeRun
) -> None:
    with threadpool_limits(2):
        assert train(job, make_run(threads=2), epochs=2, folds=2) == quick(job)[1]


def test_another_seed_gives_other_metrics(quick: Quick, make_run: MakeRun) -> None:
    assert train("diabetes", make_run(1), epochs=2, folds=2) != quick("diabetes")[1]


SHUFFLES = 3  # one shuffle of 126 people moves an AUC by 0.06 by chance alone


@pytest.mark.parametrize("job", JOBS)
def test_nothing_can_be_learned_from_a_shuffled_target(job: str, make_run: MakeRun) -> None:
    """What still scores above chance has leaked: an AUC far from 0.5 or an R² above 0.05."""
    seeds = 1 if job in {"baseline_models", "brain_mri"} else SHUFFLES  # the slowest two
    once = {"repeats": 1} if "repeats" in JOBS[job].parameters else {}
    shuffled = [
        train(job, make_run(seed, f"shuffle-{seed}", shuffle=1), epochs=3, folds=2, **once) for seed in range(seeds)
    ]
    found = pd.DataFrame(shuffled).mean()
    answers = [name for name in found.index if name == "roc_auc" or name.endswith("_roc_auc")]
    if job == "baseline_models":  # those of single tables are off by chance: one shuffle of each
        answers = [name for name in answers if name.startswith(("breast", "cardiovascular", "diabetes"))]
    assert found[answers].between(0.42, 0.58).all(), found[answers]
    assert found.get("r2", 0.0) < 0.05
