"""Nothing that a job prints can move the cursor, and columns are aligned."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_training.text import (
    cells,
    clean_line,
    clean_lines,
    fit,
    one_line,
    table,
    xml_text,
)

any_text = st.text(st.characters(codec=None))
hostile = st.lists(st.sampled_from(["\x1b[", "\x1b]", "\x9b", "2J", "0;t", "\x07", "\r", "\n", "a", "\u202e"])).map(
    "".join
)


@given(any_text | hostile)
def test_a_clean_line_cannot_control_a_terminal(text: str) -> None:
    for cleaned in (clean_line(text), one_line(text), *clean_lines(text)):
        assert len(cleaned) <= 500
        assert not {unicodedata.category(character) for character in cleaned} & {"Cc", "Cs", "Zl", "Zp"}
        assert not set(cleaned) & set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(any_text | hostile)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean_line(clean_line(text)) == clean_line(text)


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m and plain", "red and plain"),
        ("\x1b[2J\x1b[Hcleared", "cleared"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("\x1bcreset", "reset"),
        ("bell\a back\b nul\0", "bell back nul"),
        ("10%\r50%\r100%\r\n", "100%"),
        ("a\tb", "a   b"),
        ("Lähmung, 筋萎縮 🧠", "Lähmung, 筋萎縮 🧠"),
        ("\ud800 surrogate", " surrogate"),
        ("txt\u202egpj", "txtgpj"),
    ],
)
def test_what_is_left_of_a_printed_line(printed: str, shown: str) -> None:
    assert clean_line(printed) == shown


@pytest.mark.parametrize("line", ["x" * 50_000_000, "x\r" * 25_000_000, "\x1b[" * 10_000_000])
def test_a_line_of_many_megabytes_is_cut_without_being_read_whole(line: str) -> None:
    begun = time.process_time()
    assert len(clean_line(line)) <= 500
    assert time.process_time() - begun < 1


def test_of_very_many_lines_first_and_last_are_kept() -> None:
    lines = clean_lines("\n".join(map(str, range(1000))), first=2, last=3)
    assert lines == ["0", "1", "… 995 lines left out …", "997", "998", "999"]
    assert clean_lines(["a", "b", "c"], first=1, last=1) == ["a", "b", "c"]


@given(any_text, st.integers(min_value=1, max_value=80))
def test_a_fitted_text_takes_no_more_columns_than_allowed(text: str, columns: int) -> None:
    assert cells(fit(text, columns)) <= columns


def test_wide_letters_take_two_columns_and_accents_none() -> None:
    assert cells("筋萎縮") == 6
    assert cells("e\u0301") == 1
    assert fit("筋萎縮", 5) == "筋萎…"


def test_columns_are_aligned_by_what_a_terminal_shows() -> None:
    assert table(("name", "found"), [("筋", "1"), ("long name", "")]) == [
        "name       found",
        "筋         1",
        "long name",
    ]


def test_text_for_xml_holds_only_what_xml_allows() -> None:
    assert xml_text("a\x1b\0b\ud800\ufffe\n🧠<&") == "a\ufffd\ufffdb\ufffd\ufffd\n🧠<&"
    assert len(xml_text("x" * 10_000)) == 500
