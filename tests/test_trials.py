"""Studies as users run them: many jobs in one session, read from its report."""

from __future__ import annotations

from typing import Any

import pytest
from sessions import Project

JOBS = """\
jobs:
  als: {seeds: 5}
  forest: {matrix: {trees: [10, 50], depth: [3, 4]}}
  both: {matrix: {lr: [0.1, 0.2]}, seeds: [0, 3], metric: accuracy}
  low: {seeds: 2, gates: {auc_low: ">= 0.8"}}
  partly: {matrix: {depth: [1, 9]}}
  lacking: {seeds: [1, 9]}
  none: {matrix: {depth: [8, 9]}, optional: true}
  same: {seeds: 3}
  undirected: {matrix: {depth: [1, 2]}}
  named: {matrix: {depth: [1, 2]}, metric: recall}
  rare: {matrix: {depth: [1, 2, 3]}, gates: {recall: "> 0"}}
  odd: {seeds: [2, 3, 4], gates: {spare: "> 0"}}
  one: {seeds: 1, gates: {auc_low: "> 0"}}
  bounded: {matrix: {depth: [1, 2]}, gates: {auc: ["> 0", "< 1"]}}
  last: {command: [python, -c, "print('auc:', {needs.forest.metrics.auc}, '{needs.forest.folder}')"], needs: [forest]}
  trial: {command: [python, -c, "print('auc: 1')"], needs: [als-seed-3]}
  nowhere: {command: [python, -c, "print('{needs.undirected.folder}')"], needs: [undirected]}
"""
SCRIPT = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--lr", type=float, default=0.5)
given = parser.parse_args()
print("accuracy:", 0.5 + given.lr + given.seed / 100)
"""
BOTH = """if depth > 5 or run.seed > 8:
    raise ValueError("too deep")
return {"auc": 0.6 + trees / 1000 + depth / 100, "drawn": random.random()}"""


@pytest.fixture(scope="module", params=["0", pytest.param("3", marks=pytest.mark.slow)])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return the outcomes of the session by job id."""
    project = Project(tmp_path_factory.mktemp("studies"))
    project.write("training/jobs.yaml", JOBS)
    project.write("training/train_both.py", SCRIPT)
    seeded = 'return {"auc": 0.8 + run.seed / 100, "auc_low": 0.1, "drawn": random.random()}'
    for job_id in ("als", "low"):
        project.job(job_id, f"import random\n{seeded}")
    for job_id in ("forest", "partly", "none", "lacking", "named", "bounded"):
        project.job(job_id, BOTH, top="import random", parameters="trees=10, depth=3")
    project.job("rare", 'return {"recall": 0.5} if depth < 2 else {"auc": 1}', parameters="depth=1")
    project.job("odd", 'return {"auc": 0.5, "spare": 1} if run.seed < 3 else {"auc": 0.6}')
    project.job("one", 'return {"auc": 0.5}')
    project.job("same", 'return {"auc": 0.5}')
    project.job("undirected", 'return {"frobs": depth}', parameters="depth=3")
    project.run("-n", request.param, "--training-seed", "2")
    return project.metadata()


def test_seeds_have_a_mean_with_its_spread(told: dict[str, dict[str, Any]]) -> None:
    als = told["als"]
    assert {name: round(als["metrics"][name], 4) for name in ("auc", "auc_sd", "auc_low", "auc_high")} == {
        "auc": 0.84,
        "auc_sd": 0.0158,
        "auc_low": 0.8204,
        "auc_high": 0.8596,
    }
    assert (als["status"], als["kind"], als["study"]["seeds"], als["study"]["best"]) == (
        "passed",
        "study",
        5,
        "als-seed-2",
    )
    assert als["interval_method"] == "Student's t over 5 seeds, 95 %"
    trials = [told[f"als-seed-{seed}"] for seed in range(2, 7)]
    assert [(trial["seed"], trial["trial_of"]) for trial in trials] == [(seed, "als") for seed in range(2, 7)]
    assert len({trial["metrics"]["drawn"] for trial in trials}) == 5


