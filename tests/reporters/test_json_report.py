"""Tests of reporting/json_report.py: every job is in the report with its true reason, in strict JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest

from pytest_training.execution.equipment import Machine
from pytest_training.execution.outcome import Attempt, DataUsed, GateResult, Outcome, Status
from pytest_training.jobs.model import Dataset, Gate, Job, Plan, PlannedJob
from pytest_training.records.run_record import Provenance, RunRecord
from pytest_training.reporters.json_report import JobMetadata, TrainingBlock, complete_report, write_report

RUN = RunRecord(
    run_id="r1",
    started="2026-01-01T10:00:00+00:00",
    ended="2026-01-01T10:00:10+00:00",
    seed=3,
    workers=2,
    exit_code=1,
    arguments=("-n", "2"),
    folder="runs/r1",
    problems=("the history is locked",),
)
PROVENANCE = Provenance(
    commit="c0ffee",
    branch="main",
    dirty=True,
    python="3.11.7",
    implementation="CPython",
    platform="Linux",
    machine=Machine(id="aaaaaaaaaaaa", system="Linux", architecture="x86_64", processor="", cpus=4, memory_gib=8.0),
    packages={"numpy": "2.1"},
    environment={"CI": "true"},
)
CSF = Dataset(name="csf", real=True, sha256="ab" * 32, license="CC BY 4.0", citation="Doe 2020")
COHORT = Dataset(name="cohort", real=False, simulated="cohorts:make")


def node(job_id: str) -> str:
    return f"test_training_jobs.py::test_training_job[{job_id}]"


def outcome(job_id: str = "als", **changes: Any) -> Outcome:
    known = Outcome(job_id=job_id, kind="function", title="ALS", status=Status.PASSED, wall_s=4.0)
    return msgspec.structs.replace(known, **changes)


def plan(*job_ids: str, data: tuple[str, ...] = ()) -> Plan:
    jobs = [Job(id=job_id, kind="function", source="train.py", home="/", root="/", data=data) for job_id in job_ids]
    return Plan(
        run_id="r1",
        seed=3,
        workers=2,
        threads=1,
        jobs=tuple(PlannedJob(job=job, expected_s=5.0, expected_from="history") for job in jobs),
        datasets=(CSF, COHORT),
    )


def entry(job_id: str, result: str = "passed", **phases: Any) -> dict[str, Any]:
    return {"nodeid": node(job_id), "lineno": 4, "outcome": result, **phases}


def phase(result: str = "passed", **more: Any) -> dict[str, Any]:
    return {"duration": 0.1, "outcome": result, **more}


def completed(
    tests: list[dict[str, Any]], *outcomes: Outcome, planned: Plan | None = None, **more: Any
) -> dict[str, Any]:
    json_report = {"tests": tests, "summary": {"collected": 99}, "exitcode": 1, **more}
    complete_report(
        json_report,
        run=RUN,
        outcomes={node(each.job_id): each for each in outcomes},
        plan=planned or plan(*(each.job_id for each in outcomes)),
        provenance=PROVENANCE,
    )
    return json_report


def only_test(json_report: dict[str, Any]) -> dict[str, Any]:
    (found,) = json_report["tests"]
    assert isinstance(found, dict)
    return found


def test_each_job_has_metadata_with_paths_relative_to_the_reports_folder() -> None:
    gate = GateResult(gate=Gate(metric="r2", operator=">=", threshold=0.1), found=0.3, passed=True)
    trained = outcome(
        parameters={"epochs": 5},
        metrics={"r2": 0.3},
        gates=(gate,),
        seed=3,
        slot="gw1",
        cpu_s=3.5,
        peak_memory_mb=120.5,
        attempts=(Attempt(number=1, status=Status.PASSED, folder="jobs/als/attempt-1"),),
        log="jobs/als/attempt-1/log.txt",
        artifacts=("jobs/als/attempt-1/artifacts/model.skops",),
    )
    metadata = only_test(completed([entry("als", call=phase())], trained))["metadata"]
    assert metadata["id"] == "als"
    assert metadata["parameters"] == {"epochs": 5}
    assert metadata["metrics"] == {"r2": 0.3}
    assert metadata["gates"] == [
        {
            "gate": {
                "metric": "r2",
                "operator": ">=",
                "threshold": 0.1,
                "against": None,
                "earlier": None,
                "unjudged": "",
            },
            "found": 0.3,
            "passed": True,
            "difference": None,
        }
    ]
    assert (metadata["seed"], metadata["worker"], metadata["expected_s"]) == (3, "gw1", 5.0)
    assert (metadata["wall_s"], metadata["cpu_s"], metadata["peak_memory_mb"]) == (4.0, 3.5, 120.5)
    assert metadata["attempts"][0]["folder"] == "runs/r1/jobs/als/attempt-1"
    assert metadata["log"] == "runs/r1/jobs/als/attempt-1/log.txt"
    assert metadata["artifacts"] == ["runs/r1/jobs/als/attempt-1/artifacts/model.skops"]
    assert metadata["schema_version"] == 1


def test_datasets_tell_whether_they_are_real_simulated_and_opened() -> None:
    opened = DataUsed(name="csf", real=True, sha256="ab" * 32, path="/secret/home/csf.csv")
    report = completed(
        [entry("als", call=phase())], outcome(data=(opened,)), planned=plan("als", data=("csf", "cohort"))
    )
    csf, cohort = only_test(report)["metadata"]["datasets"]
    assert csf == {
        "name": "csf",
        "real": True,
        "simulated": False,
        "opened": True,
        "sha256": "ab" * 32,
        "license": "CC BY 4.0",
        "citation": "Doe 2020",
    }
    assert (cohort["name"], cohort["simulated"], cohort["opened"]) == ("cohort", True, False)
    assert "/secret" not in json.dumps(report)


def test_metadata_of_others_stays() -> None:
    report = completed([entry("als", call=phase(), metadata={"ticket": 12})], outcome())
    assert only_test(report)["metadata"]["ticket"] == 12
    assert only_test(report)["metadata"]["id"] == "als"


def test_properties_of_others_stay() -> None:
    report = completed([entry("als", call=phase(), user_properties=[{"team": "x"}])], outcome())
    assert only_test(report)["user_properties"] == [{"team": "x"}]


def test_the_lost_phase_of_a_dead_worker_becomes_the_call() -> None:
    dead = outcome(status=Status.FAILED, cause="worker died", reason="the worker gw0 died", wall_s=2.5)
    lost = phase("failed", longrepr="worker 'gw0' crashed while running ...")
    test = only_test(completed([entry("als", "failed", **{"???": lost})], dead))
    assert "???" not in test
    assert test["call"] == {"duration": 2.5, "outcome": "failed", "longrepr": "the worker gw0 died"}
    assert test["outcome"] == "failed"


def test_a_job_interrupted_after_its_setup_is_not_reported_as_passed() -> None:
    stopped = outcome(status=Status.INTERRUPTED, cause="interrupted", reason="the run was interrupted")
    report = completed([entry("als", setup=phase())], stopped)
    assert only_test(report)["outcome"] == "failed"
    assert only_test(report)["call"]["longrepr"] == "the run was interrupted"
    assert report["summary"] == {"failed": 1, "total": 1, "collected": 1}


def test_an_error_in_setup_keeps_its_phases() -> None:
    before = entry("als", "error", setup=phase("failed", longrepr="fixture 'x' not found"))
    test = only_test(completed([before], outcome(status=Status.NOT_RUN)))
    assert test["outcome"] == "error"
    assert "call" not in test


def test_jobs_that_pytest_reported_nothing_of_are_added() -> None:
    report = completed(
        [entry("als", call=phase())],
        outcome("als"),
        outcome(
            "heart", status=Status.INTERRUPTED, reason="interrupted after 1.0 s", log="jobs/heart/attempt-1/log.txt"
        ),
        outcome("brain", status=Status.NOT_RUN, reason="the run was interrupted before it started", wall_s=0.0),
        outcome("optional", status=Status.FAILED, cause="error", reason="ValueError", optional=True),
    )
    als, heart, brain, optional = report["tests"]
    assert [each["outcome"] for each in report["tests"]] == ["passed", "failed", "skipped", "xfailed"]
    assert [each["metadata"]["status"] for each in (als, heart, brain)] == [
        "passed",
        "interrupted",
        "not run",
    ]
    assert heart["nodeid"] == node("heart")
    assert heart["lineno"] == als["lineno"] == 4
    assert heart["call"]["longrepr"] == "interrupted after 1.0 s\n\nlog: runs/r1/jobs/heart/attempt-1/log.txt"
    assert brain["call"]["longrepr"] == "the run was interrupted before it started"
    assert optional["call"]["outcome"] == "skipped"
    assert report["summary"] == {
        "passed": 1,
        "failed": 1,
        "skipped": 1,
        "xfailed": 1,
        "total": 4,
        "collected": 4,
    }


def test_the_summary_keeps_what_was_deselected_and_counts_no_idle_items() -> None:
    report = completed([entry("als", call=phase())], outcome(), summary={"collected": 4, "deselected": 2})
    assert report["summary"] == {"passed": 1, "total": 1, "collected": 3, "deselected": 2}


def test_other_tests_of_the_session_stay_and_are_counted() -> None:
    other = {"nodeid": "test_other.py::test_x", "lineno": 0, "outcome": "failed", "call": phase("failed")}
    report = completed([entry("als", call=phase()), other], outcome(), summary={"collected": 5})
    assert report["tests"][1] == other
    assert report["summary"] == {"passed": 1, "failed": 1, "total": 2, "collected": 5}


def test_a_report_of_the_summary_only_gets_the_training_block_only() -> None:
    json_report: dict[str, Any] = {"summary": {"passed": 1, "total": 1, "collected": 1}}
    complete_report(json_report, run=RUN, outcomes={node("als"): outcome()}, plan=plan(), provenance=PROVENANCE)
    assert json_report["summary"] == {"passed": 1, "total": 1, "collected": 1}
    assert json_report["training"]["totals"] == {"passed": 1}
    assert "tests" not in json_report


def test_the_training_block_describes_the_run() -> None:
    times = {"started": "2026-01-01T10:00:01+00:00", "ended": "2026-01-01T10:00:05+00:00"}
    report = completed(
        [entry("als", call=phase()), entry("heart", "failed", call=phase("failed"))],
        outcome("als", **times),
        outcome("heart", status=Status.FAILED, cause="error", **times),
    )
    block = report["training"]
    assert block["plan"] == [
        {"id": "als", "expected_s": 5.0, "expected_from": "history"},
        {"id": "heart", "expected_s": 5.0, "expected_from": "history"},
    ]
    assert block["totals"] == {"passed": 1, "failed": 1}
    assert (block["makespan_s"], block["lower_bound_s"], block["efficiency"]) == (4.0, 4.0, 1.0)
    assert (block["run_id"], block["workers"], block["seed"], block["exit_code"]) == ("r1", 2, 3, 1)
    assert (block["commit"], block["dirty"], block["python"]) == ("c0ffee", True, "3.11.7")
    assert block["packages"] == {"numpy": "2.1"}
    assert block["machine"]["id"] == "aaaaaaaaaaaa"
    assert block["folder"] == "runs/r1"
    assert block["problems"] == ["the history is locked"]
    assert block["schema_version"] == 1


def test_environment_variables_are_dropped() -> None:
    environment = {"Python": "3.11", "Platform": "Linux", "API_TOKEN": "secret", "BUILD_URL": "https://ci"}
    report = completed([], environment=environment)
    assert report["environment"] == {"Python": "3.11", "Platform": "Linux"}


def refuse(constant: str) -> NoReturn:
    raise AssertionError(constant)


def test_the_written_report_is_strict_json(tmp_path: Path) -> None:
    odd = outcome(parameters={"x": float("nan")}, title="\ud800<b>", reason="\x1b[2J")
    report = completed([entry("als", call=phase(longrepr="\udcff"), metadata={"y": float("inf")})], odd)
    write_report(report, tmp_path / "reports" / "report.json")
    written = (tmp_path / "reports" / "report.json").read_bytes()
    read = json.loads(written.decode("utf-8"), parse_constant=refuse)
    assert read == report
    assert only_test(read)["metadata"]["parameters"] == {"x": None}
    assert only_test(read)["metadata"]["y"] is None


def test_metadata_and_training_block_are_what_their_types_say() -> None:
    report = completed([entry("als", call=phase())], outcome(attempts=(Attempt(number=1, status=Status.PASSED),)))
    msgspec.convert(only_test(report)["metadata"], JobMetadata)
    msgspec.convert(report["training"], TrainingBlock)
    assert msgspec.json.schema(JobMetadata)["$defs"]["JobMetadata"]["properties"]["wall_s"] == {
        "type": "number",
        "default": 0.0,
    }
    assert "TrainingBlock" in msgspec.json.schema(TrainingBlock)["$defs"]


def test_a_report_that_pytest_json_report_wrote_of_a_dead_worker_is_completed(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        test_training_jobs="""
        import os
        import pytest

        @pytest.mark.parametrize("job", ["als", "heart"])
        def test_training_job(job):
            if job == "als":
                os._exit(1)
        """
    )
    pytester.runpytest_subprocess(
        "-p", "no:training", "-n1", "--json-report", "--json-report-file=report.json", timeout=60
    )
    json_report = json.loads(Path("report.json").read_text(encoding="utf-8"))
    assert "???" in next(each for each in json_report["tests"] if each["nodeid"] == node("als"))
    complete_report(
        json_report,
        run=RUN,
        outcomes={
            node("als"): outcome("als", status=Status.FAILED, cause="worker died", reason="worker died: gw0"),
            node("heart"): outcome("heart"),
        },
        plan=plan("als", "heart"),
        provenance=PROVENANCE,
    )
    als = next(each for each in json_report["tests"] if each["nodeid"] == node("als"))
    assert "???" not in als
    assert als["call"]["longrepr"] == "worker died: gw0"
    assert als["metadata"]["cause"] == "worker died"
    assert json_report["summary"] == {"passed": 1, "failed": 1, "total": 2, "collected": 2}


def test_a_thousand_jobs_are_completed_in_no_time(tmp_path: Path) -> None:
    names = [f"job-{number}" for number in range(1000)]
    report = completed([], *(outcome(name) for name in names), planned=plan(*names))
    write_report(report, tmp_path / "report.json")
    assert len(report["tests"]) == 1000
