"""Gates as text: `>= 0.85`, or several that must all hold: `>= 0.6, <= 0.95`."""

from __future__ import annotations

import math
import re
from typing import Any, Literal, cast

from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import Gate
from pytest_training.wording import shown

Operator = Literal[">=", "<=", ">", "<", "=="]

_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?"
_GATE = re.compile(rf"(>=|<=|==|>|<)\s*(?:({_NUMBER})|[-+]?\.?(?:nan|inf|infinity))", re.IGNORECASE)


def parse_gates(metric: str, text: Any, where: str) -> tuple[Gate, ...]:
    """Return the gates that a text, or a list of texts, sets for a metric."""
    parts = text.split(",") if isinstance(text, str) else text
    if not isinstance(parts, list | tuple) or not parts:
        raise _bad(metric, text, where)
    gates = tuple(_gate(metric, part, where) for part in parts)
    _check_possible(metric, gates, where)
    return gates


def _gate(metric: str, text: Any, where: str) -> Gate:
    match = _GATE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise _bad(metric, text, where)
    threshold = float(match[2] or math.nan)
    if not math.isfinite(threshold):
        raise DeclarationError(f"{where}: gate of {metric!r}: expected a finite threshold, found {shown(text)}")
    return Gate(metric=metric, operator=cast("Operator", match[1]), threshold=threshold)


def _bad(metric: str, text: Any, where: str) -> DeclarationError:
    return DeclarationError(
        f"{where}: gate of {metric!r}: expected one of >= <= > < == and a number, like '>= 0.85', found {shown(text)}"
    )


def _check_possible(metric: str, gates: tuple[Gate, ...], where: str) -> None:
    lowest = max((gate.threshold for gate in gates if gate.operator in {">=", ">", "=="}), default=-math.inf)
    highest = min((gate.threshold for gate in gates if gate.operator in {"<=", "<", "=="}), default=math.inf)
    if lowest > highest:
        raise DeclarationError(
            f"{where}: gate of {metric!r}: no number is both at least {lowest:g} and at most {highest:g}"
        )
