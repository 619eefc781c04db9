"""A limit from outside, as docs/extending.md shows it, ends jobs as time and memory do."""

from __future__ import annotations

from pathlib import Path

import pytest
from sessions import Project, text

from .page import LONGEST, files

pytestmark = pytest.mark.slow

FILES = files("A limit")
OPENING = """
import time

def train(run):
    opened = [open(__file__) for _ in range({number})]
    time.sleep({seconds})
    return {{"r2": 0.9}}
"""
ENDLESS_S = 1000


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    for name, content in FILES.items():
        project.write(name, content)
    project.write("training/train_greedy.py", OPENING.format(number=200, seconds=ENDLESS_S))
    project.write("training/train_other.py", OPENING.format(number=200, seconds=1))
    project.write("training/train_modest.py", OPENING.format(number=20, seconds=1))
    return project


def test_the_limit_is_short() -> None:
    assert len(FILES["conftest.py"].splitlines()) <= LONGEST


@pytest.mark.parametrize("options", [("-n", "0"), ("-n", "2"), ("-o", "training_start=subprocess")])
def test_a_job_that_exceeds_the_limit_is_ended_and_tried_again(project: Project, options: tuple[str, ...]) -> None:
    ended = project.run(*options)
    ended.assert_outcomes(passed=2, failed=1)
    jobs = project.metadata()
    assert {job_id: (job["status"], job["cause"]) for job_id, job in jobs.items()} == {
        "greedy": ("failed", "open_files"),
        "other": ("passed", None),
        "modest": ("passed", None),
    }
    assert [attempt["cause"] for attempt in jobs["greedy"]["attempts"]] == ["open_files"] * 2
    ended.stdout.re_match_lines([r".*ended after \d+\.\d s: it had [12]\d\d files open, its limit is 100"])


def test_the_plan_shows_the_limit(project: Project) -> None:
    ended = project.run("--collect-only")
    ended.stdout.fnmatch_lines(["*greedy*", "*limits*open_files 100*"])


@pytest.mark.parametrize(
    ("catalogue", "message"),
    [
        ("defaults: {open_files: many}", "*jobs.yaml:1: defaults.open_files: expected a number of files*found 'many'*"),
        (
            "jobs: {greedy: {open_file: 3}}",
            "*jobs.greedy.open_file: unknown key 'open_file': did you mean 'open_files'[?] Expected one of open_files*",
        ),
        (
            "jobs: {greedy: {retry_on: [files]}}",
            "*some of crash, timeout, memory, open_files, error, *found 'files'",
        ),
    ],
)
def test_a_mistake_in_the_catalogue_is_told_with_the_limits_words(
    project: Project, catalogue: str, message: str
) -> None:
    project.write("training/jobs.yaml", catalogue)
    ended = project.run()
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    ended.stderr.fnmatch_lines([message])


@pytest.mark.parametrize("start", ["fork", "subprocess"])
def test_a_limit_that_cannot_be_measured_fails_the_jobs_that_have_it(project: Project, start: str) -> None:
    project.write("conftest.py", FILES["conftest.py"].replace("len(os.listdir", "len(os.nothing"))
    project.run("-o", f"training_start={start}")
    jobs = project.metadata()
    assert jobs["other"]["status"] == "passed"
    reason = "limit 'open_files' cannot be measured: AttributeError: module 'os' has no attribute 'nothing'"
    assert jobs["greedy"]["reason"] == reason


def test_a_file_that_the_job_server_cannot_load_fails_the_jobs_that_have_the_limit(project: Project) -> None:
    only_here = "assert 'pytest_training_limit' not in __name__\n"
    project.write("conftest.py", only_here + FILES["conftest.py"])
    ended = project.run()
    jobs = project.metadata()
    assert jobs["other"]["status"] == "passed", text(ended)
    assert jobs["greedy"]["reason"].startswith("limit 'open_files' cannot be loaded from ")


def test_a_class_that_no_other_process_could_load_is_refused(project: Project) -> None:
    made = "type('Made', (OpenFiles,), {'__qualname__': 'make.<locals>.Made'})()"
    project.write("conftest.py", FILES["conftest.py"].replace("OpenFiles())", f"{made})"))
    ended = project.run()
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    ended.stderr.fnmatch_lines(["*limit 'open_files': expected its class at the top of a file*"])
