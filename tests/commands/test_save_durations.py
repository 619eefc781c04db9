"""`pytest-training save-durations`: what a first run elsewhere knows, and that nothing of the file is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sessions import Project, text

from pytest_training.commands.main import main
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.records.history import History
from pytest_training.records.run_record import RunRecord, provenance


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
    assert answer.outlines == ["written: training/durations.json, 3 jobs, 3 new or changed; to be committed"]
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
    longest, *others = sorted(saved(project), key=lambda job_id: -saved(project)[job_id]["measured"][0]["seconds"])
    assert order == [("zero", "unknown"), *((each, "durations.json") for each in (longest, *others))]
    dry.stdout.fnmatch_lines(["*1  zero*unknown", f"*2  {longest}* s (durations.json)"])


def passed(project: Project, *job_ids: str) -> None:
    """Record a run of this machine in which these jobs passed."""
    record = RunRecord(run_id="r1", started="", ended="", seed=0, workers=1, exit_code=0)
    outcomes = [
        Outcome(job_id=job_id, kind="function", title="", status=Status.PASSED, wall_s=2.0) for job_id in job_ids
    ]
    History(project.reports / "history.sqlite").add(record, outcomes, provenance(project.root))


def answered(project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Answer the verb in this process; return the exit code, and stderr or else stdout."""
    monkeypatch.chdir(project.root)
    code, printed = main(["save-durations"]), capsys.readouterr()
    return code, printed.err or printed.out


def test_lines_of_jobs_that_never_ran_here_stay_and_those_of_the_project_alone_are_added(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = '"elsewhere": {"speed": 1.0, "measured": [{"seconds": 7.0, "parameters": {}}]}'
    project.write("training/durations.json", f'{{"schema_version": 1, "jobs": {{{other}}}}}')
    project.jobs("als", "stroke")
    passed(project, "als", "gone")
    code, printed = answered(project, monkeypatch, capsys)
    assert (code, printed) == (0, "no duration of stroke: never passed on this machine\n")
    assert list(saved(project)) == ["als", "elsewhere"]
    assert saved(project)["elsewhere"]["measured"] == [{"seconds": 7.0, "parameters": {}}]


def test_without_a_job_that_passed_nothing_is_written(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project.jobs("als")
    code, printed = answered(project, monkeypatch, capsys)
    assert code == 2
    assert "error: no job has passed on this machine, by " in printed
    assert not (project.root / "training/durations.json").exists()


def test_a_damaged_file_is_left_as_it_is_and_hinders_no_run(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project.jobs("als")
    damaged = project.write("training/durations.json", "{\n<<<<<<< HEAD\n")
    ended = project.run("-p", "no:xdist")
    assert ended.ret == 0, text(ended)
    assert "durations.json: expected durations as" in text(ended)
    dry = project.run("--collect-only")
    assert "durations.json: expected durations as" in text(dry)
    code, printed = answered(project, monkeypatch, capsys)
    assert code == 2
    assert "found the marks of a merge conflict" in printed
    assert damaged.read_text() == "{\n<<<<<<< HEAD\n"
