"""Runs whose jobs predict for the same people: what is said of a change, and which regression fails, everywhere."""

from __future__ import annotations

import json

import pytest
from sessions import Project, text

pytestmark = pytest.mark.slow

TRUTH = """
import random

TRUTH = [each % 3 == 0 for each in range(90)]
"""
PREDICT = """
own, same = random.Random(shift), random.Random(1)
scores = [[0.3 + signal * each + same.gauss(0, 0.2) for each in TRUTH]] * 2
scores = [[each + own.gauss(0, 0.02) for each in one] for one in scores]
folds = [[own.randrange(4) for _ in TRUTH] for _ in scores]
run.predictions(TRUTH, [[min(max(each, 0), 1) for each in one] for one in scores]{fold})
"""
JOBS = {"folds": ", fold=folds", "alone": "", "study": ", fold=folds"}
LIMIT = "--training-max-regression=0.1%"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a run, then one with models that were fitted anew (`slightly`) or that are bad (`much`)."""
    project = Project(tmp_path_factory.mktemp("judged"))
    for name, fold in JOBS.items():
        for change in ("slightly", "much"):
            body = PREDICT.format(fold=fold)
            project.job(f"{name}_{change}", body, top=TRUTH, parameters="shift=3, signal=0.2, part=1")
    studies = {f"study_{change}": {"matrix": {"part": [1, 2]}} for change in ("slightly", "much")}
    project.write("training/jobs.yaml", json.dumps({"jobs": studies}))
    first = project.run("-p", "no:xdist")
    assert first.ret == 0, text(first)
    settings = ("*.shift=1", "*_much.signal=-0.2")
    result = project.run("-p", "no:xdist", LIMIT, "--training-compare=last", *(f"--set={each}" for each in settings))
    (project.root / "said.txt").write_text(text(result), encoding="utf-8")
    return project


def test_a_change_is_judged_where_both_runs_have_predictions_of_models_fitted_anew(project: Project) -> None:
    method = "paired by people, with the spread of fitted models"
    changes = {
        "folds_slightly": "): within noise",
        "folds_much": "): worse, beyond noise",
        "study_slightly": "): within noise",
        "study_much": "): worse, beyond noise",
        "alone_much": "worse, not judged against noise",
    }
    places = (project.root / "said.txt", project.reports / "summary.md", project.reports / "index.html")
    for path in places:
        said = path.read_text(encoding="utf-8").replace("\\", "")
        assert "ntervals of differences of folds_much" in said, path
        assert method in said, path
        assert all(words in said for words in changes.values()), path
    metadata = project.metadata()
    first = {job_id: metadata[job_id]["changes"][0] for job_id in changes}
    verdicts = {job_id: (each["verdict"], each["difference"] is not None) for job_id, each in first.items()}
    assert verdicts == {
        "folds_slightly": ("noise", True),
        "folds_much": ("worse", True),
        "study_slightly": ("noise", True),
        "study_much": ("worse", True),
        "alone_much": ("worse", False),
    }


def test_a_regression_fails_beyond_noise_or_where_nothing_judges_it(project: Project) -> None:
    metadata, said = project.metadata(), project.statuses()
    judged = {"slightly": "passed", "much": "failed"}
    expected = {f"{name}_{change}": status for name in ("folds", "study") for change, status in judged.items()}
    assert {job_id: said[job_id] for job_id in (*expected, "alone_much")} == expected | {"alone_much": "failed"}
    reason = metadata["folds_much"]["reason"]
    assert "with other parameters (shift, signal), at most 0.1 % worse; beyond noise: -" in reason
    assert metadata["alone_much"]["reason"].endswith("at most 0.1 % worse; not judged against noise")
    (note,) = metadata["folds_slightly"]["notes"]
    assert "at most 0.1 % worse: within noise: -" in note


def test_runs_that_were_never_compared_are_judged_when_they_are_read(project: Project) -> None:
    answer = project.ask("diff", "last", "previous")
    assert answer.ret == 0, text(answer)
    answer.stdout.fnmatch_lines(["folds_much *): better, beyond noise", "folds_slightly *): within noise"])
    answer.stdout.fnmatch_lines(["alone_much *): better, not judged against noise"])
