"""A backend from outside, as docs/extending.md shows it: jobs pass, fail, are ended and are tried again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sessions import Project

from .page import LONGEST, files

FILES = files("A backend")
PASSING = """
import os
from helper import TITLE

GATES = {"r2": ">= 0.8"}

def train(run):
    run.save("where.txt", os.getcwd())
    print(TITLE)
    return {"r2": 0.9}
"""
SECOND_TIME_LUCKY = """
def train(run):
    if run.checkpoint.load() is None:
        run.checkpoint.save(begun=True)
        raise ValueError("not yet")
    return {"r2": 0.9}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    for name, content in FILES.items():
        project.write(name, content)
    project.write("training/helper.py", "TITLE = 'found its module'")
    project.write("training/train_good.py", PASSING)
    project.write("training/train_poor.py", PASSING.replace("0.9", "0.2"))
    project.write("training/train_broken.py", "def train(run):\n    raise ValueError('no')\n")
    project.write("training/train_endless.py", "import time\n\ndef train(run):\n    time.sleep(1000)\n")
    project.write("training/train_lucky.py", SECOND_TIME_LUCKY)
    project.write("training/jobs.yaml", "jobs: {lucky: {retries: 1}, endless: {timeout: 2s}}")
    return project


def test_the_backend_is_short() -> None:
    assert len(FILES["conftest.py"].splitlines()) <= LONGEST


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_jobs_are_executed_elsewhere_and_their_files_come_back(project: Project, workers: str) -> None:
    ended = project.run("-n", workers)
    ended.assert_outcomes(passed=2, failed=3)
    jobs = project.metadata()
    assert {job_id: (job["status"], job["cause"]) for job_id, job in jobs.items()} == {
        "good": ("passed", None),
        "poor": ("failed", "gate"),
        "broken": ("failed", "error"),
        "endless": ("failed", "timeout"),
        "lucky": ("passed", None),
    }
    assert len(jobs["lucky"]["attempts"]) == 2
    (where,) = project.root.glob("reports/runs/*/jobs/good/attempt-1/artifacts/where.txt")
    elsewhere = Path(where.read_text())
    assert elsewhere.name.startswith("machine-")
    assert not elsewhere.exists()
    assert "found its module" in where.parents[1].joinpath("log.txt").read_text()


def test_no_more_jobs_run_at_once_than_the_backend_has_room_for(project: Project) -> None:
    project.write("conftest.py", FILES["conftest.py"].replace('name = "elsewhere"', 'name, capacity = "elsewhere", 1'))
    project.run("-n", "2", "-k", "good or poor")
    outcomes = list(project.root.glob("reports/runs/*/jobs/*/outcome.json"))
    assert [json.loads(file.read_bytes())["slot"] for file in outcomes] == ["main", "main"]


def test_an_attempt_that_the_backend_lost_is_tried_again_as_after_a_crash(project: Project) -> None:
    losing = """
        from pytest_training.execution.attempt.messages import Lost, Reply
        if request.folder.endswith("attempt-1"):
            return Reply(lost=Lost(cause="worker died", reason="its node w3 went away"))
    """
    start = "    def launch(self, request):\n"
    project.write("conftest.py", FILES["conftest.py"].replace(start, start + losing.rstrip(" ")))
    project.write("training/jobs.yaml", "defaults: {timeout: 60s}\njobs: {good: {retries: 1, retry_on: [crash]}}")
    project.run("-k", "good or poor")
    jobs = project.metadata()
    assert jobs["good"]["reason"] == ""
    assert [attempt["cause"] for attempt in jobs["good"]["attempts"]] == ["worker died", None]
    assert (jobs["poor"]["cause"], jobs["poor"]["reason"]) == ("worker died", "its node w3 went away")


def test_a_name_that_no_backend_has_is_a_usage_error(project: Project) -> None:
    project.write("pytest.ini", "[pytest]\ntraining_start = elsewere\n")
    ended = project.run()
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    names = "elsewhere, cluster, auto, fork, subprocess, in-process"
    ended.stderr.fnmatch_lines(
        [f"*expected a backend, found 'elsewere': did you mean 'elsewhere'[?] Expected one of {names}*"]
    )
