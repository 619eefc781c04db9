"""Tests of `pytest-training logs JOB`, and of what a live reader sees of secrets."""

from __future__ import annotations

import os
import signal
import subprocess
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from sessions import Project, environment, question, text
from terminal import Terminal
from watching import eventually

from pytest_training.commands.answers import AT_FIRST, JobLog
from pytest_training.execution.folder import RunFolder
from pytest_training.jobs.model import Job

pytestmark = pytest.mark.slow

UNTIL_GO = "while not pathlib.Path('go').exists(): time.sleep(0.01)\n"
TOP = "import os, pathlib, time"
TOKEN = "sesame-4711"
SECRET_JOB = f"""
print("the token is", token, flush=True)
run.log(token=token, epoch=1)
run.progress(1, 4)
pathlib.Path("printed").touch()
{UNTIL_GO}
return {{"score": 1.0}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    yield project
    (tmp_path / "go").touch()  # a run that a failed test leaves behind ends


def logs(project: Project, job_id: str, attempt: int = 1) -> list[Path]:
    found = project.reports.glob(f"runs/*/jobs/{job_id}/attempt-{attempt}/log.txt")
    return [log for log in found if log.stat().st_size]


def followed(project: Project, first: str) -> tuple[subprocess.Popen[bytes], subprocess.Popen[str]]:
    """Start a run and follow the log of `als` once it has begun; return both."""
    run = project.start()
    eventually(lambda: logs(project, "als"))
    follower = project.follow_log("als")
    assert follower.stdout is not None
    assert follower.stdout.readline() == f"{first}\n"
    return run, follower


def test_the_log_of_a_running_job_is_followed_and_that_of_an_ended_one_is_printed(project: Project) -> None:
    project.job(
        "als", f'print("first line", flush=True)\n{UNTIL_GO}print("last line")\nreturn {{"score": 1.0}}', top=TOP
    )
    run, follower = followed(project, "first line")
    (project.root / "go").touch()
    rest, remarks = follower.communicate(timeout=120)
    assert rest == "last line\n"
    assert follower.returncode == 0
    assert remarks.startswith("log of als in run ")
    assert "(running)" in remarks
    run.wait(120)
    after = project.ask("logs", "als")
    assert after.outlines == ["first line", "last line"]
    assert "(ended)" in after.stderr.str()


def test_a_retry_is_followed_too(project: Project) -> None:
    body = f"""
    if not pathlib.Path("failed").exists():
        print("first attempt", flush=True)
        while not pathlib.Path("fail").exists():
            time.sleep(0.01)
        pathlib.Path("failed").touch()
        raise ValueError("once")
    print("second attempt", flush=True)
    {UNTIL_GO.strip()}
    return {{"score": 1.0}}
    """
    project.job("als", body, top=TOP)
    project.write("training/jobs.yaml", "jobs: {als: {retries: 1}}\n")
    run, follower = followed(project, "first attempt")
    (project.root / "fail").touch()
    eventually(lambda: logs(project, "als", attempt=2))
    (project.root / "go").touch()
    lines = follower.communicate(timeout=120)[0].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-3:] == ["ValueError: once", "… attempt 2 …", "second attempt"]
    run.wait(120)


def test_ctrl_c_ends_the_following_quietly(project: Project) -> None:
    project.job("als", f'print("first line", flush=True)\n{UNTIL_GO}', top=TOP)
    run, follower = followed(project, "first line")
    follower.send_signal(signal.SIGINT)
    rest, remarks = follower.communicate(timeout=120)
    assert (follower.returncode, rest) == (130, "")
    assert len(remarks.splitlines()) == 1
    (project.root / "go").touch()
    run.wait(120)


def test_a_job_that_waits_for_its_turn_is_waited_for(project: Project) -> None:
    project.job("als", f'print("als", flush=True)\n{UNTIL_GO}return {{"score": 1.0}}', top=TOP)
    project.job("stroke", 'print("its turn")\nreturn {"score": 1.0}')
    run = project.start("-n0")
    eventually(lambda: logs(project, "als"))
    follower = project.follow_log("stroke")
    assert follower.stderr is not None
    assert follower.stderr.readline().startswith("log of stroke in run ")
    assert follower.stderr.readline() == "stroke has not started yet: waiting\n"
    (project.root / "go").touch()
    assert follower.communicate(timeout=120)[0] == "its turn\n"
    run.wait(120)


def test_without_such_a_job_a_run_or_a_log_that_is_said(project: Project) -> None:
    project.job("als", "raise ValueError('no')")
    project.job("stroke")
    none = project.ask("logs", "als")
    assert none.ret == 2
    assert f"no run in {project.reports / 'runs'}" in text(none)
    project.run("-n0", "-x")
    unknown = project.ask("logs", "strok")
    assert unknown.ret == 2
    assert "has no job 'strok': did you mean 'stroke'? Expected one of stroke, als" in text(unknown)
    never = project.ask("logs", "stroke")
    assert never.ret == 0
    assert never.stdout.str() == ""
    assert "stroke has no log in run" in never.stderr.str()
    assert "the run ended before this job started" in never.stderr.str()


def test_what_moves_a_terminals_cursor_is_taken_out(project: Project) -> None:
    project.job("als", 'os.write(1, b"\\x1b[2J\\x1b]0;title\\x07red \\x1b[31mred\\x9b1A \\xff\\n")', top=TOP)
    project.run("-n0")
    found = project.ask("logs", "als").outlines[0]
    assert found.isprintable()
    assert found.startswith("red red")


def test_a_reader_that_has_seen_enough_hurts_nothing(project: Project) -> None:
    project.job("als", 'print("line\\n" * 100_000)')
    project.run("-n0")
    piped = ["bash", "-o", "pipefail", "-c", '"$@" | head -n 1', "bash", *question("logs", "als")]
    ended = subprocess.run(piped, cwd=project.root, env=environment(), capture_output=True, text=True, check=False)
    assert ended.stdout == "line\n"
    assert len(ended.stderr.splitlines()) == 1


def write_log(tmp_path: Path, lines: int) -> tuple[RunFolder, Job]:
    folder = RunFolder(tmp_path, "run")
    job = Job(id="als", kind="function", source="", home="", root="")
    folder.job("als").begin_attempt()
    with folder.job("als").attempt(1).log.open("w") as log:
        log.writelines(f"{number} {'x' * 100}\n" for number in range(lines))
    return folder, job


def test_a_log_of_50_mb_is_printed_whole_with_little_memory(tmp_path: Path) -> None:
    folder, job = write_log(tmp_path, 480_000)
    assert folder.job("als").attempt(1).log.stat().st_size > 50_000_000
    tracemalloc.start()
    try:
        count = sum(1 for _ in JobLog(folder, job, is_followed=False, remark=pytest.fail).lines())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 480_000
    assert peak < 16 * 2**20


def test_a_long_log_is_followed_from_its_last_part_on(tmp_path: Path) -> None:
    folder, job = write_log(tmp_path, 10_000)
    remarks: list[str] = []
    lines = list(JobLog(folder, job, is_followed=True, remark=remarks.append).lines())
    assert lines[-1].startswith("9999 ")
    assert AT_FIRST - 200 < sum(len(line) + 1 for line in lines) <= AT_FIRST
    assert remarks == [f"… 1.0 MB before this are left out: {folder.job('als').attempt(1).log} …"]


def test_a_line_without_end_does_not_pile_up(tmp_path: Path) -> None:
    folder, job = write_log(tmp_path, 0)
    folder.job("als").attempt(1).log.write_bytes(b"x" * 30_000_000)
    lines = list(JobLog(folder, job, is_followed=False, remark=pytest.fail).lines())
    assert 1 < len(lines) < 30
    assert max(map(len, lines)) <= 2_000


@pytest.fixture
def secret_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    project.job("als", SECRET_JOB, top=TOP, parameters='token=""')
    project.write("training/jobs.yaml", "jobs: {als: {secret: {token: MY_TOKEN}}}\n")
    return project


def test_the_log_of_a_job_with_secrets_is_shown_once_they_are_masked(secret_project: Project) -> None:
    run = secret_project.start()
    eventually((secret_project.root / "printed").exists)
    follower = secret_project.follow_log("als")
    assert follower.stderr is not None
    assert follower.stderr.readline().startswith("log of als in run ")
    (secret_project.root / "go").touch()
    assert follower.communicate(timeout=120)[0] == "the token is ***\n"
    run.wait(120)
    left = [
        path for path in secret_project.reports.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]
    assert left == []


def test_the_live_view_shows_no_secret(secret_project: Project) -> None:
    with Terminal(secret_project.root, "-n0", size=(140, 30)) as terminal:
        eventually((secret_project.root / "printed").exists)
        terminal.until_shown("als")
        (secret_project.root / "go").touch()
        terminal.end()
        assert TOKEN.encode() not in terminal.written
        assert TOKEN[:6].encode() not in terminal.written


def test_the_lines_of_a_long_job_show_no_secret(secret_project: Project) -> None:
    run = secret_project.follow("-n0", "-o", "training_heartbeat=0.1s")
    eventually((secret_project.root / "printed").exists)
    assert run.stdout is not None
    lines: list[str] = []
    while len([line for line in lines if line.startswith("running als")]) < 5:
        lines.append(run.stdout.readline())
        assert lines[-1], lines
    (secret_project.root / "go").touch()
    lines.append(run.communicate(timeout=120)[0])
    assert TOKEN[:6] not in "".join(lines)


def test_of_a_run_that_was_killed_no_log_with_secrets_is_shown(secret_project: Project) -> None:
    run = secret_project.start("-n0")
    eventually((secret_project.root / "printed").exists)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    shown = secret_project.ask("logs", "als")
    assert shown.ret == 0
    assert shown.stdout.str() == ""
    made = secret_project.ask("report")
    assert made.ret == 0, text(made)
    for name in ("index.html", "summary.md"):
        assert TOKEN[:6] not in (secret_project.reports / name).read_text(encoding="utf-8")
    assert not list(secret_project.reports.rglob("log.txt"))
