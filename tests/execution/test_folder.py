"""Tests of execution/folder.py and atomic.py: paths stay inside the run folder, files are whole or not there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_training.atomic import write_atomically
from pytest_training.errors import TrainingError
from pytest_training.execution.folder import (
    RunFolder,
    new_run_id,
    seconds_between,
    utc_now,
)


def test_write_replaces_the_old_content_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "result.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_write_that_fails_keeps_what_was_there_and_leaves_no_part(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match=rf": '{tmp_path / 'taken'}'$"):
        write_atomically(tmp_path / "taken", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_write_replaces_a_symbolic_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "link").is_symlink()


def test_write_takes_the_longest_name_that_a_file_system_has(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_atomically(path, b"content")
    assert path.read_bytes() == b"content"


def test_run_ids_are_never_equal_and_sort_by_time() -> None:
    at_once = [new_run_id() for _ in range(20)]
    assert len(set(at_once)) == len(at_once)
    one_after_another = []
    for _ in range(200):
        one_after_another.append(new_run_id())
        before = datetime.now(UTC)
        while datetime.now(UTC) == before:
            pass
    assert one_after_another == sorted(one_after_another)


def test_duration_is_zero_when_the_clock_was_set_back() -> None:
    earlier, later = "2026-01-01T10:00:00.000+00:00", "2026-01-01T10:00:02.500+00:00"
    assert seconds_between(earlier, later) == 2.5
    assert seconds_between(later, earlier) == 0.0
    assert seconds_between(utc_now(), utc_now()) >= 0.0


@pytest.mark.parametrize("job_id", ["../x", "../../x", "/etc/x", "", ".", "a/../..", "a/../../../x"])
def test_job_id_that_would_leave_the_run_folder_is_refused(tmp_path: Path, job_id: str) -> None:
    with pytest.raises(TrainingError, match="expected a name inside the run folder"):
        RunFolder(tmp_path, "r1").job(job_id)


def test_job_in_a_subfolder_has_its_folder_there(tmp_path: Path) -> None:
    assert RunFolder(tmp_path, "r1").job("d1/a").path == tmp_path / "runs" / "r1" / "jobs" / "d1" / "a"


def test_next_attempt_is_the_first_number_that_is_free(tmp_path: Path) -> None:
    files = RunFolder(tmp_path, "r1").job("als")
    assert files.next_attempt() == 1
    files.attempt(1).create()
    files.attempt(2).create()
    assert files.next_attempt() == 3


def test_attempt_never_takes_a_folder_that_exists(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "r1").job("als").attempt(1)
    folder.create()
    with pytest.raises(FileExistsError):
        folder.create()


def test_a_report_has_one_name_in_its_run_and_as_the_latest(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "r")
    assert folder.page == tmp_path / "runs" / "r" / "index.html"
    assert folder.stable.copy_of(folder.page) == tmp_path / "index.html"
    assert folder.stable.history == tmp_path / "history.sqlite"
