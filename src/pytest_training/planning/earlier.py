"""Earlier runs: the one that `--training-resume` goes on with, and outcomes that are still true."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pytest_training.errors import DataError, DeclarationError
from pytest_training.execution.data.cache import sha256_of
from pytest_training.execution.folder import RunFolder, runs_folder
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.execution.slot import read_outcome
from pytest_training.jobs.model import Dataset, Job, Plan, PlannedJob, Unchanged
from pytest_training.jobs.plan_file import read_plan
from pytest_training.records.history import History
from pytest_training.records.provenance import package_versions
from pytest_training.records.recorded_run import run_ids
from pytest_training.wording import listing

LAST = "last"


@dataclass(frozen=True)
class EarlierRun:
    """A run that ended, or did not, with jobs that did not pass."""

    folder: RunFolder
    plan: Plan

    @classmethod
    def find(cls, reports: Path, wanted: str) -> EarlierRun:
        """Return the run of that id, or the last one; raise DeclarationError when there is none."""
        folder, runs = runs_folder(reports), run_ids(reports)
        if not runs:
            raise DeclarationError(f"--training-resume: no run in {folder} to resume")
        run_id = runs[-1] if wanted == LAST else wanted
        if run_id not in runs:
            raise DeclarationError(
                f"--training-resume: no run {wanted!r} in {folder}: expected one of {listing(wanted, runs)}"
            )
        run = RunFolder(reports, run_id)
        return cls(run, read_plan(run.plan))

    def jobs(self, found: Sequence[Job]) -> list[Job]:
        """Return that run's jobs as they are now, with that run's parameters (secret ones are not on record)."""
        now = {job.id: job for job in found}
        for planned in self.plan.jobs:
            if planned.job.id not in now:
                raise DeclarationError(
                    f"--training-resume: run {self.folder.run_id} trained {planned.job.id!r}, which exists no more: "
                    f"expected one of {listing(planned.job.id, now)}"
                )
        planned_jobs = {planned.job.id: planned.job for planned in self.plan.jobs}
        return [_with_parameters(job, planned_jobs[job.id]) for job in found if job.id in planned_jobs]

    def is_done(self, job_id: str) -> bool:
        """Whether a job passed in that run, or needed no training."""
        outcome = read_outcome(self.folder, job_id)
        return outcome is not None and (outcome.status == Status.PASSED or outcome.cause == "unchanged")


def _with_parameters(job: Job, planned: Job) -> Job:
    known = {name: value for name, value in planned.parameters.items() if name not in job.secret}
    return msgspec.structs.replace(job, parameters={**job.parameters, **known}, given=planned.given)


def read_code(file: str) -> bytes:
    """Return the content of a file of code."""
    return Path(file).read_bytes()


def fingerprint(
    job: Job, datasets: Mapping[str, Dataset], *, seed: int, read: Callable[[str], bytes] = read_code
) -> str:
    """Return a digest of all that decides a job's metrics but the content of its data; empty where that is unknown.

    Code is the job's file and the local modules that it imports, for a command the files among its arguments.
    """
    files = [*job.files, *_simulations(job, datasets), *_arguments(job)]
    if job.kind != "command" and not job.files:
        return ""
    digest = hashlib.sha256()
    try:
        for file in sorted(set(files)):
            digest.update(f"{file}\0".encode(errors="surrogateescape") + read(file) + b"\0")
    except OSError:
        return ""
    known = {
        "kind": job.kind,
        "command": job.command,
        "parameters": job.parameters,
        "given": job.given,
        "gates": [msgspec.to_builtins(gate) for gate in job.gates],
        "seed": seed,
        "packages": package_versions(job.imports),
        "python": platform.python_version(),
    }
    digest.update(json.dumps(known, sort_keys=True, default=repr).encode())
    return digest.hexdigest()


def _simulations(job: Job, datasets: Mapping[str, Dataset]) -> list[str]:
    modules = [datasets[name] for name in job.data if name in datasets and datasets[name].simulated]
    paths = [Path(each.home, *str(each.simulated).partition(":")[0].split(".")).with_suffix(".py") for each in modules]
    return [str(path) for path in paths if path.is_file()]


def _arguments(job: Job) -> list[str]:
    return [str(path) for argument in job.command if (path := Path(job.root, argument)).is_file()]


def mark_unchanged(planned: Iterable[PlannedJob], history: History) -> list[PlannedJob]:
    """Return the planned jobs, those marked whose last passed outcome had the same fingerprint and the same data."""
    return [_marked(each, history) for each in planned]


def _marked(planned: PlannedJob, history: History) -> PlannedJob:
    found = history.last_passed(planned.job.id)
    if found is None or not planned.fingerprint:
        return planned
    run_id, outcome = found
    if outcome.fingerprint != planned.fingerprint or not all(map(_is_there_still, _opened(outcome))):
        return planned
    unchanged = Unchanged(run_id=run_id, metrics=outcome.metrics)
    return msgspec.structs.replace(planned, unchanged=unchanged)


def _opened(outcome: Outcome) -> Iterable[tuple[str, str | None]]:
    return [(used.path, used.sha256) for used in outcome.data]


def _is_there_still(opened: tuple[str, str | None]) -> bool:
    path, sha256 = opened
    try:
        return sha256 is not None and sha256_of(Path(path)) == sha256
    except (OSError, DataError):
        return False
