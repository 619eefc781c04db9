"""The plan as plan.json, which any process of the run may read."""

from pathlib import Path

import msgspec

from pytest_training.atomic import write_atomically
from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import SCHEMA_VERSION, UNDECODABLE, Plan
from pytest_training.places import open_plain
from pytest_training.text import home_folder

HOME = "~"  # for the user's home folder, which has the user's name


def save_plan(plan: Plan, path: Path) -> None:
    """Write the plan as JSON."""
    plan = _with_paths(plan, home_folder(), HOME) if home_folder().strip("/") else plan
    write_atomically(path, msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n")


def _with_paths(plan: Plan, start: str, new: str) -> Plan:
    """Return the plan with another start of its absolute paths."""

    def changed(path: str) -> str:
        return new + path[len(start) :] if path == start or path.startswith(f"{start}/") else path

    jobs = []
    for each in plan.jobs:
        job, path = each.job, changed(each.job.path) if each.job.path else each.job.path
        files = tuple(map(changed, job.files))
        job = msgspec.structs.replace(job, path=path, home=changed(job.home), root=changed(job.root), files=files)
        jobs.append(msgspec.structs.replace(each, job=job))
    datasets = tuple(msgspec.structs.replace(each, home=changed(each.home)) for each in plan.datasets)
    return msgspec.structs.replace(plan, jobs=tuple(jobs), datasets=datasets)


def read_plan(path: Path, home: str | None = None) -> Plan:
    """Read a plan that `save_plan` wrote; `home` is the user's home folder if this process may have another."""
    try:
        with open_plain(path) as file:
            plan = msgspec.json.decode(file.read(), type=Plan)
    except OSError as error:
        raise DeclarationError(f"{path}: expected a plan: {error.strerror or 'it is no plain file'}") from error
    except UNDECODABLE as error:
        raise DeclarationError(f"{path}: expected a plan as JSON: {error}") from error
    if plan.schema_version != SCHEMA_VERSION:
        raise DeclarationError(f"{path}: expected a plan of version {SCHEMA_VERSION}, found {plan.schema_version}")
    return _with_paths(plan, HOME, home or home_folder())
