"""A digest of all that decides a job's metrics, and the earlier outcomes that are still valid."""

import functools
import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from pytest_training.errors import DataError
from pytest_training.execution.data.cache import sha256_of
from pytest_training.execution.outcome import DataUsed
from pytest_training.jobs.model import Dataset, Job, Plan, PlannedJob, Unchanged
from pytest_training.records.history import History, Recorded
from pytest_training.records.provenance import package_versions


def fingerprint(job: Job, datasets: Mapping[str, Dataset], *, seed: int, read: Callable[[str], bytes]) -> str:
    """Return a digest of all that decides a job's metrics but the content of its data, or "" if code is missing.

    Code is the job's file and the local modules that it imports, and the files among its arguments.
    """
    arguments = (Path(job.root, argument) for argument in (*job.command, *job.arguments))
    files = {*job.files, *_simulations(job, datasets), *(str(path) for path in arguments if path.is_file())}
    if job.path and not job.files:
        return ""
    digest = hashlib.sha256()
    try:
        for file in sorted(files):
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
        "seeded": job.seeded,
        "packages": package_versions(job.imports),
        "python": platform.python_version(),
    }
    digest.update(json.dumps(rest, sort_keys=True, default=repr).encode())
    return digest.hexdigest()


def _simulations(job: Job, datasets: Mapping[str, Dataset]) -> list[str]:
    modules = [datasets[name] for name in job.data if name in datasets and datasets[name].simulated]
    paths = [Path(each.home, *str(each.simulated).partition(":")[0].split(".")).with_suffix(".py") for each in modules]
    return [str(path) for path in paths if path.is_file()]


def with_fingerprints(plan: Plan) -> Plan:
    """Return the plan with a fingerprint for each job."""
    datasets = {dataset.name: dataset for dataset in plan.datasets}
    read = functools.cache(lambda file: Path(file).read_bytes())  # jobs share modules
    jobs = (replace(each, fingerprint=fingerprint(each.job, datasets, seed=plan.seed, read=read)) for each in plan.jobs)
    return replace(plan, jobs=tuple(jobs))


def mark_unchanged(plan: Plan, history: History) -> Plan:
    """Return the plan with a mark on each job that last passed with the same fingerprint and the same data."""
    passed = history.newest([planned.job.id for planned in plan.jobs], passed_only=True)
    return replace(plan, jobs=tuple(_marked(planned, passed.get(planned.job.id)) for planned in plan.jobs))


def _marked(planned: PlannedJob, passed: Recorded | None) -> PlannedJob:
    if passed is None or not planned.fingerprint or passed.outcome.fingerprint != planned.fingerprint:
        return planned
    if not all(map(_is_unchanged, passed.outcome.data)):
        return planned
    return replace(planned, unchanged=Unchanged(run_id=passed.run_id, metrics=passed.outcome.metrics))


def _is_unchanged(used: DataUsed) -> bool:
    try:
        return used.sha256 is not None and sha256_of(Path(used.path)) == used.sha256
    except (OSError, DataError):
        return False
