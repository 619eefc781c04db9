"""Many jobs at once from one process, over rooms of local threads: every item means what it means without them."""

from __future__ import annotations

from typing import Any

import pytest
from sessions import TWO_LINES, Project

from .rooms import ROOMS

MARKS = {
    "skipped": "pytest.mark.skip(reason='not today')",
    "skipped_if": "pytest.mark.skipif(True, reason='not here')",
    "skipped_by_text": "pytest.mark.skipif('sys.platform')",
    "badly_skipped": "pytest.mark.skipif('no_such_name')",
    "not_run": "pytest.mark.xfail(run=False)",
    "expected": "pytest.mark.xfail",
}
"""By job: a mark that decides whether it is trained, or what its failure means."""
OWN_TESTS = ("narrow", "own_lines", "twice", "broken", "unavailable")
CONFTEST = f"""
import os
import pytest

MARKS = {MARKS!r}
OWN_TESTS = {OWN_TESTS!r}

def pytest_collection_modifyitems(items):
    for item in list(items):
        test, _, job_id = item.name.removeprefix("test_").rstrip("]").partition("[")
        job_id = job_id.partition("-")[0]
        if test not in {{"ordinary", job_id if job_id in OWN_TESTS else "training_job"}}:
            items.remove(item)
        for job_id, mark in MARKS.items():
            if f"[{{job_id}}]" in item.name:
                item.add_marker(eval(mark))

@pytest.fixture(scope="session")
def early():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARLY", "yes")
        yield

@pytest.fixture(scope="session")
def broken():
    raise OSError("no such service")

@pytest.fixture(scope="session")
def unavailable():
    pytest.skip("no such service")

@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setenv("NARROW", "yes")
"""
TESTS = f"""
import pytest

pytestmark = pytest.mark.usefixtures("early")

{TWO_LINES}

class TestNarrow:
    def test_narrow(self, training_job, narrow):
        training_job.train(), training_job.check()

def test_own_lines(training_job):
    if training_job.job.id == "own_lines":
        pytest.skip("its own line")
    training_job.train(), training_job.check()

@pytest.mark.parametrize("at_least", [0, 2])
def test_twice(training_job, at_least):
    outcome = training_job.train()
    training_job.check()
    assert outcome.metrics["x"] >= at_least

def test_broken(training_job, broken):
    training_job.train(), training_job.check()

def test_unavailable(unavailable, training_job):
    training_job.train(), training_job.check()

def test_ordinary(monkeypatch):
    monkeypatch.setenv("ORDINARY", "yes")
"""
BODY = """
import os
return {"x": 1, **{name.lower(): float(name in os.environ) for name in ("EARLY", "NARROW", "ORDINARY")}}
"""
CATALOGUE = """
jobs:
  needy: {needs: [plain]}
  hopeless: {needs: [failing]}
  late: {needs: [twice]}
  gated: {gates: {x: '>= 2'}}
  optional: {optional: true}
"""
USUAL = (*MARKS, "plain", "failing", "needy", "hopeless", "late", "gated", "optional")


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """Return a project over rooms of threads."""
    project = Project(pytester.path, pytester)
    project.write("conftest.py", ROOMS)
    project.write("pytest.ini", "[pytest]\ntraining_start = threads\n")
    return project


def test_every_item_means_what_it_means_without_rooms(project: Project) -> None:
    project.write("conftest.py", ROOMS + CONFTEST)
    project.write("test_jobs.py", TESTS)
    for job_id in (*USUAL, *OWN_TESTS):
        project.job(job_id, "raise ValueError('no')" if job_id in {"failing", "expected", "optional"} else BODY)
    project.write("training/jobs.yaml", CATALOGUE)
    ended, came_to = project.here(), _came_to(project)
    alone, expected = project.here("-o", "training_start=fork"), _came_to(project)
    assert came_to == expected
    assert ended.ret == alone.ret
    assert ended.parseoutcomes() == alone.parseoutcomes()
    assert came_to["needy"]["metrics"] == {"x": 1, "early": 1, "narrow": 0, "ordinary": 0}
    assert came_to["narrow"]["metrics"]["narrow"] == 1
    assert {job_id for job_id, each in came_to.items() if not each["attempts"]} == {
        *("skipped", "skipped_if", "skipped_by_text", "badly_skipped", "not_run", "hopeless", "late"),
        *("own_lines", "broken", "unavailable"),
    }


def _came_to(project: Project) -> dict[str, dict[str, Any]]:
    fields = ("status", "cause", "reason", "metrics", "attempts")
    jobs = {job_id: {name: each[name] for name in fields} for job_id, each in project.metadata().items()}
    for each in jobs.values():
        each["attempts"] = len(each["attempts"])
    return jobs