def test_a_matrix_has_its_best_trial(told: dict[str, dict[str, Any]]) -> None:
    forest, best = told["forest"], told["forest-trees-50-depth-4"]
    assert (forest["metrics"], forest["parameters"]) == (best["metrics"], best["parameters"])
    assert forest["study"] == {
        "metric": "auc",
        "direction": "higher",
        "best": "forest-trees-50-depth-4",
        "best_run": "",
        "folder": "",
        "trials": 4,
        "passed": 4,
        "pruned": 0,
        "seeds": 0,
        "wall_s": pytest.approx(sum(each["wall_s"] for each in told.values() if each["trial_of"] == "forest")),
    }
    drawn = [each["metrics"]["drawn"] for each in told.values() if each["trial_of"] == "forest"]
    assert (len(drawn), len(set(drawn))) == (4, 1)  # common random numbers


def test_seeds_inside_a_matrix_give_the_best_mean(told: dict[str, dict[str, Any]]) -> None:
    both = told["both"]
    assert both["metrics"]["accuracy"] == pytest.approx(0.715)
    assert both["metrics"]["accuracy_sd"] == pytest.approx(0.0212, abs=1e-4)
    assert both["parameters"] == {"lr": 0.2}
    assert (both["study"]["best"], both["study"]["seeds"]) == ("both-lr-0.2-seed-0", 2)
    assert [told[f"both-lr-0.1-seed-{seed}"]["parameters"]["seed"] for seed in (0, 3)] == [0, 3]


VERDICTS = {
    "low": ("failed", "gate", "auc_low is 0.7615, required >= 0.8"),
    "partly": ("passed", None, "1 of 2 trials did not pass: partly-depth-9"),
    "lacking": ("failed", "trials", "1 of 2 trials did not pass: lacking-seed-9"),
    "none": ("failed", "trials", "2 of 2 trials did not pass: none-depth-8, none-depth-9"),
    "same": ("passed", None, "trials that differ in their seeds alone have equal metrics: does the job use its seed?"),
    "undirected": ("passed", None, ""),
    "named": ("failed", "result", "no trial has the metric 'recall': expected one of auc, drawn"),
    "rare": ("passed", None, "2 of 3 that passed lack recall: rare-depth-2, rare-depth-3"),
    "odd": ("failed", "result", "'spare', which a gate needs, is lacking in odd-seed-3, odd-seed-4"),
    "one": ("failed", "result", "one seed has no auc_low, which a gate needs: an interval needs at least two seeds"),
    "bounded": ("passed", None, ""),
    "trial": ("passed", None, ""),
    "nowhere": ("failed", "error", "{needs.undirected.folder}: the job that it needs left no folder, or has no best"),
}
"""By job its status and cause, and what its reason or notes say."""


@pytest.mark.parametrize("job_id", VERDICTS)
def test_a_study_is_judged_from_its_trials(told: dict[str, dict[str, Any]], job_id: str) -> None:
    outcome, (status, cause, words) = told[job_id], VERDICTS[job_id]
    assert (outcome["status"], outcome["cause"]) == (status, cause)
    assert words in "; ".join([outcome["reason"], *outcome["notes"]])


def test_a_job_gets_the_best_trial_of_the_study_that_it_needs(told: dict[str, dict[str, Any]]) -> None:
    assert told["last"]["metrics"]["auc"] == told["forest"]["metrics"]["auc"]


FOREST = """
import os

def train(run, *, trees=10, depth=3, epochs=2):
    if depth == 4 and os.environ.get("TOO_DEEP"):
        raise ValueError("too deep")
    return {"auc": 0.6 + trees / 1000 + depth / 100 + run.seed / 1000, "epochs": epochs}
"""


@pytest.fixture
def forest(pytester: pytest.Pytester) -> Project:
    project = Project(pytester.path, pytester)
    project.write("training/train_forest.py", FOREST)
    project.write("training/jobs.yaml", "jobs: {forest: {matrix: {depth: [3, 4]}, seeds: 2}}")
    return project


def outcomes(project: Project) -> dict[str, tuple[str, str | None]]:
    return {job_id: (each["status"], each["cause"]) for job_id, each in project.metadata().items()}


PASSED = ("passed", None)
LATER = {"forest-depth-4-seed-0": PASSED, "forest-depth-4-seed-1": PASSED, "forest": PASSED}
"""What is trained after a run in which depth 4 failed."""


