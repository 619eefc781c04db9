"""What junit.xml says of a job beyond pytest's own: properties that CI systems show and compare."""

import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from pytest_training.atomic import write_atomically
from pytest_training.execution.job_files import log_end
from pytest_training.execution.outcome import GateResult, Outcome, Status
from pytest_training.pytest_adapter import junit_case, switch_junit_off, switch_junit_on
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.records.strict_json import encode
from pytest_training.reporters.console import sentence, unjudged
from pytest_training.text import home_pattern, without_home, xml_text

NAME_LIMIT = 200
LOG_LINES = 100  # of a job's log
SYSTEM_OUT_LIMIT = 32_000  # characters; viewers load the whole file
VERDICTS = {"failure", "error", "skipped"}


class Reporter:
    """Completes pytest's JUnit report, and writes it to the run folder and to its stable name."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.xml: Any = None  # pytest's LogXML, once the run has begun; None if it is off

    def pytest_training_run_start(self, run: TrainingRun) -> None:
        """Switch pytest's report on."""
        self.xml = switch_junit_on(self.config, run.folder.path)
        if self.xml is None:
            run.problems.append("junit.xml is not written: junitxml is off")

    def pytest_training_run_end(self, run: TrainingRun) -> None:
        """Complete the report; a file that the user named gets the same content."""
        if run.record is None:
            switch_junit_off(self.config)
        if run.record is None or self.xml is None or not (path := Path(self.xml.logfile)).exists():
            return
        named, stable = [path] if self.config.option.xmlpath else [], run.folder.stable.copy_of(run.folder.junit)
        content = complete(path.read_bytes(), run, partial(junit_case, self.xml))
        with run.noting_failure("junit.xml"):
            try:
                for place in (run.folder.junit, stable, *named):
                    write_atomically(place, content)
            except OSError as error:
                self.xml.logfile = f"none ({error.strerror})"  # pytest announces it
                raise
            if not named:
                with contextlib.suppress(OSError):  # a file in memory is gone with the process
                    path.unlink()
                self.xml.logfile = str(stable)


def complete(content: bytes, run: TrainingRun, case_of: Callable[[str], tuple[str, str]]) -> bytes:
    """Return the report with properties and log of each job, and with a case of each job that did not end."""
    root = ET.fromstring(content)  # noqa: S314  (pytest has just written it)
    suite = next(root.iter("testsuite"))
    for nameless in [case for case in suite.iter("testcase") if "name" not in case.attrib]:
        suite.remove(nameless)  # pytest has seen its setup only
    cases = {(case.get("classname", ""), case.get("name", "")): case for case in suite.iter("testcase")}
    outcomes = {outcome.job_id: outcome for outcome in run.outcomes}
    for nodeid, job_id in run.nodes.items():
        classname, name = place = case_of(nodeid)
        if place not in cases:
            cases[place] = ET.SubElement(suite, "testcase", classname=classname, name=name)
        _complete_case(cases[place], outcomes[job_id], suite, run.folder.path)
    suite.set("tests", str(len(cases)))
    suite.attrib.pop("hostname", None)
    _leave_home_out(suite)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _leave_home_out(suite: ET.Element) -> None:
    """Write `~` for the user's home folder, but in parameters: they are recorded as they were."""
    home = home_pattern()
    for element in suite.iter():
        if not element.get("name", "").startswith("parameter."):
            element.text = without_home(element.text, home) if element.text else element.text
            for name, value in element.items():
                element.set(name, without_home(value, home))


def _complete_case(case: ET.Element, outcome: Outcome, suite: ET.Element, folder: Path) -> None:
    case.set("time", f"{outcome.wall_s:.3f}")  # the training alone: without waiting for a slot and the set-up
    if (properties := case.find("properties")) is None:
        properties = ET.Element("properties")
        case.insert(0, properties)
    for name, value in junit_properties(outcome):
        ET.SubElement(properties, "property", name=name, value=value)
    if outcome.status != Status.PASSED and VERDICTS.isdisjoint(child.tag for child in case):
        _add_verdict(case, outcome, suite)
    if lines := log_end(folder / outcome.log, LOG_LINES) if outcome.log else []:
        ET.SubElement(case, "system-out").text = xml_text("\n".join(lines)[-SYSTEM_OUT_LIMIT:], SYSTEM_OUT_LIMIT)


def _add_verdict(case: ET.Element, outcome: Outcome, suite: ET.Element) -> None:
    """Add the end of a job that pytest did not report: interrupted, never begun, or its worker died."""
    reason, is_skip = xml_text(sentence(outcome)), outcome.status in {Status.NOT_RUN, Status.SKIPPED}
    tag, count = ("skipped", "skipped") if is_skip else ("failure", "failures")
    ET.SubElement(case, tag, {"type": "pytest.skip"} if is_skip else {}, message=reason).text = reason
    suite.set(count, str(int(suite.get(count, "0")) + 1))


def junit_properties(outcome: Outcome) -> list[tuple[str, str]]:
    """Return name and value of each property of a job, as XML may hold them."""
    properties = [
        ("job", outcome.job_id),
        ("kind", outcome.kind),
        ("title", outcome.title),
        ("status", outcome.status.value),  # a plain str: execnet sends no other
        ("cause", outcome.cause),
        ("reason", outcome.reason),
        ("seed", outcome.seed),
        ("dataset", ", ".join(dataset.name for dataset in outcome.data)),
        ("data", outcome.data_origin),
        *((f"parameter.{name}", value) for name, value in outcome.parameters.items()),
        *((f"metric.{name}", value) for name, value in outcome.metrics.items()),
        *((f"gate.{result.gate.metric}", _gate(result)) for result in outcome.gates),
        ("attempts", len(outcome.attempts)),
        ("wall_s", round(outcome.wall_s, 3)),
        ("waiting_s", round(outcome.waiting_s, 3)),
        ("cpu_s", round(outcome.cpu_s, 3)),
        ("peak_memory_mb", outcome.peak_memory_mb),
        ("slot", outcome.slot),
        ("host", outcome.host),
        ("threads", outcome.threads),
    ]
    return [(xml_text(name, NAME_LIMIT), _value(value)) for name, value in properties if value not in (None, "")]


def _gate(result: GateResult) -> str:
    value = result.found if result.found is not None else "nothing"
    verdict = unjudged(result) or ("passed" if result.passed else "failed")
    return f"{result.gate.operator} {result.gate.threshold!r}, found {value}: {verdict}"


def _value(value: Any) -> str:
    words = value if isinstance(value, str) else repr(value) if isinstance(value, float) else encode(value).decode()
    return xml_text(words)
