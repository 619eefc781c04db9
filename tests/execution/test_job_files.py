"""A job's files are read with suspicion: through no link, in bounds, and as what they should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_training.execution.job_files import END_BYTES, log_end, open_own, read_json


def test_the_end_of_a_log_is_clean_and_says_that_there_is_more(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("first\n\x1b[31msecond\x1b[0m\n10 %\r90 %\n")
    assert log_end(log, 3) == ["first", "second", "90 %"]
    assert log_end(log, 2) == ["… the log has more before this …", "second", "90 %"]
    log.write_bytes(b"x" * (END_BYTES + 1) + b"\nlast\n")
    assert log_end(log, 9)[0] == "… the log has more before this …"
    assert log_end(log, 9)[-1] == "last"


def test_json_that_is_missing_linked_or_something_else_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "value.json").write_text('{"a": 1}')
    (tmp_path / "link.json").symlink_to(tmp_path / "value.json")
    assert read_json(tmp_path / "value.json", dict[str, int]) == {"a": 1}
    assert read_json(tmp_path / "value.json", list[int]) is None
    assert read_json(tmp_path / "link.json", dict[str, int]) is None
    assert read_json(tmp_path / "none.json", dict[str, int]) is None


def test_a_folder_and_a_name_with_a_nul_are_no_files(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "a\0b"):
        with pytest.raises(OSError, match=r"is no file$"):
            open_own(path)
