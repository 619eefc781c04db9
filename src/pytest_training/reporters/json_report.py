"""Completes pytest-json-report's report: metadata per job, lost jobs, `training`. Its types make docs/schemas/."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import asdict, fields, replace

from pytest_training.atomic import write_atomically
from pytest_training.execution.outcome import Outcome, Reported, Shown, Status, Tolerated
from pytest_training.jobs.model import Dataset, Plan, PlannedJob, Source, Value
from pytest_training.pytest_adapter import switch_json_report_on
from pytest_training.records.comparison import Change, Comparison
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.records.run_record import Provenance, RunRecord, Timing, timing
from pytest_training.records.strict_json import encode_plain, plain
from pytest_training.reporters.console import failure_text
from pytest_training.text import home_pattern, without_home

Item = dict[str, Any]
ENVIRONMENT = ("Packages", "Platform", "Plugins", "Python")
"""All that is left of what pytest-metadata records: the rest may be anybody's environment variables."""
AS_TYPED = {"parameters", "arguments"}
OF_RUN = {each.name for each in fields(RunRecord)}
LOST_PHASE = "???"  # what xdist calls the phase of a test whose worker died
PYTEST_WORDS: dict[Shown, str] = {status: status.value for status in Status}
PYTEST_WORDS |= {Status.INTERRUPTED: "failed", Status.NOT_RUN: "skipped", Tolerated.FAILED: "xfailed"}
"""pytest-json-report knows no `interrupted` and no `not run`; metadata.status has them."""


class ReportedDataset(Value, frozen=True, kw_only=True):
    """A dataset of a job: declared for it, opened by it, or both."""

    name: str
    real: bool
    simulated: bool
    opened: bool  # True if the job asked for it; its sha256 is known only then or where the catalogue states it
    sha256: str | None = None
    license: str | None = None
    citation: str | None = None


class JobMetadata(Reported, frozen=True, kw_only=True):
    """`tests[].metadata`: a job's outcome. All paths are relative to the reports folder."""

    id: str
    datasets: tuple[ReportedDataset, ...]
    changes: tuple[Change, ...] = ()  # metrics that differ from those of the run that it is compared with
    worker: str
    expected_s: float | None


class PlanEntry(Value, frozen=True):
    """A job of the plan, in the order in which jobs were to start."""

    id: str
    expected_s: float | None
    expected_from: Source


TrainingBlock = msgspec.defstruct(
    "TrainingBlock",
    [
        ("plan", tuple[PlanEntry, ...]),
        ("totals", dict[str, int]),  # number of jobs by status
        *((each.name, each.type) for kind in (Timing, Provenance) for each in fields(kind) if each.name not in OF_RUN),
    ],
    bases=(RunRecord,),
    namespace={"__doc__": "The `training` block of report.json: the run; each job is in the metadata of its test."},
    frozen=True,
    kw_only=True,
)


class Reporter:
    """Completes the report of pytest-json-report, and writes it to the run folder and to its stable name."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.plugin: Any = None  # pytest-json-report's, once the run has begun; None if it is off

    def pytest_training_run_start(self, run: TrainingRun) -> None:
        """Switch pytest-json-report on."""
        self.plugin = switch_json_report_on(self.config)
        if self.plugin is None:
            problem = "report.json is not written: the plugin pytest-json-report is switched off or not installed"
            run.problems.append(problem)

    def pytest_training_run_end(self, run: TrainingRun) -> None:
        """Complete the report; the file that a user named has the same content."""
        content = self.plugin.report if self.plugin else None
        if content is None or run.record is None or run.provenance is None:
            return
        by_id = {outcome.job_id: outcome for outcome in run.outcomes}
        outcomes = {node: by_id[job_id] for node, job_id in run.nodes.items()}
        record = replace(run.record, problems=tuple(run.problems))
        complete_report(content, run=record, outcomes=outcomes, plan=run.plan, provenance=run.provenance)
        _add_changes(content.get("tests", ()), run.comparison)
        for path in (run.folder.report, run.folder.stable.copy_of(run.folder.report)):
            with run.noting_failure(f"{path}"):
                write_report(content, path)
        if self.config.option.json_report_file:
            self.plugin.save_report(self.config.option.json_report_file)


def _add_changes(tests: Iterable[Item], comparison: Comparison) -> None:
    """Add to each job what differs from the run that it is compared with."""
    for item in tests:
        if (metadata := item.get("metadata")) and (job := comparison.of(metadata.get("id", ""))):
            metadata["changes"] = plain(job.differing)


def write_report(json_report: dict[str, Any], path: Path) -> None:
    """Write a completed report as strict JSON, whole or not at all."""
    write_atomically(path, encode_plain(json_report, indent=1) + b"\n")


def complete_report(
    json_report: dict[str, Any], *, run: RunRecord, outcomes: Mapping[str, Outcome], plan: Plan, provenance: Provenance
) -> None:
    """Complete the report in place; `outcomes` are by node id."""
    if "environment" in json_report:
        recorded = json_report["environment"] or {}
        json_report["environment"] = {name: recorded[name] for name in ENVIRONMENT if name in recorded}
    if "tests" in json_report:  # not so with --json-report-summary
        _complete_tests(json_report["tests"], run, outcomes, plan)
        json_report["summary"] = _summary(json_report, outcomes)
    json_report["exitcode"] = run.exit_code
    json_report["training"] = TrainingBlock(
        **(asdict(provenance) | asdict(timing(outcomes.values(), run.workers)) | asdict(run)),
        plan=tuple(PlanEntry(each.job.id, each.expected_s, each.expected_from) for each in plan.jobs),
        totals=dict(Counter(outcome.status for outcome in outcomes.values())),
    )
    json_report.update(_without_home(plain(json_report), home_pattern()))


def _without_home(value: Any, home: re.Pattern[str] | None) -> Any:
    """Return the value with `~` for the user's home folder, but in what the user gave: it is recorded as it was."""
    if isinstance(value, str):
        return without_home(value, home)
    if isinstance(value, dict):
        return {name: each if name in AS_TYPED else _without_home(each, home) for name, each in value.items()}
    return [_without_home(each, home) for each in value] if isinstance(value, list) else value


