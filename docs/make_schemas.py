"""Writes docs/schemas/*.json from the types that the plugin writes its files with: `python docs/make_schemas.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec

from pytest_training.commands.status import RunStatus
from pytest_training.commands.studies import TableAnswer
from pytest_training.evaluation.description import Description
from pytest_training.evaluation.result import Evaluation
from pytest_training.execution.attempt.messages import Result
from pytest_training.jobs.model import Plan
from pytest_training.records.audit import Audit
from pytest_training.records.durations import Durations
from pytest_training.records.history import Recorded
from pytest_training.reporters.json_report import JobMetadata, TrainingBlock

FOLDER = Path(__file__).parent / "schemas"
SCHEMAS: dict[str, tuple[Any, str]] = {
    "training.json": (TrainingBlock, "The `training` block of report.json."),
    "job.json": (JobMetadata, "`tests[].metadata` of report.json: one job."),
    "plan.json": (Plan, "plan.json of a run's folder, and what --training-plan writes."),
    "durations.json": (Durations, "durations.json beside the jobs, as `pytest-training save-durations` writes it."),
    "audit.json": (Audit, "audit.json: what --training-audit has found."),
    "result.json": (Result, "result.json of an attempt: what the job's process left."),
    "evaluation.json": (Evaluation, "evaluation.json of an attempt: what one call of run.predictions has shown."),
    "status.json": (RunStatus, "What `pytest-training status --json` prints."),
    "history.json": (list[Recorded], "What `pytest-training history --json` prints: the oldest of each job first."),
    "table.json": (TableAnswer, "What `pytest-training table STUDY --json` prints."),
    "description.json": (Description, "description.json of an attempt: what the job has stated by run.describe."),
}

WHOLE = (JobMetadata, TrainingBlock, RunStatus, list[Recorded], TableAnswer)
"""They are written with every field, with its default too."""


def schemas() -> dict[str, dict[str, Any]]:
    """Return each schema by its file's name."""
    return {name: _schema(kind, about) for name, (kind, about) in SCHEMAS.items()}


def text(schema: dict[str, Any]) -> str:
    """Return a schema as its file has it."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _schema(kind: Any, about: str) -> dict[str, Any]:
    (named,) = get_args(kind) or (kind,)  # of a list its items
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": named.__name__, "description": about}
    schema = msgspec.json.schema(kind)
    if kind in WHOLE:
        fields = schema["$defs"][named.__name__]
        fields["required"] = list(fields["properties"])
    return {**head, **schema}


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, schema in schemas().items():
        (FOLDER / name).write_text(text(schema), encoding="utf-8")


if __name__ == "__main__":
    main()
