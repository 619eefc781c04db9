"""`needs:` gives a job the folder, metrics and artifacts of another, of this run or an earlier one, or fails it."""

from __future__ import annotations

import shutil

import pytest
from sessions import Project, text

TEACHER = 'run.save("deep/model.txt", "weights")\nreturn {"score": 0.7}'
STUDENT = """
teacher = run.needed("teacher")
assert (teacher.folder / "deep/model.txt").read_text() == "weights"
assert teacher.artifacts == ("deep/model.txt",)
return {"score": teacher.metrics["score"] + 0.1}
"""
SCRIPT = """
import argparse, json, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--init")
parser.add_argument("--output-dir", type=pathlib.Path)
options = parser.parse_args()
assert options.init.endswith("deep/model.txt")
read = pathlib.Path(options.init).read_text() == "weights"
(options.output_dir / "metrics.json").write_text(json.dumps({"read": int(read)}))
"""
PROGRAM = """
import json, os, pathlib, sys
folder, score, out = sys.argv[1:]
needed = json.loads(pathlib.Path(os.environ["TRAINING_NEEDED"]).read_text())
assert folder == os.environ["TRAINING_NEEDED_TEACHER"] == needed["teacher"]["folder"], folder
assert needed["teacher"]["metrics"] == {"score": float(score)} and needed["teacher"]["artifacts"] == ["deep/model.txt"]
pathlib.Path(out, "metrics.json").write_text(json.dumps({"read": pathlib.Path(folder, "deep/model.txt").exists()}))
"""
CATALOGUE = """
jobs:
  student: {needs: [teacher]}
  pupil: {needs: [student]}
  script: {needs: [teacher], parameters: {init: "{needs.teacher.folder}/deep/model.txt"}}
  program:
    command: [python, tools/program.py, "{needs.teacher.folder}", "{needs.teacher.metrics.score}", "{folder}"]
    needs: [teacher]
  stranger: {needs: [teacher]}
  misspelt: {command: [python, -c, "", "{needs.techer.folder}"], needs: [teacher]}
  unknown: {command: [python, -c, "", "{needs.teacher.metrics.scor}"], needs: [teacher]}
"""
GIVEN = ("student", "script", "program")
NEEDY = ("-k", "student or script or program")


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    project = Project(pytester.path, pytester)
    project.job("teacher", TEACHER)
    project.job("student", STUDENT)
    project.jobs("pupil")
    project.write("training/train_script.py", SCRIPT)
    project.write("tools/program.py", PROGRAM)
    project.job("stranger", 'run.needed("techer")')
    project.write("training/jobs.yaml", CATALOGUE)
    return project


def reasons(project: Project) -> dict[str, tuple[str, str | None, str]]:
    return {job_id: (job["status"], job["cause"], job["reason"]) for job_id, job in project.metadata().items()}


