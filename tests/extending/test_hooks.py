"""Hooks of a conftest.py: one call for each job whatever happened to it, and a hook that raises harms nobody."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping

import pytest
from sessions import Project
from watching import eventually

pytestmark = pytest.mark.slow

APPENDS = """
import os, signal

def note(line):
    with open("hooks.txt", "a") as file:
        file.write(line + "\\n")

def pytest_training_run_start(run):
    note(f"start of {len(run.plan.jobs)}")

def pytest_training_job_start(job):
    note(f"begins {job.id}")

def pytest_training_job_end(config, outcome):
    assert not hasattr(config, "workerinput")
    note(f"{outcome.job_id} {outcome.status}")

def pytest_training_run_end(run):
    reports = ("report.json", "junit.xml", "index.html", "summary.md", "history.sqlite")
    assert all((run.folder.reports / name).exists() for name in reports)
    note(f"end of {len(run.outcomes)}")
"""
KILLED = """
def pytest_runtest_call(item):
    if "[b]" in item.name:
        os.kill(os.getpid(), signal.SIGKILL)
"""
RAISES = """
def pytest_training_{hook}:
    raise ValueError("a mistake of mine")
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """Return a project of three jobs with a reporter of its own."""
    project = Project(pytester.path, pytester)
    project.jobs("a", "b", "c")
    project.write("conftest.py", APPENDS)
    return project


def ended(project: Project) -> Mapping[str, str]:
    """Return each job's status as the hook was called with it; each job is there once."""
    lines = (project.root / "hooks.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition(" ") for line in lines if not line.startswith(("start of", "begins", "end of"))]
    assert len({job_id for job_id, _, _ in pairs}) == len(pairs), lines
    assert (lines[0], lines[-1]) == ("start of 3", "end of 3")
    return {job_id: status for job_id, _, status in pairs}


@pytest.mark.parametrize("workers", ["0", "2"])
def test_each_hook_is_called_once_for_each_job(project: Project, workers: str) -> None:
    project.job("b", "raise ValueError('x')")
    project.run("-n", workers).assert_outcomes(passed=2, failed=1)
    assert ended(project) == {"a": "passed", "b": "failed", "c": "passed"}
    lines = (project.root / "hooks.txt").read_text(encoding="utf-8").splitlines()
    assert sorted(line for line in lines if line.startswith("begins")) == ["begins a", "begins b", "begins c"]
    for job_id in "abc":
        (end,) = [line for line in lines if line.startswith(f"{job_id} ")]
        assert lines.index(f"begins {job_id}") < lines.index(end)


@pytest.mark.skipif(sys.platform != "linux", reason="kills a worker")
def test_a_killed_worker_has_one_end_of_its_job(project: Project) -> None:
    project.write("conftest.py", APPENDS + KILLED)
    project.run("-n", "2")
    assert ended(project) == {"a": "passed", "b": "failed", "c": "passed"}


def test_jobs_that_were_interrupted_or_never_begun_end_too(project: Project) -> None:
    project.job("b", "import signal\nprint('began', flush=True)\nsignal.pause()")
    run = project.start("-p", "no:xdist")
    eventually(lambda: any(log.stat().st_size for log in project.reports.glob("runs/*/jobs/b/attempt-1/log.txt")))
    run.send_signal(signal.SIGINT)
    assert run.wait(120) == pytest.ExitCode.INTERRUPTED
    assert ended(project) == {"a": "passed", "b": "interrupted", "c": "not run"}


def test_a_job_that_two_tests_train_ends_once(project: Project) -> None:
    project.write("test_again.py", "def test_again(training_job):\n    training_job.train()\n")
    project.here().assert_outcomes(passed=6)
    assert ended(project) == {"a": "passed", "b": "passed", "c": "passed"}


@pytest.mark.parametrize("hook", ["run_start(run)", "job_start(job)", "job_end(outcome)", "run_end(run)"])
def test_a_hook_that_raises_is_named_and_harms_neither_run_nor_reports(project: Project, hook: str) -> None:
    project.write("broken.py", RAISES.format(hook=hook))
    result = project.run("-p", "broken")
    result.assert_outcomes(passed=3)
    name = hook.partition("(")[0]
    problem = f"pytest_training_{name} of broken raised ValueError: a mistake of mine (broken.py:3)"
    result.stdout.fnmatch_lines(["3 jobs: 3 passed", f"warning: {problem}"])
    assert sum(problem in line for line in result.stdout.lines) == 1
    assert ended(project) == {"a": "passed", "b": "passed", "c": "passed"}
    if name != "run_end":
        assert project.report()["training"]["problems"] == [problem]
        assert problem in (project.reports / "index.html").read_text(encoding="utf-8")


def test_a_reporter_may_add_lines_and_problems(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        def pytest_training_run_end(run):
            run.closing.append((f"tracked as {run.outcomes[0].job_id}", {"bold": True}))
            run.problems.append("the tracking server is slow")
        """,
    )
    result = project.here()
    result.stdout.fnmatch_lines(["tracked as a", "3 jobs: 3 passed", "warning: the tracking server is slow"])


def test_a_file_that_the_user_names_is_completed_too(project: Project) -> None:
    project.job("b", "raise ValueError('x')")
    project.here("--json-report", "--json-report-file=mine.json", "--junitxml=mine.xml")
    assert '"training"' in (project.root / "mine.json").read_text(encoding="utf-8")
    mine, stable = (project.root / "mine.xml").read_bytes(), (project.reports / "junit.xml").read_bytes()
    assert mine == stable
    assert b'name="metric.score"' in mine
