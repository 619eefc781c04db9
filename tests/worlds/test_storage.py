"""Disks that are full, folders that cannot be written, and a history file that cannot be used."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from watching import eventually

from .folder import Folder

pytestmark = pytest.mark.slow

FILLING = """
from pathlib import Path


def train(run):
    try:
        with (Path(run.folder) / "weights.bin").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        pass
    return {"score": 1.0}
"""
FAILING = """
def train(run):
    while True:
        run.save(f"{len(list(run.folder.iterdir()))}.txt", "x" * 60_000)
"""

WAITING = """
import time
from pathlib import Path

def train(run):
    Path("begun").touch()
    while not Path("gone").exists():
        time.sleep(0.01)
    return {"score": 1.0}
"""

Mount = Callable[..., Path]


def test_a_disk_that_is_full_from_the_start_stops_the_run_with_a_sentence(folder: Folder, mounted: Mount) -> None:
    reports = mounted(folder.root / "reports", "size=4k,nr_inodes=2")
    ended = folder.run()
    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert f"cannot write reports to {reports}: No space left on device" in ended.text
    assert "--training-reports DIR takes another folder" in ended.text


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_disk_that_fills_up_fails_the_jobs_with_the_reason(folder: Folder, mounted: Mount, workers: str) -> None:
    mounted(folder.root / "reports", "size=256k")
    folder.job("one", FAILING)
    folder.job("two", FILLING)
    ended = folder.run("-n", workers)
    assert ended.status == pytest.ExitCode.TESTS_FAILED
    ended.counted(failed=2)
    assert "No space left on device" in ended.text
    assert "disk full?" in ended.text or "cannot be trained or recorded" in ended.text
    assert "warning: cannot write" in ended.text


def test_a_disk_that_fills_up_harms_no_job_that_has_ended(folder: Folder, mounted: Mount) -> None:
    mounted(folder.root / "reports", "size=512k")
    folder.job("two", FILLING)
    folder.write("training/jobs.yaml", "jobs: {two: {needs: [one]}}\n")
    ended = folder.run("-n2")
    assert "PASSED  one" in ended.text
    assert "FAILED  two" in ended.text
    ended.counted(passed=1, failed=1)


def test_a_reports_folder_that_is_read_only_stops_the_run_with_a_sentence(folder: Folder, mounted: Mount) -> None:
    reports = mounted(folder.root / "reports", "ro")
    ended = folder.run("-n2")
    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert f"cannot write reports to {reports}: Read-only file system" in ended.text


@pytest.mark.parametrize("start", ["fork", "subprocess"])
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_reports_folder_whose_mount_goes_away_in_mid_run_loses_no_outcome(
    folder: Folder, mounted: Mount, workers: str, start: str
) -> None:
    reports = mounted(folder.root / "reports", "size=16m")
    folder.job("one", WAITING)
    folder.write("training/jobs.yaml", "jobs: {two: {needs: [one]}}\n")
    run = folder.begin("-n", workers, "-o", f"training_start={start}")
    eventually((folder.root / "begun").exists)
    subprocess.run(["umount", "-l", str(reports)], check=True)
    (folder.root / "gone").touch()
    ended = folder.end(run)
    ended.counted(passed=2)
    assert ended.status == pytest.ExitCode.OK or "expected a plan: No such file or directory" in ended.text  # a worker
    assert re.search(r"PASSED +one +score 1, its folder was deleted or replaced while it ran", ended.text)
    metrics = {each["metadata"]["id"]: each["metadata"]["metrics"] for each in folder.report()["tests"]}
    assert metrics == {"one": {"score": 1.0}, "two": {"score": 0.5}}


def test_a_file_in_the_place_of_the_reports_folder_stops_the_run_with_a_sentence(folder: Folder) -> None:
    folder.write("reports", "")
    ended = folder.run()
    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert "reports: Not a directory" in ended.text


def test_reports_may_be_on_another_device(folder: Folder, mounted: Mount) -> None:
    reports = mounted(folder.root / "elsewhere" / "reports", "size=16m")
    folder.run("-n2", "--training-reports", str(reports)).counted(passed=2)
    assert folder.report("elsewhere/reports")["training"]["totals"] == {"passed": 2}


def history(folder: Folder) -> Path:
    path = folder.root / "reports" / "history.sqlite"
    path.parent.mkdir()
    return path


def test_a_locked_history_lets_the_run_go_on_and_is_told(folder: Folder) -> None:
    path = history(folder)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        ended = folder.run()
    finally:
        connection.close()
    ended.counted(passed=2)
    assert ended.status == pytest.ExitCode.OK
    assert "history.sqlite is locked by another program for more than 5 s" in ended.text
    assert folder.report()["training"]["problems"]


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + bytes(4080)])
def test_a_corrupt_history_is_set_aside_and_a_new_one_begins(folder: Folder, content: bytes) -> None:
    path = history(folder)
    path.write_bytes(content)
    ended = folder.run()
    ended.counted(passed=2)
    assert "is no readable history" in ended.text
    (kept,) = path.parent.glob("history.sqlite.corrupt-*")
    assert kept.read_bytes() == content
    assert recorded(path) == 2


def test_a_history_of_a_newer_schema_is_left_as_it_is(folder: Folder) -> None:
    path = history(folder)
    folder.run().counted(passed=2)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    ended = folder.run()
    ended.counted(passed=2)
    assert "has schema 99 of a newer pytest-training" in ended.text
    assert path.read_bytes() == before


def test_on_a_file_system_without_locks_there_is_no_history_and_the_run_says_so(folder: Folder, shim: str) -> None:
    ended = folder.run("-n2", environment={"LD_PRELOAD": shim, "WORLD_NO_LOCKS": "1"})
    ended.counted(passed=2)
    assert "is not in the history" in ended.text
    assert folder.report()["training"]["totals"] == {"passed": 2}


def recorded(path: Path) -> int:
    """Return how many outcomes a history has."""
    connection = sqlite3.connect(path)
    try:
        (count,) = connection.execute("SELECT count(*) FROM outcomes").fetchone()
        return int(count)
    finally:
        connection.close()


def test_two_runs_at_once_in_one_folder_do_not_harm_each_other(folder: Folder) -> None:
    folder.job("one", "import time\n\n\ndef train(run):\n    time.sleep(1)\n    return {'score': 1.0}\n")
    runs = [folder.begin("-n2"), folder.begin()]
    for ended in folder.end_all(*runs):
        ended.counted(passed=2)
    assert recorded(folder.root / "reports" / "history.sqlite") == 4
    assert len(list((folder.root / "reports" / "runs").iterdir())) == 2
    assert folder.report()["training"]["totals"] == {"passed": 2}
