"""Tests of reporting/junit.py: what CI systems find as properties, and that any of it is valid XML."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import execnet
import msgspec
from hypothesis import given
from hypothesis import strategies as st
from made_runs import make_run

from pytest_training.execution.outcome import DataUsed, GateResult, Outcome, Status
from pytest_training.jobs.model import Gate
from pytest_training.records.recorded_run import read_run
from pytest_training.records.run_record import BegunRun
from pytest_training.reporters.junit import complete, junit_properties

any_text = st.text(st.characters(codec=None))


def outcome(**changes: Any) -> Outcome:
    known = {"job_id": "als", "kind": "function", "title": "ALS", "status": Status.PASSED, "wall_s": 3.2119}
    return Outcome(**{**known, **changes})


def test_metrics_parameters_gates_data_and_seed_are_properties() -> None:
    gate = Gate(metric="r2", operator=">=", threshold=0.1)
    properties = dict(
        junit_properties(
            outcome(
                parameters={"epochs": 5, "solver": "adam", "layers": [8, 4], "verbose": False},
                metrics={"r2": 0.30000000000000004},
                gates=(GateResult(gate=gate, found=0.3, passed=True),),
                data=(DataUsed(name="csf", real=True, sha256=None, path="/csf"),),
                seed=7,
                slot="gw1",
            )
        )
    )
    assert properties == {
        "job": "als",
        "kind": "function",
        "title": "ALS",
        "status": "passed",
        "seed": "7",
        "dataset": "csf",
        "data": "real",
        "parameter.epochs": "5",
        "parameter.solver": "adam",
        "parameter.layers": "[8, 4]",
        "parameter.verbose": "false",
        "metric.r2": "0.30000000000000004",
        "gate.r2": ">= 0.1, found 0.3: passed",
        "attempts": "0",
        "wall_s": "3.212",
        "waiting_s": "0.0",
        "cpu_s": "0.0",
        "slot": "gw1",
        "threads": "1",
    }


def test_simulated_data_and_reasons_are_named() -> None:
    simulated = DataUsed(name="cohort", real=False, sha256=None, path="")
    properties = dict(
        junit_properties(outcome(status=Status.FAILED, cause="crash", reason="killed by SIGSEGV", data=(simulated,)))
    )
    assert properties["data"] == "simulated"
    assert properties["cause"] == "crash"
    assert properties["reason"] == "killed by SIGSEGV"


def test_two_gates_on_one_metric_are_both_properties() -> None:
    gates = [Gate(metric="r2", operator=">=", threshold=0.1), Gate(metric="r2", operator="<=", threshold=0.9)]
    results = tuple(GateResult(gate=gate, found=0.3, passed=True) for gate in gates)
    found = [value for name, value in junit_properties(outcome(gates=results)) if name == "gate.r2"]
    assert found == [">= 0.1, found 0.3: passed", "<= 0.9, found 0.3: passed"]


@given(any_text, any_text, st.dictionaries(any_text, any_text | st.floats() | st.integers()))
def test_any_text_of_a_job_is_valid_xml_and_crosses_from_a_worker(
    title: str, reason: str, parameters: dict[str, Any]
) -> None:
    properties = junit_properties(outcome(title=title, reason=reason, parameters=parameters))
    root = ET.Element("properties")
    for name, value in properties:
        ET.SubElement(root, "property", name=name, value=value)
    ET.fromstring(ET.tostring(root, encoding="utf-8"))  # noqa: S314  (written one line above)
    execnet.dumps(properties)
    assert max(len(value) for _, value in properties) <= 500


def test_jobs_that_pytest_did_not_report_count_once_whatever_became_of_them(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path, jobs=10, epochs=1))
    nodes = {each.job_id: each.job_id for each in run.outcomes}
    run = msgspec.structs.replace(run, begun=BegunRun.now("1", (), nodes, ()))
    content = (
        b'<testsuites><testsuite tests="1" failures="0"><testcase classname="c" name="t" /></testsuite></testsuites>'
    )
    (suite,) = ET.fromstring(complete(content, run, lambda node: ("c", node)))  # noqa: S314  (just written)
    failed = sum(each.status == Status.FAILED for each in run.outcomes)
    assert 0 < failed < len(nodes)
    assert (suite.get("tests"), suite.get("failures")) == (str(1 + len(nodes)), str(failed))
    assert len(suite.findall("testcase")) == 1 + len(nodes)
