"""Studies become trials: names, options, parameters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs.project import Project, message

from pytest_training.execution.attempt.environment import seed_generators
from pytest_training.execution.folder import RunFolder
from pytest_training.jobs.model import Job, RunSettings
from pytest_training.jobs.trials import in_id
from pytest_training.planning.plan import EarlierRun, of_siblings
from pytest_training.planning.steps import PLAN, Draft, Request, advance, load

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "depth": st.integers(-9, 10**6),
    "rate": st.floats(-1e9, 1e9, allow_nan=False),
    "name": st.text("ab cé/-.", min_size=1, max_size=5).filter(str.strip),
    "deep": st.booleans(),
    "free": st.none() | st.integers(0, 9),
}


def planned(project: Project, chosen: tuple[str, ...] | None = None, **request: Any) -> dict[str, Job]:
    """Return the jobs of a dry plan by id, perhaps of these alone."""
    draft = advance(Draft(request=asked(project, **request), is_dry=True, selected=chosen), PLAN)
    return {each.job.id: each.job for each in draft.plan.jobs}


def asked(project: Project, **fields: Any) -> Request:
    places: dict[str, Any] = {"project": project.root, "root": project.training, "reports": project.root / "reports"}
    return Request(**places, **fields)


@pytest.fixture
def forest(project: Project) -> Project:
    project.write(
        "training/train_forest.py",
        """
        def train(run, *, depth=3, rate=0.1, name="x", deep=False, free=None, epochs=2):
            return {"auc": 0.8}
        """,
    )
    return project


@given(data=st.data(), count=st.integers(0, 3), number=st.integers(0, 20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_an_id_says_the_parameters_and_the_seed_of_its_trial(
    forest: Project, data: st.DataObject, count: int, number: int
) -> None:
    names = data.draw(st.lists(st.sampled_from([*VALUES]), unique=True, max_size=3))
    matrix = {name: data.draw(st.lists(VALUES[name], min_size=1, max_size=3, unique_by=in_id)) for name in names}
    options = [f"forest.{name}={','.join(map(_text, values))}" for name, values in matrix.items()]
    jobs = planned(
        forest, matrix=tuple(options), seeds=str(count) if count else None, seed=number, settings=("*.epochs=9",)
    )
    own = jobs.pop("forest")
    assert set(own.needs) == (jobs.keys() if names or count else set())
    for job_id, job in jobs.items():
        words = [f"{name}-{in_id(job.parameters[name])}" for name in names]
        seed = [] if job.seed is None else [f"seed-{job.seed}"]
        assert job_id == "-".join(["forest", *words, *seed])
        assert {name: job.parameters[name] for name in names}.items() <= job.parameters.items()
        assert job.parameters["epochs"] == 9
    combinations = [tuple(job.parameters[name] for name in names) for job in jobs.values()]
    assert all(combinations.count(each) == max(count, 1) for each in combinations)


def _text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else f'"{value}"'


MISTAKES: dict[str, dict[str, Any]] = {
    "--set forest.depth: the study forest sets depth itself (training/jobs.yaml:1: jobs.forest): leave one": {
        "settings": ("forest.depth=5",)
    },
    "--set *.depth: the study forest sets depth itself (training/jobs.yaml:1: jobs.forest): leave one": {
        "settings": ("*.depth=5",)
    },
    "--set forest-depth-3-seed-0.seed: the study forest sets seed itself (--training-seeds): leave one": {
        "seeds": "2",
        "settings": ("forest-depth-3-seed-0.seed=5",),
    },
    "--training-seeds: expected a number of seeds or a list of seeds, like 5 or [0, 3, 7], found 'x'": {"seeds": "x"},
    "--training-seeds: values 1 and 2 are both 'seed-3': leave one": {"seeds": "3,3"},
    "--training-seeds: expected at most 5000 trials of forest, found 6000": {"seeds": "3000"},
    "--training-matrix forest.depth: expected JOB.PARAMETER=VALUE,VALUE, like forest.trees=10,50": {
        "matrix": ("forest.depth",)
    },
    "--training-matrix forest.deph: forest has no parameter 'deph': did you mean 'depth'? Expected one of depth": {
        "matrix": ("forest.deph=3",)
    },
    "--training-matrix forest.depth: values 1 and 3 are both 'depth-3': leave one": {"matrix": ("forest.depth=3,4,3",)},
    "--training-matrix forest.depth: expected JOB.PARAMETER=VALUE,VALUE, like forest.trees=10,50, found no value": {
        "matrix": ("forest.depth=3,,4",)
    },
    "--training-matrix forest.depth: expected a whole number, found ''": {"matrix": ("forest.depth=",)},
    "--training-matrix forest.depth=7,8 and --training-matrix *.depth=9: both set depth of forest: give all": {
        "matrix": ("forest.depth=7,8", "*.depth=9")
    },
    "--training-matrix fores.depth: no job 'fores': did you mean 'forest'? Expected one of forest": {
        "matrix": ("fores.depth=3",)
    },
    "--training-matrix forest.rate: expected a gate for 'frobs': its name has no direction": {
        "matrix": ("forest.rate=3,4",),
        "declared": "{metric: frobs}",
    },
    "--training-twice: forest is a search, which draws other parameters each time": {},
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_bad_option_for_studies_is_a_mistake(project: Project, words: str) -> None:
    project.write("training/train_forest.py", "def train(run, *, depth=3, rate=0.1, seed=0): ...\n")
    project.write("training/jobs.yaml", "jobs: {forest: {matrix: {depth: [3, 4]}, gates: {auc: '> 0'}}}")
    request = MISTAKES[words]
    if not request:
        search = "{trials: 3, parameters: {rate: [1, 2]}}"
        project.write("training/jobs.yaml", f"jobs: {{forest: {{search: {search}, gates: {{auc: '> 0'}}}}}}")
        request = {"audited": "forest", "run_settings": RunSettings(audit="twice")}
    if declared := request.get("declared"):
        project.write("training/jobs.yaml", f"jobs: {{forest: {declared}}}")
    request = {name: value for name, value in request.items() if name != "declared"}
    assert message(lambda: planned(project, **request)).startswith(words)


def test_a_search_says_that_seeds_are_not_applied_to_it(project: Project) -> None:
    project.write("training/train_forest.py", "def train(run, *, rate=0.1): ...\n")
    project.write(
        "training/jobs.yaml", "jobs: {forest: {search: {trials: 2, metric: auc, parameters: {rate: [1, 2]}}}}"
    )
    jobs = planned(project, seeds="3")
    assert {job.id: job.notes for job in jobs.values()} == dict.fromkeys(
        ("forest-trial-001", "forest-trial-002", "forest"), ("--training-seeds not applied: it has a search",)
    )


@pytest.mark.parametrize("target", ["forest-depth-3-seed-1", "*-seed-1", "forest-depth-3-seed-[02]"])
@pytest.mark.parametrize("selected", [("forest", "forest-depth-3-seed-1"), None])
def test_trials_that_are_averaged_differ_in_their_seeds_alone(
    forest: Project, target: str, selected: tuple[str, ...] | None
) -> None:
    several: dict[str, Any] = {"matrix": ("forest.depth=3,4",), "seeds": "3"}
    told = message(lambda: planned(forest, **several, settings=("*.rate=0.2", f"{target}.epochs=9"), chosen=selected))
    trials = [f"forest-depth-3-seed-{seed}" for seed in ((1, 0) if selected else (0, 1))]
    assert told == (
        f"--set {target}.epochs: {' and '.join(trials)}, which forest averages, would differ in epochs: "
        "set it for all seeds: --set 'forest-depth-3-seed-*.epochs=…'"
    )


def test_a_whole_combination_and_a_trial_without_its_study_may_be_set(forest: Project) -> None:
    several: dict[str, Any] = {"matrix": ("forest.depth=3,4",), "seeds": "3"}
    jobs = planned(forest, **several, settings=("forest-depth-3-seed-*.rate=0.3",))
    assert [job_id for job_id, job in jobs.items() if "rate" in job.given] == [
        f"forest-depth-3-seed-{seed}" for seed in range(3)
    ]
    alone = planned(forest, **several, settings=("*-seed-1.rate=0.5",), chosen=("forest-depth-3-seed-1",))
    assert alone["forest-depth-3-seed-1"].parameters["rate"] == 0.5


def test_a_function_and_a_script_get_the_seed_of_their_trial(project: Project) -> None:
    project.write("training/train_own.py", "def train(run, *, seed=7): ...\n")
    option = "add_argument('--seed', type=int, choices=[0, 1], default=0)"
    project.write(
        "training/train_script.py", f"import argparse\np = argparse.ArgumentParser()\np.{option}\np.parse_args()\n"
    )
    project.write("training/train_fixed.py", "def train(run): ...\n")
    project.write("training/jobs.yaml", "jobs: {own: {seeds: [3]}, fixed: {seed: false}}")
    jobs = planned(project, seeds="0,1")
    seeds = {job.id: (job.seed, job.parameters.get("seed")) for job in jobs.values() if job.trial_of}
    assert seeds == {"own-seed-0": (0, 0), "own-seed-1": (1, 1), "script-seed-0": (0, 0), "script-seed-1": (1, 1)}
    assert jobs["fixed"].notes == ("--training-seeds not applied: `seed: false` says so",)
    words = "the seed of script-seed-2: expected one of 0, 1, found 2"
    assert message(lambda: planned(project, seeds="1,2")) == words


def test_a_search_to_which_seeds_do_not_apply_is_named(forest: Project) -> None:
    search = "{trials: 3, parameters: {rate: [1, 2]}, metric: auc}"
    forest.write("training/jobs.yaml", f"jobs: {{forest: {{search: {search}}}}}")
    places: dict[str, Any] = {
        "project": forest.root,
        "root": forest.training,
        "reports": forest.root / "reports",
        "seeds": "2",
    }
    draft = advance(Draft(request=Request(**places), is_dry=True), PLAN)
    assert draft.problems == ("forest: --training-seeds not applied: it has a search",)


def test_ids_of_trials_and_jobs_differ(project: Project) -> None:
    for name in ("a", "a-seed-0"):
        project.write(f"training/train_{name}.py", "def train(run): ...\n")
    assert message(lambda: planned(project, seeds="1")) == (
        "two jobs would have the id 'a-seed-0': training/train_a-seed-0.py and training/train_a.py (of a): rename one"
    )


def test_a_trial_that_was_never_measured_is_expected_to_take_as_long_as_the_others(forest: Project) -> None:
    jobs = planned(forest, matrix=("forest.depth=1,2,3",)).values()
    assert of_siblings(list(jobs), {"forest-depth-1": 4.0, "forest-depth-2": 2.0})["forest-depth-3"] == 3.0


def test_a_job_that_needs_no_trial_of_a_study_is_a_mistake(project: Project) -> None:
    project.write("training/train_a.py", "def train(run, *, depth=1): ...\n")
    project.write("training/jobs.yaml", "jobs: {a: {matrix: {depth: [1, 2]}}, b: {command: [x], needs: [a-depth-3]}}")
    assert message(lambda: planned(project)).startswith(
        "training/jobs.yaml:1: b needs 'a-depth-3': no such job: did you mean 'a-depth-2'? Expected one of"
    )


def test_a_trial_draws_what_its_job_would_draw_with_that_seed(forest: Project) -> None:
    job, trial = planned(forest)["forest"], planned(forest, seeds="3,4")["forest-seed-3"]
    assert seed_generators(trial, 3).seed == seed_generators(job, 3).seed
    assert seed_generators(trial, 4).seed != seed_generators(job, 3).seed


@pytest.mark.parametrize(
    ("before", "now", "matrix", "says"),
    [
        ("matrix: {depth: [1, 2]}", "matrix: {depth: [1, 3]}", (), True),
        ("matrix: {depth: [1, 2]}", "{matrix: {depth: [1, 2]}, seeds: 2}", (), True),
        ("matrix: {depth: [1, 2]}", "{matrix: {depth: [1, 2]}, retries: 1}", (), False),
        ("seeds: 3", "seeds: 3", (), False),
        ("seeds: 3", "seeds: 3", ("forest.depth=1,2",), False),
        ("search: {trials: 4, metric: auc, parameters: {depth: {low: 1, high: 9}}}",) * 2 + ((), False),
        (
            "search: {trials: 4, metric: auc, parameters: {depth: {low: 1, high: 9}}}",
            "search: {trials: 7, metric: auc, parameters: {depth: {low: 1, high: 9}}}",
            (),
            True,
        ),
    ],
)
def test_a_resumed_run_says_that_the_catalogue_declares_other_trials_now(
    forest: Project, before: str, now: str, matrix: tuple[str, ...], *, says: bool
) -> None:
    def catalogue(study: str) -> None:
        text = study if study.startswith("{") else "{" + study + "}"
        forest.write("training/jobs.yaml", "jobs: {forest: " + text + "}")

    catalogue(before)
    draft = advance(Draft(request=asked(forest, matrix=matrix), is_dry=True), PLAN)
    earlier = EarlierRun(RunFolder(forest.root / "reports", "R"), draft.plan)
    catalogue(now)
    present = load(Draft(request=asked(forest))).jobs
    sentence = "forest: --training-resume trains what run R had planned; jobs.yaml declares other trials now"
    assert earlier.other_studies(present) == [sentence] * says
