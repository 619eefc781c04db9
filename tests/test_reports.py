"""Tests of what a run leaves behind: report.json, junit.xml, history, and no half file whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sessions import WAIT, Project, properties, strict_json
from watching import eventually

from pytest_training.records.history import History

SECRET = "hush-hush-47"
CATALOGUE = """\
jobs:
  good: {data: [cohort]}
  shaky: {optional: true}
  needy: {needs: [shaky]}
data:
  cohort: {path: cohort.csv, real: true, license: CC BY 4.0}
"""
STATUSES = {
    "good": "passed",
    "weak": "failed",
    "broken": "failed",
    "endless": "failed",
    "exits": "failed",
    "shaky": "failed",
    "needy": "not run",
}


@pytest.fixture(scope="module", params=["0", "2"], ids=["without workers", "two workers"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project after a run in which jobs ended in every way."""
    project = Project(tmp_path_factory.mktemp("reports"))
    project.write("training/jobs.yaml", CATALOGUE)
    project.write("training/cohort.csv", "abc\n")
    gate = 'GATES = {"score": ">= 0.5"}'
    project.job(
        "good", "run.data('cohort')\nrun.save('numbers.json', {'a': 1})\nreturn {'score': 0.75, 'n': 3}", top=gate
    )
    project.job("weak", "return {'score': 0.25}", top=gate)
    project.job("broken", "raise ValueError('<b>&\\x00no')")
    project.job("endless", "return {'score': float('nan')}")
    project.job("exits", "import os\nos._exit(3)")
    project.job("shaky", "raise ValueError('as so often')")
    project.jobs("needy")
    result = project.run("-n", request.param, env={"SECRET_TOKEN": SECRET})
    result.assert_outcomes(passed=1, failed=4, xfailed=1, skipped=1)
    return project


@pytest.fixture
def report(project: Project) -> dict[str, Any]:
    """Return its report.json, read strictly."""
    return project.report()


def run_folder(project: Project) -> Path:
    return project.reports / str(project.report()["training"]["folder"])


