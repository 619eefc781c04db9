"""`pytest-training status`: of a run in progress, of one that has ended, and of one that was killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from made_runs import make_run
from made_studies import PRUNED, make_study, trial
from sessions import Project, text
from watching import eventually

from pytest_training.commands.main import main
from pytest_training.errors import DeclarationError
from pytest_training.execution.outcome import StudyResult
from pytest_training.planning.plan import EarlierRun
from pytest_training.records.recorded_run import run_ids

SCHEMAS = Path(__file__).parents[2] / "docs/schemas"
UNTIL_GO = """
print("begun", flush=True)
run.log(epoch=1, loss=0.4)
run.progress(1, 4)
pathlib.Path("printed").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.01)
return {"score": 1.0}
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    yield project
    (tmp_path / "go").touch()  # a run that a failed test leaves behind ends


def valid(answer: str, schema: str) -> Any:
    found = json.loads(answer)
    jsonschema.validate(found, json.loads((SCHEMAS / schema).read_text(encoding="utf-8")))
    return found


def state(project: Project, *words: str) -> dict[str, Any]:
    answer = project.ask("status", *words, "--json")
    assert answer.ret == 0, text(answer)
    found: dict[str, Any] = valid(answer.stdout.str(), "status.json")
    return found


def jobs(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {job["id"]: job for job in found["jobs"]}


def test_a_run_is_followed_from_its_first_job_to_its_end(project: Project) -> None:
    project.job("als", UNTIL_GO, top="import pathlib, time")
    project.job("broken", "raise ValueError('no')")
    project.write("training/jobs.yaml", "jobs: {stroke: {command: ['true'], needs: [als], optional: true}}\n")
    run = project.start("-n2")
    eventually((project.root / "printed").exists)
    eventually(lambda: list(project.reports.glob("runs/*/jobs/broken/outcome.json")))
    found = state(project)
    assert (found["state"], found["ended"], found["exit_code"]) == ("running", None, None)
    assert found["counts"] == {"running": 1, "failed": 1, "waiting": 1}
    als, broken, stroke = (jobs(found)[name] for name in ("als", "broken", "stroke"))
    assert (als["status"], als["progress"], als["values"]) == ("running", 0.25, {"epoch": 1, "loss": 0.4})
    assert als["seconds"] > 0
    assert als["memory_mb"] > 1
    assert (project.reports / "runs" / found["run_id"] / als["log"]).read_text() == "begun\n"
    assert (broken["reason"], broken["cause"]) == ("raised ValueError: no", "error")
    assert (stroke["status"], stroke["optional"]) == ("waiting", True)
    refused = project.ask("report")
    assert refused.ret == 2
    assert f"run {found['run_id']} is still running and writes its page itself" in text(refused)
    lines = project.ask("status").outlines
    assert lines[0].startswith(f"run {found['run_id']} in progress: ")
    assert any(line.startswith("als ") and " 25 %" in line and "epoch 1, loss 0.400" in line for line in lines)
    (project.root / "go").touch()
    run.wait(120)
    found = state(project)
    assert (found["state"], found["exit_code"], found["remaining_s"]) == ("finished", 1, None)
    assert jobs(found)["als"]["metrics"] == {"score": 1.0}
    (project.reports / "runs" / found["run_id"] / "jobs/als/outcome.json").write_text("{")
    assert jobs(state(project))["als"]["reason"] == "its outcome.json cannot be read"
    assert found["page"] == str(project.reports / "runs" / found["run_id"] / "index.html")


def test_a_killed_run_says_so(project: Project) -> None:
    project.job("als", UNTIL_GO, top="import pathlib, time")
    run = project.start("-n0")
    eventually((project.root / "printed").exists)
    run.kill()
    run.wait(120)
    found = state(project)
    assert (found["state"], found["ended"]) == ("killed", None)
    als = jobs(found)["als"]
    assert (als["status"], als["reason"]) == ("interrupted", "the run ended without a record of this job")
    assert " ended without a record: 1 interrupted" in project.ask("status").outlines[0]


def test_a_run_is_named_by_the_beginning_of_its_id(project: Project) -> None:
    for day in (1, 2):
        make_run(project.reports, jobs=2, epochs=1, run_id=f"2026010{day}-100000-abcd")
    assert [state(project, *words)["run_id"] for words in ((), ("20260101",), ("previous",))] == [
        f"2026010{day}-100000-abcd" for day in (2, 1, 1)
    ]
    missing = project.ask("status", "nothing")
    assert missing.ret == 2
    assert "run 'nothing': expected one of the 2 runs in " in missing.stderr.str()


def test_a_study_counts_once_and_takes_what_its_trials_took_in_every_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [trial("trees-1", {"auc": 0.5}, **PRUNED), trial("trees-5", {"auc": 0.6}, optional=True)]
    folder = make_study(tmp_path, trials, study=StudyResult(metric="auc", direction="higher", wall_s=4.0))

    def answer(*words: str) -> list[str]:
        assert main([*words, "--reports", str(tmp_path)]) == 0
        return capsys.readouterr().out.splitlines()

    status = answer("status")
    assert status[0] == f"run {folder.run_id} has ended: 1 passed; 2 trials: 1 pruned, 1 passed"
    assert next(line.split()[1:4] for line in status if line.startswith("forest ")) == ["passed", "4.0", "s"]
    assert json.loads("".join(answer("status", "--json")))["counts"] == {"passed": 1}
    assert " 4.0 s " in next(line for line in answer("history") if line.startswith("forest "))
    answer("report")
    assert "4.0 s</span>" in folder.page.read_text()
    assert "| 4.0 s |" in folder.summary.read_text()


@pytest.mark.parametrize("verb", ["status", "report"])
def test_a_damaged_newest_run_is_named_and_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    run = make_run(tmp_path, jobs=2, epochs=1)
    damaged = tmp_path / "runs" / "20990101-000000-000000-ffff"
    damaged.mkdir()
    (damaged / "plan.json").write_text("{")
    assert main([verb, "--reports", str(tmp_path)]) == 0
    answer = capsys.readouterr()
    assert answer.out.startswith(f"run {run.run_id}")
    assert f"warning: run {damaged.name} is skipped: " in answer.err
    with pytest.raises(DeclarationError, match=rf"{damaged.name}.*; --training-resume=RUN resumes another run"):
        EarlierRun.find(tmp_path, "last")


def test_the_answers_for_programs_are_as_their_schemas_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path, jobs=20, epochs=2, run_id="20260101-100000-abcd", trials=6, seeds=2)
    trials = [trial(f"trees-{trees}", {"auc": 0.5 + trees / 100}) for trees in (1, 5)]
    make_study(tmp_path, trials, run_id="20260102-100000-abcd")
    assert len(run_ids(tmp_path)) == 2

    def answer(*words: str) -> Any:
        assert main([*words, "--json", "--reports", str(tmp_path)]) == 0
        return valid(capsys.readouterr().out, f"{words[0]}.json")

    assert {each["status"] for each in answer("status", "previous")["jobs"]} >= {"passed", "failed"}
    assert len(answer("history")) > 20
    assert answer("table", "forest")["best"] == "forest-trees-5"
    assert answer("table", "forest", "--run", "20260101")["rows"][0]["trials"]
