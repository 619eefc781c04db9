"""`pytest-training save-durations`: what a first run elsewhere knows, and that nothing of the file is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sessions import Project, text


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def saved(project: Project) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((project.root / "training/durations.json").read_text())["jobs"]
    return content


def test_a_first_run_elsewhere_begins_with_unknown_jobs_and_then_with_the_longest(project: Project) -> None:
    for job_id, seconds in (("first", 0.02), ("long", 0.5), ("middle", 0.25)):
        project.job(job_id, f"import time\ntime.sleep({seconds})\nreturn {{'score': 1.0}}", parameters="epochs=3")
    assert project.run("-p", "no:xdist").ret == 0
    answer = project.ask("save-durations")
    assert answer.ret == 0, text(answer)
    assert answer.outlines == ["written: training/durations.json, 3 jobs, 3 of them new or changed; to be committed"]
    assert [list(saved(project)), saved(project)["long"]["measured"][0]["parameters"]] == [
        ["first", "long", "middle"],
        {"epochs": 3},
    ]
    assert project.ask("save-durations").outlines == ["left as it is: training/durations.json, 3 jobs"]

    shutil.rmtree(project.reports)  # as on a machine that has never trained
    project.jobs("zero")
    planned = project.root / "plan.json"
    dry = project.run("-n", "2", "--collect-only", "--training-plan", planned)
    assert dry.ret == 0, text(dry)
    order = [(each["job"]["id"], each["expected_from"]) for each in json.loads(planned.read_text())["jobs"]]
    assert order == [
        ("zero", "unknown"),
        ("long", "durations.json"),
        ("middle", "durations.json"),
        ("first", "durations.json"),
    ]
    dry.stdout.fnmatch_lines(["*1  zero*unknown", "*2  long* s (durations.json)"])


def test_lines_of_jobs_that_never_ran_here_stay_and_those_of_the_project_alone_are_added(project: Project) -> None:
    other = '"elsewhere": {"speed": 1.0, "measured": [{"seconds": 7.0, "parameters": {}}]}'
    project.write("training/durations.json", f'{{"schema_version": 1, "jobs": {{{other}}}}}')
    project.jobs("als", "gone")
    assert project.run("-p", "no:xdist").ret == 0
    (project.root / "training/train_gone.py").unlink()
    project.job("stroke")
    assert project.run("-p", "no:xdist", "-k", "als").ret == 0
    answer = project.ask("save-durations")
    assert answer.ret == 0, text(answer)
    assert list(saved(project)) == ["als", "elsewhere"]
    assert saved(project)["elsewhere"]["measured"] == [{"seconds": 7.0, "parameters": {}}]
    assert answer.errlines == ["no duration of stroke: never passed on this machine"]


def test_without_a_job_that_passed_nothing_is_written(project: Project) -> None:
    project.jobs("als")
    answer = project.ask("save-durations")
    assert (answer.ret, answer.outlines) == (2, [])
    assert "error: no job has passed on this machine, by " in answer.errlines[0]
    assert not (project.root / "training/durations.json").exists()


def test_a_damaged_file_is_left_as_it_is_and_hinders_no_run(project: Project) -> None:
    project.jobs("als")
    damaged = project.write("training/durations.json", "{\n<<<<<<< HEAD\n")
    for arguments in (("-p", "no:xdist"), ("--collect-only",)):
        ended = project.run(*arguments)
        assert ended.ret == 0, text(ended)
        assert "durations.json: expected durations as" in text(ended)
    answer = project.ask("save-durations")
    assert answer.ret == 2
    assert "found the marks of a merge conflict" in answer.errlines[0]
    assert damaged.read_text() == "{\n<<<<<<< HEAD\n"
