"""The summary of a run as JSON, made of the run's report.json."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_training.atomic import write_atomically
from pytest_training.execution.folder import RunFolder, new_run_id, seconds_between
from pytest_training.execution.outcome import Status
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.model import Job
from pytest_training.run_all.arguments import Arguments
from pytest_training.run_all.display import command_of
from pytest_training.run_all.selection import Selection

PIPELINE = "pytest-training"
WORDS = {
    Status.PASSED: "SUCCESS",
    Status.FAILED: "FAILED",
    Status.INTERRUPTED: "INTERRUPTED",
    Status.SKIPPED: "SKIPPED",
    Status.NOT_RUN: "SKIPPED",
}
"""The original's words."""


@dataclass(frozen=True)
class Ended:
    """How pytest ended."""

    started: str
    ended: str
    is_interrupted: bool
    folder: RunFolder | None
    """None when no run began."""

    def report(self) -> dict[str, Any]:
        """Return the run's report.json; empty where there is none."""
        try:
            report = json.loads(self.folder.report.read_bytes()) if self.folder else {}
        except (OSError, ValueError):
            return {}
        return report if isinstance(report, dict) else {}


def summarise(arguments: Arguments, selection: Selection, ended: Ended) -> dict[str, Any]:
    """Return the summary."""
    report = ended.report()
    run: dict[str, Any] = report.get("training") or {}
    start, end = run.get("started") or ended.started, run.get("ended") or ended.ended
    gpus = list((run.get("machine") or {}).get("gpus") or ())
    jobs = list(_jobs(selection, report, ended))
    return {
        "pipeline": PIPELINE,
        "run_id": run.get("run_id"),
        "start_time_utc": start,
        "end_time_utc": end,
        "duration_s": round(seconds_between(start, end), 3),
        "git_commit": run.get("commit"),
        "python": run.get("python") or platform.python_version(),
        "working_directory": os.getcwd(),  # noqa: PTH109  (as the user sees it)
        "gpu_info": {"available": bool(gpus), "devices": gpus},
        "arguments": list(arguments.words),
        "totals": {status: sum(job["status"] == status for job in jobs) for status in dict.fromkeys(WORDS.values())},
        "jobs": jobs,
    }


def _jobs(selection: Selection, report: dict[str, Any], ended: Ended) -> Iterator[dict[str, Any]]:
    tests = report.get("tests") or ()
    metadata = {test["metadata"]["id"]: test["metadata"] for test in tests if "id" in (test.get("metadata") or {})}
    for job in selection.selected:
        yield _job(job, selection.request.kinds, metadata.get(job.id, {}), ended)


def _job(job: Job, kinds: Kinds, metadata: dict[str, Any], ended: Ended) -> dict[str, Any]:
    attempts = metadata.get("attempts") or []
    last = attempts[-1] if attempts else {}
    seed = int(metadata.get("seed") or 0)
    folder = str(ended.folder.reports / last["folder"] / "artifacts") if ended.folder and last else "{folder}"
    status = WORDS.get(metadata.get("status", ""), "INTERRUPTED" if ended.is_interrupted else "SKIPPED")
    log = metadata.get("log")
    return {
        "id": job.id,
        "name": job.title or job.id,
        "status": status,
        "attempts": len(attempts),
        "start_time_utc": metadata.get("started") or None,
        "end_time_utc": metadata.get("ended") or None,
        "duration_s": metadata.get("wall_s", 0.0),
        "optional": job.optional,
        "command": command_of(job, kinds, folder=folder, seed=seed),
        "error": metadata.get("reason") or None,
        "metrics": metadata.get("metrics", {}),
        "gates": metadata.get("gates", []),
        "data": metadata.get("datasets", []),
        "seed": seed,
        "exit_status": (last.get("ending") or {}).get("exit_status"),
        "log": str(ended.folder.reports / log) if ended.folder and log else None,
        "output": folder if last else None,
    }


def write_summary(summary: dict[str, Any], folder: Path) -> Path:
    """Write the summary under a name of its own, and return its path."""
    path = folder / f"run_all_training_{summary['run_id'] or new_run_id()}.json"
    write_atomically(path, json.dumps(summary, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    return path
