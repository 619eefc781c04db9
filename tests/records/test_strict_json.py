"""Tests of records/strict_json.py: whatever it is given, every JSON reader accepts what comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_training.jobs.model import Gate
from pytest_training.records.strict_json import encode, plain

anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.text(st.characters(codec=None)),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)) | st.integers() | st.none(), inner)
    ),
)


def refuse(constant: str) -> NoReturn:
    raise AssertionError(constant)


def decode(written: bytes) -> Any:
    return json.loads(written.decode("utf-8"), parse_constant=refuse)


@given(anything)
def test_any_value_becomes_json_that_a_strict_reader_accepts(value: Any) -> None:
    assert decode(encode(value)) == plain(value)


@given(anything)
def test_what_is_plain_stays_as_it_is(value: Any) -> None:
    assert plain(plain(value)) == plain(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        (10**4000, None),
        (True, True),
        ("a\ud800b", "a?b"),
        ({1: (2, 3)}, {"1": [2, 3]}),
        (Path("a/b"), "a/b"),
        (
            Gate(metric="r2", operator=">=", threshold=0.1),
            {"metric": "r2", "operator": ">=", "threshold": 0.1, "against": None, "earlier": None, "unjudged": ""},
        ),
    ],
)
def test_values_that_json_lacks_are_replaced(value: Any, written: Any) -> None:
    assert decode(encode(value)) == written


def test_a_value_that_contains_itself_ends() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert encode(endless).startswith(b"[[[[")
