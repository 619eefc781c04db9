"""The output of `--list` and `--dry-run`."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_training.jobs.kinds.protocol import Call, Kinds
from pytest_training.jobs.model import Job
from pytest_training.run_all.selection import PARAMETERS

FOLDER = "{folder}"
"""Stands for the job's own output folder, which has a name only once the run has an id."""


def listing(jobs: Sequence[Job], kinds: Kinds) -> Iterator[str]:
    """Yield a table: each job's id, script, and the parameters of the command line that it takes."""
    rows = [("id", "script", "takes", "")]
    for job in jobs:
        remarks = [*(["optional"] if job.optional else []), *([f"cannot run: {job.problem}"] if job.problem else [])]
        rows.append((job.id, job.source, ", ".join(_takes(job, kinds)) or "-", ", ".join(remarks)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    yield f"{len(jobs)} job{'' if len(jobs) == 1 else 's'}"
    for row in rows:
        yield "  ".join([*map(str.ljust, row, widths), row[3]]).rstrip()


def _takes(job: Job, kinds: Kinds) -> Iterator[str]:
    names = {parameter.name for parameter in job.declared}
    for word, spelled in (("epochs", ("epochs",)), ("folds", ("folds",)), *PARAMETERS.items()):
        if names.intersection(spelled):
            yield word
    start = kinds[job.kind].start(job, folder=FOLDER, seed=0)
    if isinstance(start, Call) or job.output_option or any(FOLDER in argument for argument in start.argv):
        yield "output"


def dry_run(selected: Sequence[Job], kinds: Kinds) -> Iterator[str]:
    """Yield a line for each job that would be trained."""
    yield f"Selected jobs: {len(selected)}"
    for job in selected:
        yield f"[{job.id}] (dry-run) Command: {command_of(job, kinds, folder=FOLDER, seed=0)}"


def command_of(job: Job, kinds: Kinds, *, folder: str, seed: int) -> str:
    """Return the exact command of a program, or the call of a function."""
    if job.problem:
        return f"none: {job.problem}"
    start = kinds[job.kind].start(job, folder=folder, seed=seed)
    if isinstance(start, Call):
        values = ", ".join(["run", *(f"{name}={value!r}" for name, value in job.parameters.items())])
        return f"{Path(start.path).stem}.{start.function}({values})"
    return shlex.join(start.argv).replace(f"'{FOLDER}'", FOLDER)
