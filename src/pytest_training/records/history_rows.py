"""Runs and outcomes as rows of the history, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec

from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.model import UNDECODABLE
from pytest_training.records.provenance import Provenance
from pytest_training.records.run_record import RunRecord
from pytest_training.records.strict_json import encode, text


def insert(connection: sqlite3.Connection, table: str, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows, in place of those with the same key."""
    for row in rows:
        columns = ", ".join(f'"{column}"' for column in row)
        values = ", ".join("?" * len(row))
        connection.execute(
            f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({values})",  # noqa: S608  (the names are ours)
            tuple(row.values()),
        )


def run_row(run: RunRecord, provenance: Provenance, machine: str) -> dict[str, Any]:
    """Return the columns of a run."""
    return {
        "run_id": text(run.run_id),
        "started": run.started,
        "ended": run.ended,
        "commit": provenance.commit,
        "branch": provenance.branch and text(provenance.branch),
        "dirty": provenance.dirty,
        "seed": str(run.seed),  # SQLite's integers end at 64 bits
        "workers": run.workers,
        "exit_code": run.exit_code,
        "machine": machine,
        "arguments": _json(run.arguments),
        "run": _json(run),
        "provenance": _json(provenance),
    }


def outcome_row(run_id: str, outcome: Outcome, machine: str) -> dict[str, Any]:
    """Return the columns of an outcome."""
    return {
        "run_id": text(run_id),
        "job_id": text(outcome.job_id),
        "machine": machine,
        "status": outcome.status,
        "cause": outcome.cause,
        "reason": text(outcome.reason),
        "parameters": _json(outcome.parameters),
        "metrics": _json(outcome.metrics),
        "wall_s": outcome.wall_s,
        "cpu_s": outcome.cpu_s,
        "peak_memory_mb": outcome.peak_memory_mb,
        "threads": outcome.threads,
        "slot": text(outcome.slot),
        "started": outcome.started,
        "outcome": _json(msgspec.structs.replace(outcome, log_tail=())),  # its log is in the run folder
    }


def _json(value: Any) -> str:
    return encode(value).decode()


def read_parameters(written: str) -> dict[str, Any]:
    """Return the parameters of an outcome, or none if the column holds something else."""
    try:
        return msgspec.json.decode(written, type=dict[str, Any])
    except (*UNDECODABLE, TypeError):
        return {}


def read_outcome(written: str) -> Outcome | None:
    """Return the outcome, or None if another version of the plugin wrote it in a form that is unknown here."""
    try:
        return msgspec.json.decode(written, type=Outcome)
    except (*UNDECODABLE, TypeError):
        return None
