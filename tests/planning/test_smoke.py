"""Which values a smoke run gives to parameters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs.project import Project

from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.model import Gate, Job
from pytest_training.planning.smoke import brief

OPTIONS = {
    "int": ("type=int, default=90", 2),
    "less": ("type=int, default=1", 1),
    "float": ("type=float, default=3.0", 2.0),
    "text": ("default='50'", "2"),
    "required": ("type=int, required=True", 2),
    "unread": ("type=int, default=len(sys.path)", 2),
    "none": ("type=int, default=None", None),
    "choices": ("type=int, choices=[10, 20], default=10", 10),
    "allowed": ("type=int, choices=[2, 20], default=20", 2),
}


def briefly(job: Job) -> dict[str, Any]:
    return brief(job, KINDS[job.kind]).parameters


@given(
    epochs=st.none() | st.integers(1, 10**6),
    folds=st.none() | st.integers(2, 50),
    own=st.dictionaries(st.sampled_from(["epochs", "folds", "rate"]), st.integers(2, 99)),
    general=st.dictionaries(st.sampled_from(["folds", "rate"]), st.integers(2, 99)),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_smoke_run_never_does_more_than_the_job_unless_the_catalogue_says_so(
    project: Project, epochs: int | None, folds: int | None, own: dict[str, int], general: dict[str, int]
) -> None:
    project.function("a", f"epochs={epochs}, folds={folds}, rate=7")
    jobs, _ = project.load(f"defaults: {{smoke: {general}}}\njobs: {{a: {{smoke: {own}}}}}".replace("'", ""))
    stated = {**general, **own}
    usual = {"epochs": epochs and min(epochs, 2), "folds": folds and 2, "rate": 7}
    assert briefly(jobs[0]) == {**usual, **stated}
    assert jobs[0].parameters == {"epochs": epochs, "folds": folds, "rate": 7}, "a whole run is as it was"


@pytest.mark.parametrize("case", OPTIONS)
@pytest.mark.parametrize("name", ["--epochs", "--num-train-epochs"])
def test_options_of_scripts_get_what_their_type_and_choices_allow(project: Project, case: str, name: str) -> None:
    option, value = OPTIONS[case]
    job = project.job(f"import argparse, sys\np = argparse.ArgumentParser()\np.add_argument('{name}', {option})\n")
    assert briefly(job).get(name.strip("-").replace("-", "_")) == value


STUDIES = {
    "matrix: {epochs: [90, 5], rate: [1, 2]}": ({"epochs", "rate"}, 4),
    "seeds: 5": (set(), 1),
    "seeds: [3, 7]": (set(), 1),
    "matrix: {rate: [1, 2, 3]}, seeds: 4": ({"rate"}, 3),
    "search: {trials: 60, metric: r2, parameters: {rate: {low: 1, high: 9}}, pruner: asha}": ({"rate"}, 2),
    "search: {trials: 1, metric: r2, parameters: {rate: {low: 1, high: 9}}}": ({"rate"}, 1),
    "metric: r2": (set(), 0),
}


@pytest.mark.parametrize("text", STUDIES)
def test_a_study_has_each_combination_one_seed_and_two_trials_of_a_search(project: Project, text: str) -> None:
    project.function("a", "epochs=90, folds=5, rate=7")
    jobs, _ = project.load(f"defaults: {{smoke: {{rate: 3}}}}\njobs: {{a: {{{text}}}}}")
    job = brief(jobs[0], KINDS["function"])
    varied, trials = STUDIES[text]
    given = {"epochs": 2, "folds": 2, "rate": 3}
    assert {name: value for name, value in job.parameters.items() if name not in varied} == {
        name: value for name, value in given.items() if name not in varied
    }
    assert job.study is not None
    assert job.study.size == trials
    assert all(job.parameters[name] == jobs[0].parameters[name] for name in varied), "ids would lie"
    assert job.study.search is None or not job.study.search.pruner


def test_no_gate_is_judged_and_a_job_that_cannot_be_shortened_says_so(project: Project) -> None:
    project.write("training/train_a.py", "GATES = {'r2': '>= 0.5', 'auc': '> 0.5'}\ndef train(run, *, depth=3): ...\n")
    job = brief(project.jobs()["a"], KINDS["function"])
    assert job.gates == (
        Gate(metric="r2", operator=">=", threshold=0.5, unjudged="smoke run"),
        Gate(metric="auc", operator=">", threshold=0.5, unjudged="smoke run"),
    )
    assert job.notes == ("trained whole: no epochs, folds or smoke:",)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("jobs: {a: {smoke: {epoch: 2}}}", "jobs.a.smoke.epoch: a has no parameter 'epoch': did you mean 'epochs'?"),
        ("jobs: {a: {smoke: {epochs: many}}}", "jobs.a.smoke.epochs: expected a whole number, found 'many'"),
        ("jobs: {a: {smoke: {folds: 1}}}", "jobs.a.smoke.folds: expected a whole number of at least 2, found 1"),
        ("jobs: {a: {smoke: 3}}", "jobs.a.smoke: expected a mapping, found 3"),
        ("defaults: {smoke: {rat: 1}}", "defaults.smoke.rat: no job has a parameter 'rat': did you mean 'rate'?"),
        ("jobs: {a: {matrix: {rate: [1, 2]}, smoke: {rate: 1}}}", "jobs.a.matrix.rate: rate is under smoke too: leave"),
        ("jobs: {a: {smok: {rate: 1}}}", "unknown key 'smok': did you mean 'smoke'?"),
    ],
)
def test_a_mistake_names_its_place(project: Project, text: str, found: str) -> None:
    project.function("a", "epochs=50, folds=5, rate=1")
    assert found in project.mistake(text)
