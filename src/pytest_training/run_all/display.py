"""What `--list` and `--dry-run` print."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_training.jobs.kinds.command_line import command_line
from pytest_training.jobs.model import Job
from pytest_training.run_all.selection import PARAMETERS

FOLDER = "{folder}"
"""Stands for the job's own output folder, which has a name only once the run has an id."""


def listing(jobs: Sequence[Job]) -> Iterator[str]:
    """Yield a table: each job's id, its script, and which of epochs, folds and output folder it takes."""
    rows = [(job.id, job.source, ", ".join(_takes(job)) or "-", _remarks(job)) for job in jobs]
    rows.insert(0, ("id", "script", "takes", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    yield f"{len(jobs)} job{'' if len(jobs) == 1 else 's'}"
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[3]]).rstrip()


def _takes(job: Job) -> Iterator[str]:
    names = {parameter.name for parameter in job.declared}
    for word, spelled in (("epochs", ("epochs",)), ("folds", ("folds",)), *PARAMETERS.items()):
        if names.intersection(spelled):
            yield word
    if job.kind == "function" or job.output_option or any(FOLDER in argument for argument in job.command):
        yield "output"


def _remarks(job: Job) -> str:
    remarks = ["optional"] if job.optional else []
    return ", ".join([*remarks, *([f"cannot run: {job.problem}"] if job.problem else [])])


def dry_run(selected: Sequence[Job], seed: int = 0) -> Iterator[str]:
    """Yield what would be done, a line for each job."""
    yield f"Selected jobs: {len(selected)}"
    for job in selected:
        yield f"[{job.id}] (dry-run) Command: {command_of(job, folder=FOLDER, seed=seed)}"


def command_of(job: Job, *, folder: str, seed: int) -> str:
    """Return the exact command of a script or command job, or the call of a function job."""
    if job.problem:
        return f"none: {job.problem}"
    if job.kind == "function":
        values = ", ".join(f"{name}={value!r}" for name, value in job.parameters.items())
        return f"{Path(job.path or '').stem}.train(run{', ' if values else ''}{values})"
    return shlex.join(command_line(job, folder=folder, seed=seed)).replace(f"'{FOLDER}'", FOLDER)
