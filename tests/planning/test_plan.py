"""The plan, as values, as JSON and in words."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from jobs.project import Project, message

from pytest_training.jobs.model import Plan
from pytest_training.jobs.plan_file import read_plan, save_plan
from pytest_training.planning.description import describe_plan
from pytest_training.planning.plan import make_plan

CATALOGUE = """
    defaults: {timeout: 30m, memory: 4GB}
    jobs:
      als: {expected: 8s, tags: [neurology], data: [cohort], retries: 1}
      net: {expected: 2s, cpus: 2, gpus: 1, optional: true, needs: [als]}
    data:
      cohort: {simulated: "cohorts.als:simulate", seed: 3}
      lost: {path: lost.csv}
      spare: {path: spare.csv}
    """


IN_WORDS = """\
3 training jobs on 2 slots, 1 thread each, seed 0

new  training/train_new.py
    parameters  a=1
    data        lost: real, MISSING (path lost.csv)
    expected    unknown
    gates       none
    limits      timeout 30 min, memory 4 GB

als  ALS: how fast will function decline?
    parameters  epochs=50  rate=0.01  fast=false  data=none
    data        cohort: SIMULATED, present (simulated by cohorts.als:simulate, seed 3)
    expected    1 min 33 s (history)
    gates       r2 >= 0.05, mae <= 0.9
    limits      timeout 30 min, memory 4 GB, 1 retry
    tags        neurology

net  Net.
    expected    2.0 s (catalogue)
    gates       none
    limits      timeout 30 min, memory 4 GB, 2 CPUs, 1 GPU, optional
    needs       als

order in which they start
    1  new  unknown
    2  als  1 min 33 s (history)
    3  net  2.0 s (catalogue)

expected duration on 2 slots: unknown (1 job never measured)"""


@pytest.fixture
def loaded(project: Project) -> Project:
    """Return a project with three jobs and a catalogue."""
    project.write(
        "training/train_als.py",
        '"""ALS: how fast will function decline?"""\nGATES = {"r2": ">= 0.05", "mae": "<= 0.9"}\n'
        "def train(run, *, epochs=50, rate=0.01, fast=False, data=None): ...\n",
    )
    project.write("training/train_net.py", '"""Net."""\nimport sys\n')
    project.write("training/train_new.py", "def train(run, *, a=1):\n    run.data('lost')\n")
    project.write("training/jobs.yaml", CATALOGUE)
    return project


def plan_of(project: Project, *names: str, workers: int = 2, **measured: float) -> Plan:
    jobs, datasets = project.load()
    chosen = [job for job in jobs if not names or job.id in names]
    return make_plan(chosen, datasets, run_id="r1", seed=0, workers=workers, threads=1, measured=measured)


def test_history_wins_over_the_catalogue_and_unknown_jobs_go_first(loaded: Project) -> None:
    plan = plan_of(loaded, als=3.0)
    assert [(item.job.id, item.expected_s, item.expected_from) for item in plan.jobs] == [
        ("new", None, "unknown"),
        ("als", 3.0, "history"),
        ("net", 2.0, "catalogue"),
    ]
    assert (plan.makespan_s, plan.lower_bound_s) == (None, None)


def test_makespan_and_bound_are_known_when_every_duration_is(loaded: Project) -> None:
    plan = plan_of(loaded, new=1.0)
    assert [item.job.id for item in plan.jobs] == ["als", "net", "new"]
    assert (plan.makespan_s, plan.lower_bound_s) == (10.0, 8.0)
    assert plan_of(loaded, "new", new=1.0).makespan_s == 1.0


def test_a_plan_names_the_datasets_that_its_jobs_use(loaded: Project) -> None:
    plan = plan_of(loaded)
    assert [dataset.name for dataset in plan.datasets] == ["cohort", "lost"]
    assert [(d.name, d.real, d.present) for item in plan.jobs for d in item.datasets] == [
        ("lost", True, False),
        ("cohort", False, True),
    ]


def test_a_dataset_that_is_not_declared_is_a_problem_of_its_job(loaded: Project) -> None:
    loaded.write("training/train_new.py", "def train(run):\n    run.data('cohrt')\n")
    problems = {planned.job.id: planned.job.problem for planned in plan_of(loaded).jobs}
    assert problems.pop("new") == (
        "training/train_new.py: new uses the dataset 'cohrt', which the catalogue does not declare "
        "under `data:`: did you mean 'cohort'? Expected one of cohort, lost, spare"
    )
    assert set(problems.values()) == {None}
    loaded.write("training/jobs.yaml", "")
    (new,) = (planned for planned in plan_of(loaded).jobs if planned.job.id == "new")
    assert (new.job.problem or "").endswith("expected a declaration, found none at all")


def test_no_jobs_make_an_empty_plan(project: Project) -> None:
    plan = plan_of(project)
    assert (plan.jobs, plan.makespan_s, plan.lower_bound_s) == ((), 0.0, 0.0)
    assert describe_plan(plan) == ["no training jobs"]


def test_a_saved_plan_is_read_back_and_no_other_file_is_left(loaded: Project, tmp_path: Path) -> None:
    plan = plan_of(loaded)
    file = tmp_path / "new" / "plan.json"
    save_plan(plan, file)
    save_plan(plan, file)
    assert read_plan(file) == plan
    assert [path.name for path in file.parent.iterdir()] == ["plan.json"]
    assert json.loads(file.read_text())["schema_version"] == 1


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, "expected a plan: No such file or directory"),
        ("{", "expected a plan as JSON: "),
        ('{"run_id": 1}', "expected a plan as JSON: "),
        (
            '{"run_id": "r", "seed": 0, "workers": 1, "threads": 1, "jobs": [], "schema_version": 99}',
            "expected a plan of version 1, found 99",
        ),
    ],
)
def test_what_is_no_plan_is_a_mistake(tmp_path: Path, content: str | None, found: str) -> None:
    file = tmp_path / "plan.json"
    if content is not None:
        file.write_text(content)
    assert message(lambda: read_plan(file)).startswith(f"{file}: {found}")


def test_the_plan_in_words(loaded: Project) -> None:
    assert "\n".join(describe_plan(plan_of(loaded, als=93.4))) == IN_WORDS


def test_the_expected_duration_stands_at_the_end(loaded: Project) -> None:
    assert describe_plan(plan_of(loaded, new=1.0))[-2:] == [
        "expected duration on 2 slots: 10.0 s",
        "no order is faster than 8.0 s",
    ]


def test_no_line_is_wider_than_a_hundred_columns(project: Project) -> None:
    parameters = ", ".join(f"parameter_{number}={'x' * 60!r}" for number in range(20))
    project.write("training/train_x.py", f'"""{"A long title " * 20}"""\ndef train(run, *, {parameters}): ...\n')
    lines = describe_plan(plan_of(project))
    assert max(map(len, lines)) <= 100


def test_control_characters_of_a_value_reach_no_terminal(project: Project) -> None:
    project.write("training/train_x.py", 'def train(run, *, a="\\x1b[31m\\nred"):\n    "T\\x1b[0m"\n')
    assert all(line.isprintable() for line in describe_plan(plan_of(project)))


@pytest.mark.parametrize(
    "make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(path)], ids=["pipe", "folder", "loop"]
)
def test_a_plan_that_is_no_plain_file_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "plan.json")
    assert "expected a plan: " in message(lambda: read_plan(tmp_path / "plan.json"))
