"""Reads the texts of gates, like `>= 0.85`."""

import math
import re
from typing import Any, cast

from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import Gate, Operator
from pytest_training.wording import describe

_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?"
_MEANT = {"=>": ">=", "=<": "<=", "=": "==", "≥": ">=", "≤": "<=", "===": "=="}
_NEARLY = re.compile(rf"(=>|=<|>=|<=|===|==|=|≥|≤|>|<|)\s*({_NUMBER})\s*(%?)", re.IGNORECASE)
_GATE = re.compile(rf"(>=|<=|==|>|<)\s*(?:({_NUMBER})|[-+]?\.?(?:nan|inf|infinity))", re.IGNORECASE)


def parse_gates(metric: str, text: Any, where: str) -> tuple[Gate, ...]:
    """Return the gates that a text, or a list of texts, sets for a metric."""
    parts = text.split(",") if isinstance(text, str) else text
    if not isinstance(parts, list | tuple) or not parts:
        parts = [text]  # an error
    place = f"{where}: gate of {metric!r}"
    gates = tuple(_gate(metric, part, place) for part in parts)
    lowest = max((gate.threshold for gate in gates if gate.operator in {">=", ">", "=="}), default=-math.inf)
    highest = min((gate.threshold for gate in gates if gate.operator in {"<=", "<", "=="}), default=math.inf)
    if lowest > highest:
        raise DeclarationError(f"{place}: no number is both at least {lowest:g} and at most {highest:g}")
    return gates


def _gate(metric: str, text: Any, place: str) -> Gate:
    if (match := _GATE.fullmatch(text.strip()) if isinstance(text, str) else None) is None:
        raise DeclarationError(
            f"{place}: expected one of >= <= > < == and a number, like '>= 0.85', found {describe(text)}{_meant(text)}"
        )
    threshold = float(match[2] or math.nan)
    if not math.isfinite(threshold):
        raise DeclarationError(f"{place}: expected a finite threshold, found {describe(text)}")
    return Gate(metric=metric, operator=cast("Operator", match[1]), threshold=threshold)


def _meant(text: Any) -> str:
    """Return `: did you mean '>= 0.5'?` for a number alone, and for signs that other languages have."""
    if (match := _NEARLY.search(str(text)) if isinstance(text, str | int | float) else None) is None:
        return ""
    number = f"{float(match[2]) / 100:g}" if match[3] else match[2]  # per cent are shares
    return f": did you mean '{_MEANT.get(match[1], match[1] or '>=')} {number}'?"
