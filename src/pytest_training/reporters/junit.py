"""What junit.xml says of a job beyond pytest's own: properties that CI systems show and compare."""

from __future__ import annotations

from typing import Any

from pytest_training.execution.outcome import GateResult, Outcome
from pytest_training.records.strict_json import encode
from pytest_training.reporters.console import is_simulated
from pytest_training.text import xml_text

NAME_LIMIT = 200


def junit_properties(outcome: Outcome) -> list[tuple[str, str]]:
    """Return name and value of each property of a job, as XML may hold them."""
    found = [
        ("job", outcome.job_id),
        ("kind", outcome.kind),
        ("title", outcome.title),
        ("status", outcome.status.value),  # a plain str: execnet sends no other
        ("cause", outcome.cause),
        ("reason", outcome.reason),
        ("seed", outcome.seed),
        ("dataset", ", ".join(dataset.name for dataset in outcome.data)),
        ("data", _data_word(outcome)),
        *((f"parameter.{name}", value) for name, value in outcome.parameters.items()),
        *((f"metric.{name}", value) for name, value in outcome.metrics.items()),
        *((f"gate.{result.gate.metric}", _gate(result)) for result in outcome.gates),
        ("attempts", len(outcome.attempts)),
        ("wall_s", round(outcome.wall_s, 3)),
        ("cpu_s", round(outcome.cpu_s, 3)),
        ("peak_memory_mb", outcome.peak_memory_mb),
        ("slot", outcome.slot),
        ("threads", outcome.threads),
    ]
    return [(xml_text(name, NAME_LIMIT), _value(value)) for name, value in found if value not in (None, "")]


def _data_word(outcome: Outcome) -> str:
    if not outcome.data:
        return ""
    return "simulated" if is_simulated(outcome) else "real"


def _gate(result: GateResult) -> str:
    found = "nothing" if result.found is None else repr(result.found)
    verdict = "passed" if result.passed else "failed"
    return f"{result.gate.operator} {result.gate.threshold!r}, found {found}: {verdict}"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return xml_text(value)
    return xml_text(repr(value) if isinstance(value, float) else encode(value).decode())
