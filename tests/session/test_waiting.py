"""What jobs of one run wait for is no part of how long they take: imports, GPUs, pauses before another attempt."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from sessions import Project, text

pytestmark = pytest.mark.slow

SLEEP = "import time\ntime.sleep({seconds})\nreturn {{'score': 1.0}}"
AGAIN = """
import time
time.sleep(0.1)
mark = run.folder.parents[1] / "tried"
tried = mark.exists()
mark.touch()
return {'score': 1.0} if tried else undefined
"""
HEAVY = """
import time
from pathlib import Path

give_up = time.monotonic() + 60
while len(list(Path("reports/runs").glob("*/jobs/*/attempt-1/started.json"))) < 4 and time.monotonic() < give_up:
    time.sleep(0.02)
time.sleep(1.0)
"""
"""Takes until the first jobs have asked for its process, and a second more."""
CATALOGUE = """
jobs:
  card_1: {gpus: 1}
  card_2: {gpus: 1}
  again: {retries: 1, retry_wait: 0.6s}
"""
IMPORTING_S, HOLDING_S, PAUSE_S = 1.0, 0.8, 0.6
OWN_S = {"again": 0.2, "brief": 0.0, "card_1": HOLDING_S, "card_2": HOLDING_S, "long": 1.2, "short": 0.4}
"""What each job sleeps."""
FIRST = ("again", "brief", "card_1", "card_2")
"""Those that the four workers take at once."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project after its first run, whose first jobs waited for an import that they all share."""
    project = Project(tmp_path_factory.mktemp("waiting"))
    project.write("libraries/heavy.py", HEAVY)
    for job_id, seconds in OWN_S.items():
        body = AGAIN if job_id == "again" else SLEEP.format(seconds=seconds)
        project.job(job_id, body, top="import heavy")
    project.write("training/jobs.yaml", CATALOGUE)
    environment = {"PYTHONPATH": str(project.root / "libraries"), "CUDA_VISIBLE_DEVICES": "0"}
    result = project.run("-n", "4", "-o", "training_heartbeat=0.4s", env=environment)
    assert result.ret == 0, text(result)
    project.write("printed.txt", result.stdout.str())
    return project


@pytest.fixture(scope="module")
def jobs(project: Project) -> dict[str, dict[str, Any]]:
    """Return what report.json has of each job."""
    return project.metadata()


def test_the_imports_are_waiting_of_every_job_that_waited_for_them(jobs: dict[str, dict[str, Any]]) -> None:
    assert all(jobs[job_id]["waiting_s"] >= IMPORTING_S / 2 for job_id in FIRST)
    assert jobs["brief"]["wall_s"] < jobs["brief"]["waiting_s"]


def test_who_waits_for_a_card_is_not_longer_than_who_has_it(jobs: dict[str, dict[str, Any]]) -> None:
    attempts = [jobs[job_id]["attempts"][0] for job_id in ("card_1", "card_2")]
    begun = [
        datetime.fromisoformat(each["started"]) + timedelta(seconds=each["ending"]["waiting_s"]) for each in attempts
    ]
    assert abs(begun[0] - begun[1]) >= timedelta(seconds=HOLDING_S / 2)


def test_a_pause_before_another_attempt_is_waiting(jobs: dict[str, dict[str, Any]]) -> None:
    assert len(jobs["again"]["attempts"]) == 2
    assert jobs["again"]["waiting_s"] >= IMPORTING_S / 2 + PAUSE_S
    own = sum(attempt["ending"]["wall_s"] for attempt in jobs["again"]["attempts"])
    assert jobs["again"]["wall_s"] == pytest.approx(own, abs=0.001)


def test_work_and_bound_are_those_of_the_jobs_own_times(project: Project, jobs: dict[str, dict[str, Any]]) -> None:
    run, walls = project.report()["training"], [job["wall_s"] for job in jobs.values()]
    assert run["work_s"] == pytest.approx(sum(walls))
    assert run["waiting_s"] == pytest.approx(sum(job["waiting_s"] for job in jobs.values()))
    assert run["lower_bound_s"] == pytest.approx(max(*walls, sum(walls) / 4))


def test_a_second_run_is_ordered_rightly_though_the_first_paid_for_imports(
    project: Project, jobs: dict[str, dict[str, Any]]
) -> None:
    plan = project.root / "plan.json"
    dry = project.run("-n", "2", "--collect-only", "--training-plan", plan)
    dry.stdout.fnmatch_lines(["expected duration on 2 slots: *", "before it: imports, * s in the last run"])
    order = [planned["job"]["id"] for planned in json.loads(plan.read_text())["jobs"]]
    assert order == sorted(order, key=lambda job_id: -jobs[job_id]["wall_s"])  # of "long" more than of "brief"


def test_the_waiting_is_said(project: Project) -> None:
    printed = (project.root / "printed.txt").read_text()
    assert " for imports, GPUs or another attempt\n" in printed
    assert re.search(r"^waiting brief  for \d.* s, loading heavy, \d.* s$", printed, re.MULTILINE)
    assert printed.count(" so far: jobs wait for it\n") == 1
    assert "of waiting" in (project.reports / "index.html").read_text(encoding="utf-8")
    assert 'class="waited"' in (project.reports / "index.html").read_text(encoding="utf-8")
    assert "for imports, GPUs or another attempt" in (project.reports / "summary.md").read_text(encoding="utf-8")
