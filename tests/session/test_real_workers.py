"""Tests of the order on real xdist workers: shown by what waits for what, never by the clock."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from sessions import WAIT, Project, text
from watching import eventually, is_alive

pytestmark = pytest.mark.slow

LONG = """
for other in "bcdef":
    wait_for(jobs(run) / other / "outcome.json")
return {"x": 1}
"""
"""Ends when all others have ended: whoever stood behind it on its worker would wait for ever."""
ONCE_PER_WORKER = """
import os, pathlib, pytest

@pytest.fixture(scope="session", autouse=True)
def note():
    with open("sessions.txt", "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + " ")
"""

Jobs = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose first job ends last."""
    project = Project(tmp_path_factory.mktemp("order"))
    project.job("a", LONG, top=WAIT)
    project.jobs(*"bcdef")
    project.write("conftest.py", ONCE_PER_WORKER)
    return project


@pytest.fixture(scope="module")
def first(project: Project) -> Jobs:
    """Return the jobs of a first run, where nothing is known."""
    project.run("-n", "2").assert_outcomes(passed=6)
    return project.metadata()


@pytest.fixture(scope="module")
def second(project: Project, first: Jobs) -> pytest.RunResult:
    """Return the next run, which tells all that it can."""
    result = project.run("-n", "2", "-vv", "-rA", "--durations=0")
    result.assert_outcomes(passed=6)
    return result


def by_worker(jobs: Jobs) -> dict[str, list[str]]:
    """Return what each worker ran, in order."""
    found = defaultdict(list)
    for job_id, job in sorted(jobs.items(), key=lambda item: str(item[1]["started"])):
        found[job["worker"]].append(job_id)
    return found


def test_no_job_waits_on_a_busy_worker_while_another_is_idle(first: Jobs) -> None:
    alone, others = sorted(by_worker(first).values(), key=len)
    assert alone == ["a"]
    assert sorted(others) == list("bcdef")
    assert all(job["ended"] <= first["a"]["ended"] for job in first.values())


def test_what_is_known_from_history_goes_longest_first(project: Project, first: Jobs, second: pytest.RunResult) -> None:
    jobs, training = project.metadata(), project.report()["training"]
    order = [planned["id"] for planned in training["plan"]]
    expected = [planned["expected_s"] for planned in training["plan"]]
    assert {planned["expected_from"] for planned in training["plan"]} == {"history"}
    assert order == sorted(first, key=lambda job_id: -float(first[job_id]["wall_s"]))
    assert expected == sorted(expected, reverse=True)
    for ran in by_worker(jobs).values():
        assert ran == sorted(ran, key=order.index)


def test_a_worker_keeps_its_session_through_all_its_jobs(project: Project, second: pytest.RunResult) -> None:
    assert sorted((project.root / "sessions.txt").read_text().split()) == ["gw0", "gw0", "gw1", "gw1"]


def test_the_idle_item_is_seen_by_nobody(project: Project, second: pytest.RunResult) -> None:
    assert "6 passed" in second.outlines[-1]
    assert "idle" not in text(second)
    assert "idle" not in (project.reports / "report.json").read_text()
    assert len(project.cases()) == 6


# Workers that die, workers that differ


DEADLY = """
import os

def test_training_job(training_job):
    if training_job.job.id == "b":
        os._exit(1)
    training_job.train()
    training_job.check()
"""


def test_a_worker_that_dies_is_replaced_and_the_rest_runs(tmp_path_factory: pytest.TempPathFactory) -> None:
    project = Project(tmp_path_factory.mktemp("deadly"))
    project.jobs(*"abcd")
    project.write("test_jobs.py", DEADLY)
    result = project.run("-n", "2")
    result.assert_outcomes(passed=3, failed=1)
    assert project.statuses() == {"a": "passed", "b": "failed", "c": "passed", "d": "passed"}
    result.stdout.fnmatch_lines(
        [
            "*replacing crashed worker gw?",
            "*___ test_training_job[[]b[]] ___*",
            "worker died: the pytest process gw? that waited for this job ended without a word (killed?)",
        ]
    )
    assert project.metadata()["b"]["cause"] == "worker died"
    assert "test_training_job[b]" in project.cases()
    (test,) = [test for test in project.report()["tests"] if test["metadata"]["id"] == "b"]
    assert test["outcome"] == "failed"
    assert "worker died" in test["call"]["longrepr"]


FORGETFUL = """
import os

collect_ignore = ["test_jobs.py"] if "PYTEST_XDIST_WORKER" in os.environ else []
"""


@pytest.mark.parametrize("dist", ["load", "worksteal"])
def test_collections_that_differ_are_one_clear_error(tmp_path_factory: pytest.TempPathFactory, dist: str) -> None:
    project = Project(tmp_path_factory.mktemp("forgetful"))
    project.jobs(*"abc")
    project.write("conftest.py", FORGETFUL)
    project.write("test_ordinary.py", "def test_true():\n    pass\n")
    result = project.run("-n", "2", "--dist", dist)
    result.stdout.fnmatch_lines(
        ["*worker gw? did not collect test_jobs.py::test_training_job[[]a[]], *; every process *"]
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "Traceback" not in text(result)
    assert "INTERNALERROR" not in text(result)
    assert not project.reports.exists()


def test_worker_that_does_not_exit_is_killed_once_the_reports_are_written(tmp_path: Any) -> None:
    """A user's plugin keeps a worker from exiting: the run ends all the same, and leaves no process."""
    project = Project(tmp_path)
    project.jobs("a", "b")
    project.write(
        "conftest.py",
        "import atexit, os, time\n"
        "if 'PYTEST_XDIST_WORKER' in os.environ:\n"
        "    open(os.environ['PYTEST_XDIST_WORKER'] + '.pid', 'w').write(str(os.getpid()))\n"
        "    atexit.register(time.sleep, 3600)\n",
    )
    project.run("-n", "2").assert_outcomes(passed=2)
    workers = [int(file.read_text()) for file in tmp_path.glob("gw*.pid")]
    assert len(workers) == 2
    eventually(lambda: not any(map(is_alive, workers)))
