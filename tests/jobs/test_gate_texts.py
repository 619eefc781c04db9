"""Gates as text."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_training.errors import DeclarationError
from pytest_training.jobs.gates import parse_gates
from pytest_training.jobs.model import Gate

from .project import message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (">= 0.85", [(">=", 0.85)]),
        ("<1e-3", [("<", 0.001)]),
        (" == -2. ", [("==", -2.0)]),
        ("> .5, <= 0.95", [(">", 0.5), ("<=", 0.95)]),
        ([">= 0.6", "<= 0.95"], [(">=", 0.6), ("<=", 0.95)]),
    ],
)
def test_gates_are_parsed(text: object, expected: list[tuple[str, float]]) -> None:
    assert [(gate.operator, gate.threshold) for gate in parse_gates("r2", text, "here")] == expected


@pytest.mark.parametrize(
    "text", ["", "0.85", "=> 1", "= 1", "!= 1", ">=", ">= high", ">= 1 2", ">= 1,", "> 1_0", "> ٣"]
)
def test_what_is_no_gate_is_an_error_that_shows_one(text: str) -> None:
    assert message(lambda: parse_gates("r2", text, "here:3")).startswith(
        "here:3: gate of 'r2': expected one of >= <= > < == and a number, like '>= 0.85', found "
    )


@pytest.mark.parametrize("text", [">= nan", "<= inf", "> -inf", ">= .inf", "< 1e999"])
def test_a_threshold_must_be_finite(text: str) -> None:
    assert message(lambda: parse_gates("r2", text, "here")) == (
        f"here: gate of 'r2': expected a finite threshold, found {text!r}"
    )


def test_gates_that_no_number_can_satisfy_are_an_error() -> None:
    assert message(lambda: parse_gates("r2", ">= 0.9, <= 0.1", "here")) == (
        "here: gate of 'r2': no number is both at least 0.9 and at most 0.1"
    )


@pytest.mark.parametrize(("text", "meant"), [("<= 10%", "<= 0.1"), ("90 %", ">= 0.9"), ("=> 90", ">= 90")])
def test_the_gate_that_was_meant_is_shown(text: str, meant: str) -> None:
    assert message(lambda: parse_gates("r2", text, "here")).endswith(f"did you mean '{meant}'?")


@pytest.mark.parametrize("value", [None, 3, True, [], [1], {}, [[]]])
def test_other_types_are_an_error(value: object) -> None:
    assert "expected one of >= <= > < ==" in message(lambda: parse_gates("r2", value, "here"))


@given(st.one_of(st.text(), st.from_regex(r"[<>=]{1,2} ?-?[0-9.e]+(, ?[<>=]{1,2} ?[0-9.]+)?")))
def test_any_text_is_a_gate_or_a_declaration_error(text: str) -> None:
    with contextlib.suppress(DeclarationError):
        assert all(isinstance(gate, Gate) for gate in parse_gates("r2", text, "here"))