@pytest.mark.slow
@pytest.mark.parametrize("start", ["fork", "subprocess"])
def test_a_job_gets_what_those_that_it_needs_left(project: Project, start: str) -> None:
    project.run("-n", "2", "-o", f"training_start={start}")
    found = reasons(project)
    assert {found[job_id] for job_id in (*GIVEN, "teacher", "pupil")} == {("passed", None, "")}, found
    assert project.metadata()["student"]["metrics"] == {"score": pytest.approx(0.8)}
    assert project.metadata()["script"]["parameters"]["init"] == "{needs.teacher.folder}/deep/model.txt"
    assert found["stranger"][2] == (
        "job 'techer' is not under `needs:` of this job in training/jobs.yaml: "
        "did you mean 'teacher'? Expected one of teacher"
    )
    assert found["misspelt"][2] == (
        "training/jobs.yaml:10: misspelt: no needed job fills {needs.techer.folder}: "
        "did you mean '{needs.teacher.folder}'? Expected one of {needs.teacher.folder}, {needs.teacher.metrics.NAME}"
    )
    assert found["unknown"][2] == (
        "{needs.teacher.metrics.scor}: teacher has no metric 'scor': did you mean 'score'? Expected one of score"
    )

    # Alone, they take what an earlier run left, as long as nothing has changed.
    dry = project.here("--collect-only", *NEEDY)
    dry.stdout.fnmatch_lines(["*needs       teacher (of run 2*)"])
    alone = project.here(*NEEDY)
    assert alone.ret == 0, text(alone)
    assert reasons(project) == dict.fromkeys(GIVEN, ("passed", None, ""))
    chain = project.here("-k", "pupil", "--training-skip-unchanged")
    assert chain.ret == 0
    assert project.statuses() == {"pupil": "skipped"}

    # A change below is a change above: artifacts of the one are data of the other.
    run_id = project.report()["training"]["run_id"]
    project.job("teacher", TEACHER + "  # better")
    changed = project.here("-k", "pupil")
    assert changed.ret == pytest.ExitCode.TESTS_FAILED
    (status, cause, reason) = reasons(project)["pupil"]
    assert (status, cause) == ("failed", "needs")
    assert reason.startswith("needs student, which is not selected and changed since run 2")
    assert reason.endswith(": -k 'pupil or student or teacher'"), (reason, run_id)
    skipping = project.here("--training-skip-unchanged", "-k", "pupil or student or teacher")
    assert skipping.ret == 0, text(skipping)
    assert set(project.statuses().values()) == {"passed"}
    project.job("student", STUDENT + "  # better")
    project.here("--training-skip-unchanged", "-k", "pupil or student or teacher")
    assert project.statuses() == {"teacher": "skipped", "student": "passed", "pupil": "passed"}

    # What is gone cannot be given.
    shutil.rmtree(project.reports / "runs")
    assert project.here("-k", "script").ret == pytest.ExitCode.TESTS_FAILED
    project.here("--training-skip-unchanged", "-k", "script or teacher").assert_outcomes(passed=2)


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_a_job_whose_need_is_not_selected_fails_and_says_what_selects_both(project: Project, workers: str) -> None:
    result = project.here("-n", workers, "-k", "student or pupil" if workers == "2" else "student", "-m", "not slow")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert reasons(project)["student"] == (
        *("failed", "needs"),
        "needs teacher, which is not selected: -k 'student or teacher'",
    )
    if workers == "2":
        assert reasons(project)["pupil"] == ("not run", "needs", "needs student, which did not pass in this run")
    optional = CATALOGUE.replace("student: {needs", "student: {optional: true, needs")
    project.write("training/jobs.yaml", optional)
    assert project.here("-k", "student").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_resumed_run_trains_what_needs_a_job_that_has_passed(project: Project) -> None:
    project.job("student", f"assert __import__('pathlib').Path('mended').exists()\n{STUDENT}")
    assert project.here("-k", "student or teacher or pupil").ret == pytest.ExitCode.TESTS_FAILED
    assert project.statuses() == {"teacher": "passed", "student": "failed", "pupil": "not run"}
    assert project.here("--training-resume", "-k", "student").ret == pytest.ExitCode.TESTS_FAILED
    (project.root / "mended").touch()
    resumed = project.here("--training-resume", "-k", "student")
    assert resumed.ret == 0, text(resumed)
    assert project.statuses() == {"student": "passed"}
    assert project.here("--training-resume").ret == 0


REVERSED = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session):
    session.items.sort(key=lambda item: "teacher" in item.name)
"""


def test_a_job_that_another_plugin_puts_before_its_need_is_not_green(project: Project) -> None:
    project.write("conftest.py", REVERSED)
    assert project.here("-k", "student or teacher").ret == pytest.ExitCode.TESTS_FAILED
    assert reasons(project)["student"] == (
        *("failed", "needs"),
        "needs teacher, which has not ended: another plugin has changed the order",
    )
