"""What `run.predictions` leaves: metrics that gates can name, files beside result.json, the words of the method."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sessions import Project

from pytest_training.evaluation import record, result
from pytest_training.execution.attempt.run import Run

TOP = """
import numpy as np

truth = np.arange(60) % 3 == 0
risk = np.clip(0.2 + 0.4 * truth + np.random.default_rng(0).normal(size=(2, 60)) / 5, 0, 1)
fold = np.arange(60) // 3 % 4
"""


@pytest.mark.slow
def test_a_job_is_judged_by_its_predictions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path)
    project.job("plain", "run.predictions(truth, risk, fold=fold)", top=TOP)
    project.job("more", 'run.predictions(truth, risk[0], fold=fold)\nreturn {"score": 1, "cutoff": 0.5}', top=TOP)
    project.job("other", 'run.predictions(truth, risk, fold=fold)\nreturn {"roc_auc": 0.99}', top=TOP)
    project.job(
        "compared",
        "one = run.predictions(truth, risk, fold=fold)\n"
        'run.predictions(truth, risk[::-1], fold=fold, name="turned", against=one)',
        top=TOP,
    )
    project.job(
        "noted",
        'run.note("3 of 7 columns used")\nrun.note("hidden-words <b>")\nreturn {"leaks": 1}',
        parameters='token=""',
    )
    hidden = "run.predictions(truth, risk, person=[token] * 60)"
    project.job("secret", hidden, top=TOP, parameters='token=""')
    project.job("wrong", "run.predictions(truth, risk * 3, fold=fold)", top=TOP)
    project.job("nothing", "return None")
    project.write(
        "training/jobs.yaml",
        """
        jobs:
          plain: {gates: {roc_auc: ">= 0.5", calibration_slope_low: ">= -9", baseline_roc_auc: "== 0.5"}}
          compared: {gates: {turned_gain: ">= -1"}}
          secret: {secret: {token: TOKEN}}
          noted: {secret: {token: TOKEN}, gates: {leaks: "== 0"}}
        """,
    )
    monkeypatch.setenv("TOKEN", "hidden-words")
    printed = project.run("-n", "2").stdout.str()
    jobs = project.metadata()
    assert project.statuses() == {
        **dict.fromkeys(("plain", "more", "compared", "secret"), "passed"),
        **dict.fromkeys(("noted", "other", "wrong", "nothing"), "failed"),
    }
    assert jobs["plain"]["interval_method"].endswith("over 60 people, with the spread of 2 × 4 fitted models")
    assert "one repeat does not show" in jobs["more"]["interval_method"]
    assert jobs["more"]["metrics"]["score"] == 1
    assert jobs["other"]["reason"].startswith("train returned 'roc_auc' = 0.99, run.predictions has 0.")
    assert jobs["compared"]["metrics"]["turned_gain"] == 0
    assert "expected risks from 0 to 1" in jobs["wrong"]["reason"]
    assert "train returned None" in jobs["nothing"]["reason"]
    (run,) = (project.reports / "runs").iterdir()
    made = result.read(run / "jobs/plain/attempt-1/evaluation.json")
    assert made.metrics == jobs["plain"]["metrics"]
    assert (made.rows, made.people, made.events, made.repeats, made.folds) == (60, 60, 20, 2, 4)
    assert len(record.read(run / "jobs/compared/attempt-1/predictions_turned.csv").truth) == 120
    assert jobs["noted"]["remarks"] == ["3 of 7 columns used", "*** <b>"]
    texts = [printed, *((project.reports / name).read_text() for name in ("summary.md", "index.html"))]
    assert all("3 of 7 columns used" in text and "hidden-words" not in text for text in texts)
    record_file = (run / "jobs/secret/attempt-1/predictions.csv").read_text()
    assert "hidden-words" not in record_file
    assert record_file.count("***") == 120


def test_each_call_has_a_name_of_its_own(tmp_path: Path) -> None:
    run = Run(folder=tmp_path)
    truth, risk = np.arange(20) % 2, np.linspace(0, 1, 20)
    run.predictions(truth, risk)
    assert run.predictions(truth, risk, name="external").metrics["external_roc_auc"] == run.predicted["roc_auc"]
    with pytest.raises(ValueError, match="called with the name 'external' before"):
        run.predictions(truth, risk, name="external")
    with pytest.raises(ValueError, match=r"has the metric 'baseline_\w+' of an earlier call"):
        run.predictions(truth, risk, name="baseline")


def test_a_record_of_another_job_is_compared_by_its_file(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    truth = np.arange(60) % 2
    weak, strong = random.random(60), np.clip(truth * 0.5 + random.random(60) / 2, 0, 1)
    path = record.write(record.make(truth, weak, fold=truth), tmp_path)
    made = Run(folder=tmp_path).predictions(truth, strong, fold=truth, against=path).metrics
    assert made["gain_low"] < made["gain"] < made["gain_high"]
    assert made["gain_p"] < 0.001


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"truth": [0.5, 1.5, 2.5]}, "have the classes none and 0, 1"),
        ({"person": ["a", "b", "c"]}, "are of 3 and 3 people, 2 of them in both"),
        ({"truth": [0, 0, 1]}, "have other outcomes for the same people"),
    ],
)
def test_only_predictions_of_the_same_people_are_compared(other: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    stated: dict[str, Any] = {"truth": [0, 1, 1], "score": [0.1, 0.5, 0.6], "person": ["a", "b", "d"]}
    path = record.write(record.make(**stated), tmp_path)
    with pytest.raises(ValueError, match=sentence):
        Run(folder=tmp_path).predictions(**stated | other, against=os.fspath(path))


def test_only_an_earlier_call_or_a_path_is_compared(tmp_path: Path) -> None:
    run, truth, risk = Run(folder=tmp_path), np.arange(20) % 2, np.linspace(0, 1, 20)
    other = Run(folder=tmp_path).predictions(truth, risk)
    (tmp_path / "empty.csv").touch()
    cases: tuple[tuple[Any, str], ...] = (
        (3, "against is 3; expected an earlier call's value"),
        (other, "against is an evaluation of another run"),
        (tmp_path / "empty.csv", "expected a record of predictions"),
    )
    for against, sentence in cases:
        with pytest.raises(ValueError, match=sentence):
            run.predictions(truth, risk, against=against)


def test_pytest_itself_loads_no_numpy(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.jobs("als")
    project.write(
        "conftest.py", "import sys\ndef pytest_unconfigure():\n    assert not {'numpy', 'scipy'} & set(sys.modules)"
    )
    assert project.run("--collect-only", "-q").ret == 0