def test_a_resumed_run_trains_what_is_left_and_judges_the_whole_study(
    forest: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOO_DEEP", "1")
    forest.here("--training-seed", "5", "--training-matrix", "forest.trees=7,8")
    first = forest.metadata()
    assert first["forest"]["study"]["best"] == "forest-depth-3-trees-8-seed-5"
    assert "4 of 8 trials did not pass" in first["forest"]["notes"][0]
    monkeypatch.delenv("TOO_DEEP")
    forest.here("--training-resume", "-x")
    second = forest.metadata()
    assert [*second] == [*(job_id for job_id in first if "depth-4" in job_id), "forest"]
    assert {job_id: each["parameters"] for job_id, each in second.items() if each["trial_of"]} == {
        job_id: each["parameters"] for job_id, each in first.items() if "depth-4" in job_id
    }
    study = second["forest"]["study"]
    assert (study["best"], study["passed"], study["trials"]) == ("forest-depth-4-trees-8-seed-5", 8, 8)
    forest.here("--training-resume").stdout.fnmatch_lines(["every selected job of run * passed: nothing to train"])


@pytest.mark.slow
def test_last_failed_trains_the_trials_that_failed_and_judges_their_study(
    forest: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOO_DEEP", "1")
    forest.run("-p", "cacheprovider")
    assert outcomes(forest)["forest"] == PASSED
    monkeypatch.delenv("TOO_DEEP")
    forest.run("-p", "cacheprovider", "--lf")
    assert outcomes(forest) == LATER
    assert forest.metadata()["forest"]["study"]["passed"] == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "selected"),
    [
        (["-k", "forest-depth-3"], ["forest-depth-3-seed-0", "forest-depth-3-seed-1"]),
        (["training/train_forest.py::forest"], 5),
        (["-k", "forest"], 5),
        (["-p", "pytest_training.run_all.pytest_options", "--training-job=forest"], 5),
        (["-p", "pytest_training.run_all.pytest_options", "--training-job=forest-depth-3-seed-1"], 1),
        (["--training-twice", "forest"], 8),
        (["--training-twice", "f*"], 11),  # with what needs it: the study is judged, and not trained twice
    ],
)
def test_the_name_of_a_study_means_all_its_trials(
    forest: Project, options: list[str], selected: int | list[str]
) -> None:
    forest.jobs("other")
    if "f*" in options:
        forest.jobs("fast")
        catalogue = forest.root / "training/jobs.yaml"
        catalogue.write_text(catalogue.read_text()[:-1] + ", fast: {needs: [forest]}}")
    forest.run(*options)
    ran = [*forest.metadata()]
    assert ran == selected if isinstance(selected, list) else len(ran) == selected
    assert "other" not in ran


@pytest.mark.slow
def test_unchanged_trials_are_skipped_and_their_study_is_judged_by_new_gates(forest: Project) -> None:
    forest.run()
    before = forest.metadata()["forest"]
    result = forest.run("--training-skip-unchanged")
    result.stdout.fnmatch_lines(["SKIPPED forest *unchanged since run *[[]5/5]*"])
    after = forest.metadata()["forest"]
    assert {cause for _, cause in outcomes(forest).values()} == {"unchanged"}
    same = ("metrics", "parameters", "interval_method")
    assert [after[name] for name in same] == [before[name] for name in same]
    assert after["study"]["best"] == before["study"]["best"]
    gate = "gates: {auc: '>= 0.9'}"
    forest.write("training/jobs.yaml", f"jobs: {{forest: {{matrix: {{depth: [3, 4]}}, seeds: 2, {gate}}}}}")
    forest.run("--training-skip-unchanged")
    assert outcomes(forest).pop("forest") == ("failed", "gate")
    assert forest.metadata()["forest-depth-3-seed-0"]["cause"] == "unchanged"


@pytest.mark.slow
def test_a_resumed_run_brings_its_studies_along(forest: Project) -> None:
    result = forest.here("--training-resume", "--training-seeds", "3")
    result.stderr.fnmatch_lines(["*--training-resume takes the studies of the run: --training-seeds cannot go with it"])
