"""Completes pytest-json-report's report: metadata per job, jobs that it lost, the `training` block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.atomic import write_atomically
from pytest_training.execution.outcome import Outcome, Shown, Status, Tolerated
from pytest_training.jobs.model import Plan
from pytest_training.pytest_adapter import JsonReport
from pytest_training.records.provenance import Provenance
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.records.run_record import RunRecord
from pytest_training.records.strict_json import encode_plain, plain
from pytest_training.reporters.console import failure_text
from pytest_training.reporters.report_model import JobMetadata, job_metadata, training_block

Item = dict[str, Any]

ENVIRONMENT = ("Packages", "Platform", "Plugins", "Python")
"""All that is left of what pytest-metadata records: the rest may be anybody's environment variables."""
LOST_PHASE = "???"  # what xdist calls the phase of a test whose worker died
PYTEST_WORDS: dict[Shown, str] = {
    Status.INTERRUPTED: "failed",
    Status.NOT_RUN: "skipped",
    Tolerated.FAILED: "xfailed",
}
"""Where they differ: pytest-json-report knows no `interrupted` and no `not run`; metadata.status has them."""


class Reporter:
    """Completes the report of pytest-json-report, and writes it to the run folder and to its stable name."""

    def __init__(self, config: pytest.Config) -> None:
        self.report = JsonReport(config)
        self.is_on = False

    def pytest_training_run_start(self, run: TrainingRun) -> None:
        """Switch pytest-json-report on."""
        self.is_on = self.report.switch_on()
        if not self.is_on:
            problem = "report.json is not written: the plugin pytest-json-report is switched off or not installed"
            run.problems.append(problem)

    def pytest_training_run_end(self, run: TrainingRun) -> None:
        """Complete the report; the file that a user named has the same content."""
        content = self.report.content if self.is_on else None
        if content is None or run.record is None or run.provenance is None:
            return
        by_id = {outcome.job_id: outcome for outcome in run.outcomes}
        outcomes = {node: by_id[job_id] for node, job_id in run.nodes.items()}
        record = msgspec.structs.replace(run.record, problems=tuple(run.problems))
        complete_report(content, run=record, outcomes=outcomes, plan=run.plan, provenance=run.provenance)
        for path in (run.folder.report, run.folder.stable.copy_of(run.folder.report)):
            with run.noting_failure(f"{path}"):
                write_report(content, path)
        self.report.save_again()


def complete_report(
    json_report: dict[str, Any],
    *,
    run: RunRecord,
    outcomes: Mapping[str, Outcome],
    plan: Plan,
    provenance: Provenance,
) -> None:
    """Complete the report in place; `outcomes` are by node id."""
    if "environment" in json_report:
        recorded = json_report["environment"] or {}
        json_report["environment"] = {name: recorded[name] for name in ENVIRONMENT if name in recorded}
    if "tests" in json_report:  # not so with --json-report-summary
        _complete_tests(json_report["tests"], run, outcomes, _metadata(run, outcomes, plan))
        json_report["summary"] = _summary(json_report, outcomes)
    json_report["exitcode"] = run.exit_code
    json_report["training"] = training_block(run, list(outcomes.values()), plan, provenance)
    json_report.update(plain(json_report))


def write_report(json_report: dict[str, Any], path: Path) -> None:
    """Write a completed report as strict JSON, whole or not at all."""
    write_atomically(path, encode_plain(json_report, indent=1) + b"\n")


def _metadata(run: RunRecord, outcomes: Mapping[str, Outcome], plan: Plan) -> dict[str, JobMetadata]:
    planned = {each.job.id: each for each in plan.jobs}
    return {
        nodeid: job_metadata(outcome, folder=run.folder, planned=planned.get(outcome.job_id), datasets=plan.datasets)
        for nodeid, outcome in outcomes.items()
    }


def _complete_tests(
    tests: list[Item], run: RunRecord, outcomes: Mapping[str, Outcome], metadata: Mapping[str, JobMetadata]
) -> None:
    items = {item["nodeid"]: item for item in tests}
    lines = {nodeid.partition("[")[0]: item.get("lineno") for nodeid, item in items.items()}
    for nodeid, outcome in outcomes.items():
        if nodeid not in items:
            items[nodeid] = _new_item(nodeid, lines.get(nodeid.partition("[")[0]), outcome)
            tests.append(items[nodeid])
        _repair(items[nodeid], outcome, run)
        items[nodeid]["metadata"] = {
            **items[nodeid].get("metadata", {}),
            **msgspec.structs.asdict(metadata[nodeid]),
        }


def _new_item(nodeid: str, lineno: int | None, outcome: Outcome) -> Item:
    """Make the entry of a job that pytest reported nothing of, e.g. one that was interrupted."""
    return {"nodeid": nodeid, "lineno": lineno, "outcome": _pytest_word(outcome)}


def _repair(item: Item, outcome: Outcome, run: RunRecord) -> None:
    lost = item.pop(LOST_PHASE, None)
    if "call" not in item and _passed(item.get("setup")):
        item["call"] = {**(lost or {}), **_call(outcome, run)}
    if item["outcome"] == "passed":  # of an interrupted job pytest knows the setup only, and that passed
        item["outcome"] = _pytest_word(outcome)


def _call(outcome: Outcome, run: RunRecord) -> Item:
    word = _pytest_word(outcome)
    call: Item = {"duration": outcome.wall_s, "outcome": "skipped" if word == "xfailed" else word}
    if outcome.status != Status.PASSED:
        call["longrepr"] = failure_text(outcome, folder=run.folder)
    return call


def _passed(phase: Item | None) -> bool:
    return phase is None or phase.get("outcome") == "passed"


def _pytest_word(outcome: Outcome) -> str:
    return PYTEST_WORDS.get(outcome.shown, outcome.shown.value)


def _summary(json_report: dict[str, Any], outcomes: Mapping[str, Outcome]) -> dict[str, int]:
    before, tests = json_report.get("summary") or {}, json_report["tests"]
    deselected = before.get("deselected", 0)
    collected = len(tests) + deselected
    if any(item["nodeid"] not in outcomes for item in tests):  # other tests may have been left out by -x
        collected = max(collected, before.get("collected", 0))
    counted = {**Counter(item["outcome"] for item in tests), "total": len(tests), "collected": collected}
    return {**counted, "deselected": deselected} if deselected else counted
