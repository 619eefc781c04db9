"""`pytest-training history [JOB]`: as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_runs import make_run
from sessions import Project, text


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    for day in (1, 2, 3, 4):
        make_run(project.reports, jobs=2, epochs=1, run_id=f"2026010{day}-100000-abcd")
    return project


def test_the_table_has_the_last_three_runs_of_every_job_oldest_first(project: Project) -> None:
    table = project.ask("history")
    assert table.ret == 0, text(table)
    runs = [line.split()[-1] for line in table.outlines]
    assert runs == ["run", *(f"2026010{day}-100000-abcd" for day in (2, 3, 4, 2, 3, 4))]


def test_json_has_the_whole_outcomes(project: Project) -> None:
    job_id = project.ask("history").outlines[1].split()[0]
    answer = project.ask("history", job_id, "--json")
    recorded = json.loads(answer.stdout.str())
    assert [each["run_id"] for each in recorded] == [f"2026010{day}-100000-abcd" for day in (1, 2, 3, 4)]
    assert {each["outcome"]["job_id"] for each in recorded} == {job_id}
    assert recorded[0]["outcome"]["metrics"]


def test_the_reports_of_the_settings_or_of_the_command_line_are_read_from_any_folder_of_the_project(
    project: Project,
) -> None:
    project.reports.rename(project.root / "elsewhere")
    below = project.write("training/deep/train_als.py", "").parent
    assert project.ask("history", cwd=below).outlines[0].startswith("no history: no run is recorded in ")
    assert project.ask("history", "--reports", "../../elsewhere", cwd=below).outlines[0].startswith("job ")
    project.write("pyproject.toml", "[tool.pytest.ini_options]\ntraining_reports = 'elsewhere'\n")
    assert project.ask("history", cwd=below).outlines[0].startswith("job ")


def test_warnings_are_no_part_of_the_answer(project: Project) -> None:
    (project.reports / "history.sqlite").write_text("garbage" * 1000)
    answer = project.ask("history", "--json")
    assert json.loads(answer.stdout.str()) == []
    assert "warning: " in answer.stderr.str()