def _complete_tests(tests: list[Item], run: RunRecord, outcomes: Mapping[str, Outcome], plan: Plan) -> None:
    planned = {each.job.id: each for each in plan.jobs}
    items = {item["nodeid"]: item for item in tests}
    lines = {nodeid.partition("[")[0]: item.get("lineno") for nodeid, item in items.items()}
    for nodeid, outcome in outcomes.items():
        if nodeid not in items:  # pytest reported nothing of the job, e.g. because it was interrupted
            line = lines.get(nodeid.partition("[")[0])
            items[nodeid] = {"nodeid": nodeid, "lineno": line, "outcome": PYTEST_WORDS[outcome.shown]}
            tests.append(items[nodeid])
        item = items[nodeid]
        _repair(item, outcome, run)
        metadata = _metadata(outcome, run.folder, planned[outcome.job_id], plan.datasets)
        item["metadata"] = {**item.get("metadata", {}), **asdict(metadata)}


def _repair(item: Item, outcome: Outcome, run: RunRecord) -> None:
    word, lost = PYTEST_WORDS[outcome.shown], item.pop(LOST_PHASE, {})
    if "call" not in item and ("setup" not in item or item["setup"].get("outcome") == "passed"):
        item["call"] = {**lost, "duration": outcome.wall_s, "outcome": "skipped" if word == "xfailed" else word}
        if outcome.status != Status.PASSED:
            item["call"]["longrepr"] = failure_text(outcome, folder=run.folder)
    if item["outcome"] in {"passed", "rerun"}:  # of an interrupted job pytest knows the setup only, and that passed
        item["outcome"] = word


def _summary(json_report: dict[str, Any], outcomes: Mapping[str, Outcome]) -> dict[str, int]:
    before, tests = json_report.get("summary") or {}, json_report["tests"]
    deselected = before.get("deselected", 0)
    collected = len(tests) + deselected
    if any(item["nodeid"] not in outcomes for item in tests):  # other tests may have been left out by -x
        collected = max(collected, before.get("collected", 0))
    counted = {**Counter(item["outcome"] for item in tests), "total": len(tests), "collected": collected}
    return {**counted, "deselected": deselected} if deselected else counted


def _metadata(outcome: Outcome, folder: str, planned: PlannedJob, datasets: Sequence[Dataset]) -> JobMetadata:
    """Describe one job; `folder`, the run folder relative to the reports folder, begins each of its paths."""

    def below(path: str) -> str:
        return f"{folder}/{path}" if folder and path else path

    values = {name: getattr(outcome, name) for name in Reported.__struct_fields__} | {
        "attempts": tuple(replace(attempt, folder=below(attempt.folder)) for attempt in outcome.attempts),
        "log": below(outcome.log) if outcome.log else None,
        "artifacts": tuple(map(below, outcome.artifacts)),
    }
    return JobMetadata(
        **values,
        id=outcome.job_id,
        datasets=tuple(_datasets(outcome, planned, datasets)),
        worker=outcome.slot,
        expected_s=planned.expected_s,
    )


def _datasets(outcome: Outcome, planned: PlannedJob, datasets: Sequence[Dataset]) -> Iterator[ReportedDataset]:
    """Yield what the job opened, then what was only declared for it."""
    declared = {each.name: each for each in datasets}
    opened = {used.name: used for used in outcome.data}
    for name in dict.fromkeys([*opened, *planned.job.data]):
        declaration = declared.get(name)
        if dataset := opened.get(name) or declaration:
            yield ReportedDataset(
                name=name,
                real=dataset.real,
                simulated=not dataset.real,
                opened=name in opened,
                sha256=dataset.sha256,
                license=declaration.license if declaration else None,
                citation=declaration.citation if declaration else None,
            )
