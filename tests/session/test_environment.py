"""What tests and fixtures set in the environment reaches the jobs, whichever process starts them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sessions import Project, text

FIXTURES = """
import os
import pytest

@pytest.fixture(scope="session", autouse=True)
def tracking():
    os.environ["TRACKED"] = "by a fixture"
    os.environ.pop("TOKEN", None)
"""
TEST = """
def test_training_job(training_job, monkeypatch):
    monkeypatch.setenv("JOB", training_job.job.id)
    training_job.train(), training_job.check()
"""
BODY = """
import os
names = ("JOB", "TRACKED", "TOKEN")
return {name: float(os.environ.get(name) == wanted) for name, wanted in zip(names, ("%s", "by a fixture", None))}
"""


@pytest.mark.slow  # tests/execution/test_slot.py has the same without sessions
@pytest.mark.parametrize(
    "arguments",
    [
        ("-n2",),
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in [
                ("-n0",),
                ("-n0", "-o", "training_start=subprocess"),
                ("-n2", "-o", "training_start=subprocess"),
            ]
        ),
    ],
    ids=" ".join,
)
def test_what_fixtures_set_reaches_the_jobs(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    project = Project(tmp_path)
    project.write("conftest.py", FIXTURES)
    project.write("test_jobs.py", TEST)
    names = ("first", "second", "third")
    for name in names:
        project.job(name, BODY % name)
    result = project.run(*arguments, env={"TOKEN": "of the session", "LATIN": "\udcf6"})
    assert result.ret == 0, text(result)
    metrics = {name: found["metrics"] for name, found in project.metadata().items()}
    assert metrics == {name: {"JOB": 1.0, "TRACKED": 1.0, "TOKEN": 1.0} for name in names}
