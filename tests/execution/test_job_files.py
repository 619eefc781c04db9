"""Tests of execution/job_files.py: no link is followed, and no file is waited for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.execution.attempt.messages import Failure
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.job_files import artifacts, log_tail
from pytest_training.execution.outcome import Outcome, Status

pytestmark = pytest.mark.timeout(30)  # a pipe in place of a file must not make anybody wait


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    folder = AttemptFolder(tmp_path / "runs" / "attempt-1")
    folder.create()
    return folder


# log.txt


def test_the_last_lines_of_a_huge_log_are_read_without_the_rest(folder: AttemptFolder) -> None:
    with folder.log.open("wb") as log:
        log.truncate(200 * 2**20)
        log.seek(0, os.SEEK_END)
        log.write(b"\n" + b"".join(b"line %d\n" % number for number in range(100)))
    assert log_tail(folder.log) == tuple(f"line {number}" for number in range(80, 100))


def test_a_log_of_any_bytes_has_a_tail_that_can_be_written_down(folder: AttemptFolder) -> None:
    folder.log.write_bytes(b"\xff\x00 no end of line \xed\xa0\x80")
    (line,) = log_tail(folder.log)
    assert "no end of line" in line
    msgspec.json.encode(line)


def test_the_traceback_at_the_end_of_the_log_is_left_out(folder: AttemptFolder) -> None:
    traceback = "Traceback (most recent call last):\nValueError: no\n"
    folder.log.write_text("epoch 1\n" + traceback)
    assert log_tail(folder.log, without=Failure(cause="error", message="no", traceback=traceback)) == ("epoch 1",)


def test_a_log_that_became_a_link_a_pipe_or_a_folder_has_no_tail(folder: AttemptFolder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password")
    folder.log.symlink_to(tmp_path / "secret")
    assert log_tail(folder.log) == ()
    folder.log.unlink()
    os.mkfifo(folder.log)
    assert log_tail(folder.log) == ()
    folder.log.unlink()
    folder.log.mkdir()
    assert log_tail(folder.log) == ()


# artifacts


def test_artifacts_are_all_files_below_the_folder_and_no_links(folder: AttemptFolder, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").touch()
    (folder.artifacts / "fold").mkdir()
    (folder.artifacts / "fold" / "b.npy").touch()
    (folder.artifacts / "a.json").touch()
    (folder.artifacts / "link").symlink_to(tmp_path / "outside")
    (folder.artifacts / "secret").symlink_to(tmp_path / "outside" / "secret")
    (folder.artifacts / "loop").symlink_to(folder.artifacts)
    assert artifacts(folder.artifacts) == ("a.json", "fold/b.npy")


def test_a_folder_of_artifacts_that_became_a_link_has_none(folder: AttemptFolder, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").touch()
    folder.artifacts.rmdir()
    folder.artifacts.symlink_to(tmp_path / "outside")
    assert artifacts(folder.artifacts) == ()


def test_a_file_name_that_is_no_utf_8_can_still_be_reported(folder: AttemptFolder) -> None:
    Path(os.fsdecode(os.fsencode(folder.artifacts) + b"/sc\xffres.json")).touch()
    found: Any = artifacts(folder.artifacts)
    outcome = Outcome(job_id="als", kind="function", title="", status=Status.PASSED, artifacts=found)
    assert b"res.json" in msgspec.json.encode(outcome)
