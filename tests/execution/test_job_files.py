"""A job's files are read with suspicion: through no link, in bounds, and as what they should be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_training.execution.attempt.messages import Failure
from pytest_training.execution.job_files import END_BYTES, log_end, log_tail, open_own, read_json
from pytest_training.text import final_lines


def test_the_end_of_a_log_is_clean_and_says_that_there_is_more(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("first\n\x1b[31msecond\x1b[0m\n10 %\r90 %\n")
    assert log_end(log, 3) == ["first", "second", "90 %"]
    assert log_end(log, 2) == ["… the log has more before this …", "second", "90 %"]
    log.write_bytes(b"x" * (END_BYTES + 1) + b"\nlast\n")
    assert log_end(log, 9)[0] == "… the log has more before this …"
    assert log_end(log, 9)[-1] == "last"


BARS = {
    "one bar": ("".join(f"\r{done}%|#  |" for done in range(101)) + "\n", ["100%|#  |"]),
    "a bar without a newline": ("\r 1%\r 2%", [" 2%"]),
    "a bar that is cleared": ("\r 99%\r    \rdone\n", ["done"]),
    "a bar as long as a log": ("".join(f"\r{done:>8}/99999" for done in range(100_000)) + "\n", ["   99999/99999"]),
    "bars below each other": (
        "\router 0%" + "".join(f"\n\rinner {done}%\x1b[A" for done in range(50)) + "\router 1%\n\n",
        ["outer 1%", "inner 49%"],
    ),
    "lines of Windows": ("one\r\ntwo\r\n", ["one", "two"]),
    "Keras": ("1/9\x08\x08\x08\r2/9 loss 0.4\n", ["2/9 loss 0.4"]),
    "no bar": ("one\n\ntwo\n", ["one", "", "two"]),
}


@pytest.mark.parametrize("name", BARS)
def test_a_progress_bar_is_one_line_of_a_log(tmp_path: Path, name: str) -> None:
    printed, shown = BARS[name]
    log = tmp_path / "log.txt"
    traceback = "Traceback (most recent call last):\n  File 'a'\nValueError: no\n"
    before = [f"before {number}" for number in range(15)]
    log.write_text("\n".join([*before, printed]))
    assert list(log_tail(log)) == [*before, *shown]
    log.write_text("\n".join([*before, printed + traceback]))
    assert list(log_tail(log, without=Failure(cause="error", message="", traceback=traceback))) == [*before, *shown]


@pytest.mark.parametrize(("frames", "shown"), [(3, 20), (30, 62), (200, 20)])
def test_a_traceback_at_the_end_of_a_programs_log_is_shown_from_its_first_frame(
    tmp_path: Path, frames: int, shown: int
) -> None:
    own = [
        "Traceback (most recent call last):",
        *(f'  File "{n}.py", line 1\n    call()' for n in range(frames)),
        "KeyError",
    ]
    log = tmp_path / "log.txt"
    log.write_text("\n".join([*(f"epoch {n}" for n in range(50)), *own, ""]))
    tail = log_tail(log)
    assert len(tail) == shown
    assert tail[-1] == "KeyError"
    assert (tail[0].startswith("Traceback")) is (frames == 30)


@given(st.text(alphabet="ab\r\n"))
def test_no_line_has_more_than_what_stands_after_its_last_carriage_return(text: str) -> None:
    lines = final_lines(text)
    assert len(lines) == text.count("\n") + 1
    for line, written in zip(lines, text.split("\n"), strict=True):
        states = [state for state in written.split("\r") if state]
        assert line == (states[-1] if states else "")


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
