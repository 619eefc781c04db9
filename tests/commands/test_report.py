"""A run that was killed is shown from what is on disk, whatever is missing or damaged there."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest
from sessions import Project, text
from watching import eventually

HANGS = "import time\nprint('began')\nrun.log(epoch=1, loss=0.5)\nrun.log(epoch=2, loss=0.4)\nrun.progress(1, 2)\n"


def make(project: Project) -> None:
    project.jobs("done", "later")
    project.job("hangs", HANGS + "while True:\n    time.sleep(0.1)")
    project.write("training/jobs.yaml", "jobs:\n  later: {needs: [hangs]}\n")


def kill(project: Project, *arguments: str) -> Path:
    """Begin a run, kill its session in the middle, and return its folder once all its processes are gone."""
    run = project.start(*arguments)
    jobs = project.reports / "runs"
    eventually(
        lambda: any(b"progress" in each.read_bytes() for each in jobs.glob("*/jobs/hangs/attempt-1/events.jsonl"))
    )
    eventually(lambda: [*jobs.glob("*/jobs/done/outcome.json")])
    below = psutil.Process(run.pid).children(recursive=True)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    _, alive = psutil.wait_procs(below, 60)
    assert not alive
    (folder,) = jobs.iterdir()
    return folder


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a project whose run was killed."""
    project = Project(tmp_path_factory.mktemp("killed"))
    make(project)
    kill(project, "-p", "no:xdist")
    return project.root


@pytest.fixture
def project(killed: Path, tmp_path: Path) -> Project:
    """Return a copy of that project."""
    shutil.copytree(killed, tmp_path / "copy")
    return Project(tmp_path / "copy")


def attempt(project: Project, job_id: str = "hangs") -> Path:
    (found,) = project.reports.glob(f"runs/*/jobs/{job_id}/attempt-1")
    return found


def reported(project: Project) -> str:
    """Report the last run; return its page."""
    result = project.ask("report", "last")
    assert result.ret == 0, text(result)
    assert "this run did not finish" in text(result)
    written = (project.reports / "index.html").read_text(encoding="utf-8")
    assert "This run did not finish." in written
    return written


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("-n", "0"), ("-n", "3")])
def test_a_killed_run_is_reported_from_what_is_on_disk(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    project = Project(tmp_path)
    make(project)
    kill(project, *arguments)
    written = reported(project)
    assert "1 interrupted" in written
    assert "the run ended without a record of this job" in written
    assert "the run ended before this job started" in written
    assert "loss by epoch" in written
    summary = (project.reports / "summary.md").read_text()
    assert "## Training: 1 passed, 1 interrupted, 1 not run\n\n**This run did not finish.**" in summary


def test_the_run_can_be_named_by_the_beginning_of_its_id(project: Project) -> None:
    run_id = attempt(project).parents[2].name
    assert project.ask("report", run_id[:20]).ret == 0
    assert (attempt(project).parents[2] / "index.html").exists()


def test_events_that_are_torn_or_garbage_are_left_out(project: Project) -> None:
    events = attempt(project) / "events.jsonl"
    whole = events.read_bytes()
    events.write_bytes(b'\xff\xfe\x00garbage\n[1, 2]\n{"log": 7}\n' + whole + b'{"t":9,"log":{"epoch":3,"lo')
    assert "loss by epoch" in reported(project)
    events.write_bytes(os.urandom(5000))
    assert "loss by epoch" not in reported(project)


@pytest.mark.parametrize("content", [b"", b"{", b'{"metrics": []}', b"\xff\xfe", b"[" * 100_000])
def test_a_result_or_outcome_that_is_no_json_is_left_out(project: Project, content: bytes) -> None:
    (attempt(project) / "result.json").write_bytes(content)
    (attempt(project, "done").parent / "outcome.json").write_bytes(content)
    for name in ("begun.json", "provenance.json"):
        (attempt(project).parents[2] / name).write_bytes(content)
    assert "2 interrupted" in reported(project)


def test_a_run_without_a_readable_plan_is_an_error_that_says_so(project: Project) -> None:
    folder = attempt(project).parents[2]
    (folder / "plan.json").write_text('{"jobs": [')
    garbage = project.ask("report", folder.name)
    assert garbage.ret == 2
    assert "plan.json: expected a plan as JSON" in text(garbage)
    (folder / "plan.json").unlink()
    missing = project.ask("report", folder.name)
    assert missing.ret == 2
    assert f"run '{folder.name}': no plan.json in {folder}: its jobs are unknown" in text(missing)
    unknown = project.ask("report", "elsewhere")
    assert unknown.ret == 2
    assert "no run in" in text(unknown)


def test_json_has_every_outcome_and_the_files(project: Project) -> None:
    answer = project.ask("report", "--json")
    assert answer.ret == 0, text(answer)
    report = json.loads(answer.stdout.str())
    statuses = {outcome["job_id"]: outcome["status"] for outcome in report["outcomes"]}
    assert statuses == {"done": "passed", "hangs": "interrupted", "later": "not run"}
    assert report["is_finished"] is False
    assert all(Path(path).is_file() for path in report["written"])
    assert str(project.reports / "index.html") in report["written"]
