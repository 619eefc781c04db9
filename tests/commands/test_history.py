"""`pytest-training history [JOB]`: as a table and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from made_runs import make_run
from made_studies import make_study, trial
from sessions import Project, text

from pytest_training.commands.main import main
from pytest_training.execution.outcome import Outcome
from pytest_training.records.history import History
from pytest_training.records.run_record import RunRecord, provenance


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


def test_a_study_stands_for_its_trials_in_the_list_and_is_named_with_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for day in (1, 2, 3, 4):
        trials = [trial(f"trees-{trees}", {"auc": 0.5 + trees / 100}) for trees in (1, 5)]
        make_study(tmp_path, [*trials, trial("x", study="forest-fire")], run_id=f"2026010{day}-100000-abcd")

    def jobs(*words: str) -> dict[str, int]:
        assert main(["history", *words, "--reports", str(tmp_path)]) == 0
        return dict(Counter(line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]))

    study = {"forest": 4, "forest-trees-1": 3, "forest-trees-5": 3}
    assert jobs() == {"forest": 3, "forest-fire-x": 3}
    assert jobs("forest") == study
    assert jobs("f?rest") == study
    assert jobs("forest-trees-*") == {"forest-trees-1": 4, "forest-trees-5": 4}
    assert main(["history", "forst", "--reports", str(tmp_path)]) == 2
    assert "has no job 'forst': did you mean 'forest'?" in capsys.readouterr().err


def test_the_job_that_ran_last_stands_last(project: Project) -> None:
    first, second = dict.fromkeys(line.split()[0] for line in project.ask("history").outlines[1:])
    History(project.reports / "history.sqlite").each(lambda each: add(project, each.outcome), "job_id", first)
    jobs = [line.split()[0] for line in project.ask("history").outlines[1:]]
    assert jobs == [second] * 3 + [first] * 3


def add(project: Project, outcome: Outcome) -> None:
    record = RunRecord(run_id="20260109-100000-abcd", started="", ended="", seed=0, workers=1, exit_code=0)
    History(project.reports / "history.sqlite").add(record, [outcome], provenance(project.root))


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