def by_id(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {test["metadata"]["id"]: test for test in report["tests"]}


# report.json


def test_the_report_names_every_selected_job_with_its_status(project: Project, report: dict[str, Any]) -> None:
    assert project.statuses() == STATUSES
    outcomes = {job_id: test["outcome"] for job_id, test in by_id(report).items()}
    assert outcomes == {**dict.fromkeys(STATUSES, "failed"), "good": "passed", "shaky": "xfailed", "needy": "skipped"}
    assert report["summary"] == {"passed": 1, "failed": 4, "xfailed": 1, "skipped": 1, "total": 7, "collected": 7}
    assert report["exitcode"] == 1


def test_a_job_that_passed_has_all_its_metadata(report: dict[str, Any]) -> None:
    good = by_id(report)["good"]["metadata"]
    assert good["metrics"] == {"score": 0.75, "n": 3}
    assert good["gates"][0]["passed"] is True
    assert (good["kind"], good["title"], good["seed"]) == ("function", "The good job.", 0)
    assert [(used["name"], used["real"], used["license"]) for used in good["datasets"]] == [
        ("cohort", True, "CC BY 4.0")
    ]
    assert good["datasets"][0]["sha256"].startswith("edeaaff3f1774ad2")
    assert len(good["attempts"]) == 1
    assert good["wall_s"] > 0
    assert good["cpu_s"] > 0
    assert good["peak_memory_mb"] > 0
    assert good["started"] < good["ended"]


@pytest.mark.parametrize(
    ("job_id", "cause", "reason"),
    [
        ("weak", "gate", "score is 0.25, required >= 0.5"),
        ("broken", "error", "raised ValueError: <b>&"),
        ("endless", "result", "metric 'score' is nan; expected a finite number"),
        ("exits", "exit", "ended with exit status 3 without an exception"),
        ("shaky", "error", "raised ValueError: as so often"),
        ("needy", "needs", "needs shaky, which did not pass in this run"),
    ],
)
def test_a_job_that_did_not_pass_says_why(report: dict[str, Any], job_id: str, cause: str, reason: str) -> None:
    found = by_id(report)[job_id]["metadata"]
    assert found["cause"] == cause
    assert found["reason"].startswith(reason)


def test_every_path_is_relative_to_the_reports_and_leads_somewhere(project: Project, report: dict[str, Any]) -> None:
    for test in report["tests"]:
        metadata = test["metadata"]
        paths = [metadata["log"], *metadata["artifacts"], *(attempt["folder"] for attempt in metadata["attempts"])]
        assert all((project.reports / path).exists() for path in paths if path)
    assert by_id(report)["good"]["metadata"]["artifacts"]


def test_the_training_block_tells_of_the_run(project: Project, report: dict[str, Any]) -> None:
    training = report["training"]
    walls = [test["metadata"]["wall_s"] for test in report["tests"]]
    assert training["schema_version"] >= 1
    assert training["folder"] == f"runs/{training['run_id']}"
    assert training["started"] < training["ended"]
    assert {planned["id"] for planned in training["plan"]} == set(STATUSES)
    assert training["totals"] == {"passed": 1, "failed": 5, "not run": 1}
    assert training["work_s"] == pytest.approx(sum(walls))
    assert training["lower_bound_s"] == pytest.approx(max(sum(walls) / training["workers"], *walls))
    assert training["python"].count(".") == 2
    assert training["machine"]["cpus"] >= 1
    assert training["problems"] == []


def test_nothing_of_the_environment_is_published(project: Project, report: dict[str, Any]) -> None:
    assert "SECRET_TOKEN" not in report["training"]["environment"]
    assert set(report.get("environment", {})) <= {"Packages", "Platform", "Plugins", "Python"}
    holding = [path for path in project.reports.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert not holding


# junit.xml


def test_each_job_is_one_case_with_its_metrics_as_properties(project: Project) -> None:
    cases = project.cases()
    assert set(cases) == {f"test_training_job[{job_id}]" for job_id in STATUSES}
    found = properties(cases["test_training_job[good]"])
    assert (found["metric.score"], found["metric.n"], found["status"]) == ("0.75", "3.0", "passed")
    assert found["gate.score"] == ">= 0.5, found 0.75: passed"
    assert properties(cases["test_training_job[weak]"])["metric.score"] == "0.25"
    assert properties(cases["test_training_job[needy]"])["reason"] == "needs shaky, which did not pass in this run"


def test_failures_and_skips_are_what_ci_takes_them_for(project: Project) -> None:
    kinds = {
        name.partition("[")[2][:-1]: [child.tag for child in case if child.tag not in {"properties", "system-out"}]
        for name, case in project.cases().items()
    }
    others = {"good": [], "shaky": ["skipped"], "needy": ["skipped"]}
    assert kinds == {job_id: others.get(job_id, ["failure"]) for job_id in STATUSES}


# Files


def test_the_stable_files_are_those_of_the_latest_run(project: Project) -> None:
    folder = run_folder(project)
    for name in ("report.json", "junit.xml"):
        assert (project.reports / name).read_bytes() == (folder / name).read_bytes()
    assert {"plan.json", "provenance.json", "jobs"} <= {path.name for path in folder.iterdir()}


def test_no_temporary_file_is_left(project: Project) -> None:
    assert not [path for path in project.reports.rglob(".*") if path.name != ".gitignore"]


def test_history_has_every_outcome(project: Project) -> None:
    history = History(project.reports / "history.sqlite")
    run_id = str(project.report()["training"]["run_id"])
    newest = [recorded for (recorded,) in history.recent(history.job_ids(), 1).values()]
    assert {each.outcome.job_id: each.outcome.status for each in newest if each.run_id == run_id} == STATUSES
    assert not history.problems


# Other runs


A = "test_jobs.py::test_training_job[a]"


@pytest.fixture
def small(pytester: pytest.Pytester) -> Project:
    """Return a project with three jobs."""
    small = Project(pytester.path, pytester)
    small.jobs("a", "c")
    small.job("b", "raise ValueError('no')")
    return small


def test_jobs_that_were_never_started_are_in_the_report(small: Project) -> None:
    small.here("-x")
    assert small.statuses() == {"a": "passed", "b": "failed", "c": "not run"}
    assert small.metadata()["c"]["reason"] == "the run ended before this job started"


def test_reports_that_the_user_asks_for_are_written_too(small: Project) -> None:
    small.here("--junitxml=own.xml", "--json-report", "--json-report-file=own.json")
    assert (small.root / "own.xml").read_bytes() == (small.reports / "junit.xml").read_bytes()
    assert strict_json(small.root / "own.json")["training"] == small.report()["training"]


def test_another_folder_takes_all_reports(small: Project) -> None:
    result = small.here("--training-reports", "out/deep", A)
    result.stdout.fnmatch_lines(["reports: out/deep/runs/*"])
    assert (small.root / "out/deep/report.json").exists()
    assert not small.reports.exists()


def test_a_new_reports_folder_is_ignored_by_git_and_one_that_was_there_is_left_as_it_is(small: Project) -> None:
    small.here(A)
    assert (small.reports / ".gitignore").read_text() == "*\n"
    (small.reports / ".gitignore").unlink()
    small.here(A)
    assert not (small.reports / ".gitignore").exists()


def test_git_shows_nothing_of_ours_in_a_reports_folder_of_the_user(small: Project) -> None:
    small.write("reports/figures.md", "theirs")
    subprocess.run(["git", "init", "-q", small.root], check=True)
    small.here(A)
    shown = subprocess.run(
        ["git", "-C", small.root, "status", "--porcelain", "-uall", "reports"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert shown.stdout == "?? reports/figures.md\n"


def test_a_history_that_is_no_database_is_kept_and_told(small: Project) -> None:
    small.write("reports/history.sqlite", "no database at all, but long enough to be looked at" * 30)
    small.here(A).stdout.fnmatch_lines(["warning: *history.sqlite*it is kept as *"])
    assert small.statuses() == {"a": "passed"}


def test_a_test_that_fails_after_its_job_has_passed_is_a_failure(small: Project) -> None:
    small.write("test_jobs.py", "def test_training_job(training_job):\n    training_job.train()\n    assert 0, 'so'\n")
    small.here(A).assert_outcomes(failed=1)
    assert small.statuses() == {"a": "failed"}
    assert small.metadata()["a"]["reason"] == "the test failed: AssertionError: so"


ENDLESS = "wait_for(run.folder / 'never')\nreturn {'x': 1}"


def test_a_run_that_is_killed_leaves_no_half_file(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.jobs("a")
    project.run().assert_outcomes(passed=1)
    before = {name: (project.reports / name).read_bytes() for name in ("report.json", "junit.xml")}
    run_id = project.report()["training"]["run_id"]
    project.job("a", ENDLESS, top=WAIT)
    killed = project.start()
    eventually(lambda: len(list(project.reports.glob("runs/*/jobs/a/attempt-1/log.txt"))) == 2)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert {name: (project.reports / name).read_bytes() for name in before} == before
    for path in project.reports.rglob("*.json"):
        strict_json(path)
    project.jobs("a")
    project.run().assert_outcomes(passed=1)
    assert project.report()["training"]["run_id"] != run_id
    assert len(list((project.reports / "runs").iterdir())) == 3


TOGETHER = """
runs = run.folder.parents[4]
give_up = time.monotonic() + 120
while len(list(runs.glob("*/jobs/a/attempt-1"))) < 2:
    assert time.monotonic() < give_up, "the other run never came"
    time.sleep(0.01)
return {"x": 1}
"""


def test_two_runs_at_once_in_one_folder_both_end_well(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.job("a", TOGETHER, top="import time")
    started = [project.start("-p", "no:cacheprovider") for _ in range(2)]
    assert [process.wait(120) for process in started] == [0, 0]
    folders = sorted((project.reports / "runs").iterdir())
    recorded = History(project.reports / "history.sqlite").recent(["a"], 9)["a"]
    assert sorted((each.run_id, each.outcome.status) for each in recorded) == [
        (each.name, "passed") for each in folders
    ]
    for name in ("report.json", "junit.xml"):
        assert (project.reports / name).read_bytes() in [(folder / name).read_bytes() for folder in folders]
    project.report()
    assert len(project.cases()) == 1
