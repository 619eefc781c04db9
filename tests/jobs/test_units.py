"""Durations and sizes."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_training.errors import DeclarationError
from pytest_training.units import distinct, duration, number, parse_duration, parse_size, size

from .project import message


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1d", 86400),
        ("1.5h", 5400),
        ("45", 45),
        ("45\x1f", 45),
        (45, 45),
        (0.5, 0.5),
    ],
)
def test_durations(value: object, seconds: float) -> None:
    assert parse_duration(value, "here") == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "5x",
        "m",
        "30m1h",
        "1h1h",
        "-5s",
        "0s",
        "1 h",
        0,
        -1,
        True,
        None,
        [],
        math.nan,
        math.inf,
        "9" * 400 + "s",
        10**400,
    ],
)
def test_what_is_no_duration_is_an_error(value: object) -> None:
    assert message(lambda: parse_duration(value, "here")).startswith(
        "here: expected a duration like 90s, 15m or 2h, found "
    )


@pytest.mark.parametrize(
    ("value", "size_mb"),
    [
        ("512MB", 512e6 / 2**20),
        ("4GB", 4e9 / 2**20),
        ("1.5GiB", 1536),
        ("2 MiB", 2),
        ("1tib", 2**20),
        ("1024KiB", 1),
    ],
)
def test_sizes_are_in_mebibytes(value: str, size_mb: float) -> None:
    assert parse_size(value, "here") == pytest.approx(size_mb)


@pytest.mark.parametrize("value", ["", "4", 4, "4G", "GB", "-1GB", "0GB", "1e3GB", True, None, "9" * 400 + "GB"])
def test_what_is_no_size_is_an_error(value: object) -> None:
    assert message(lambda: parse_size(value, "here")).startswith(
        "here: expected a size like 512MB, 4GB or 1.5GiB, found "
    )


@given(st.one_of(st.text(), st.from_regex(r"([0-9.]{1,4}[dhms]){1,3}"), st.integers(), st.floats()))
def test_any_value_is_a_duration_or_a_declaration_error(value: object) -> None:
    with contextlib.suppress(DeclarationError):
        assert 0 < parse_duration(value, "here") < math.inf


@given(st.one_of(st.text(), st.from_regex(r"[0-9.]{1,9} ?[kMGT]i?B")))
def test_any_value_is_a_size_or_a_declaration_error(value: object) -> None:
    with contextlib.suppress(DeclarationError):
        assert 0 < parse_size(value, "here") < math.inf


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.8712, "0.871"),
        (0.0, "0"),
        (767.0, "767"),
        (12.345, "12.35"),
        (123.456, "123.5"),
        (-4321.5, "-4322"),
        (0.00003214, "3.21e-05"),
        (1e12, "1e+12"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_are_written_with_the_digits_that_matter(value: float, written: str) -> None:
    assert number(value) == written


def test_two_numbers_that_differ_are_written_differently() -> None:
    assert distinct(0.85, 0.8) == ("0.85", "0.8")
    assert distinct(0.85, 0.84999) == ("0.85", "0.84999")
    assert distinct(0.1 + 0.2, 0.3) == ("0.30000000000000004", "0.3")
    assert distinct(0.5, 0.5) == ("0.5", "0.5")


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0.00 s"),
        (0.034, "0.03 s"),
        (3.21, "3.2 s"),
        (59.99, "1 min"),
        (125, "2 min 05 s"),
        (3599.7, "1 h"),
        (7320, "2 h 02 min"),
        (0.42, "0.42 s"),
        (9.96, "10.0 s"),
        (90, "1 min 30 s"),
        (3600, "1 h"),
        (-1, "?"),
        (float("nan"), "?"),
        (float("inf"), "?"),
    ],
)
def test_durations_are_written_as_people_say_them(seconds: float, written: str) -> None:
    assert duration(seconds) == written


@pytest.mark.parametrize("text", ["4 GB", "1.5 GiB", "512 MB", "2 TiB", "12.34 kB"])
def test_sizes_for_people_are_those_that_were_written(text: str) -> None:
    assert size(parse_size(text, "here")) == text


def test_a_size_below_a_thousand_is_in_bytes() -> None:
    assert size(999 / 2**20) == "999 B"
