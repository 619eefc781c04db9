"""What decides a job's metrics, as one digest, and the outcomes that are still true."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from pytest_training.errors import DataError
from pytest_training.execution.data.cache import sha256_of
from pytest_training.execution.outcome import DataUsed
from pytest_training.jobs.model import Dataset, Job, Plan, PlannedJob, Unchanged
from pytest_training.records.history import History
from pytest_training.records.provenance import package_versions


def read_code(file: str) -> bytes:
    """Return the content of a file of code."""
    return Path(file).read_bytes()


def fingerprint(
    job: Job, datasets: Mapping[str, Dataset], *, seed: int, read: Callable[[str], bytes] = read_code
) -> str:
    """Return a digest of all that decides a job's metrics but the content of its data; empty where that is unknown.

    Code is the job's file and the local modules that it imports, and the files among its arguments.
    """
    files = [*job.files, *_simulations(job, datasets), *_arguments(job)]
    if job.path and not job.files:
        return ""
    digest = hashlib.sha256()
    try:
        for file in sorted(set(files)):
            digest.update(f"{file}\0".encode(errors="surrogateescape") + read(file) + b"\0")
    except OSError:
        return ""
    rest = {
        "kind": job.kind,
        "command": job.command,
        "arguments": job.arguments,
        "parameters": job.parameters,
        "given": job.given,
        "gates": [msgspec.to_builtins(gate) for gate in job.gates],
        "seed": seed,
        "packages": package_versions(job.imports),
        "python": platform.python_version(),
    }
    digest.update(json.dumps(rest, sort_keys=True, default=repr).encode())
    return digest.hexdigest()


def _simulations(job: Job, datasets: Mapping[str, Dataset]) -> list[str]:
    modules = [datasets[name] for name in job.data if name in datasets and datasets[name].simulated]
    paths = [Path(each.home, *str(each.simulated).partition(":")[0].split(".")).with_suffix(".py") for each in modules]
    return [str(path) for path in paths if path.is_file()]


def _arguments(job: Job) -> list[str]:
    return [str(path) for argument in (*job.command, *job.arguments) if (path := Path(job.root, argument)).is_file()]


def with_fingerprints(plan: Plan) -> Plan:
    """Return the plan with a fingerprint for each job."""
    datasets = {dataset.name: dataset for dataset in plan.datasets}
    read = functools.cache(read_code)  # jobs share modules
    jobs = (
        msgspec.structs.replace(each, fingerprint=fingerprint(each.job, datasets, seed=plan.seed, read=read))
        for each in plan.jobs
    )
    return msgspec.structs.replace(plan, jobs=tuple(jobs))


def mark_unchanged(plan: Plan, history: History) -> Plan:
    """Return the plan, the jobs marked whose last passed outcome had the same fingerprint and the same data."""
    return msgspec.structs.replace(plan, jobs=tuple(_marked(each, history) for each in plan.jobs))


def _marked(planned: PlannedJob, history: History) -> PlannedJob:
    passed = history.newest([planned.job.id], passed_only=True).get(planned.job.id)
    if passed is None or not planned.fingerprint:
        return planned
    outcome = passed.outcome
    if outcome.fingerprint != planned.fingerprint or not all(map(_is_there_still, outcome.data)):
        return planned
    return msgspec.structs.replace(planned, unchanged=Unchanged(run_id=passed.run_id, metrics=outcome.metrics))


def _is_there_still(used: DataUsed) -> bool:
    try:
        return used.sha256 is not None and sha256_of(Path(used.path)) == used.sha256
    except (OSError, DataError):
        return False
