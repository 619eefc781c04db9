"""plan.json: what a run is going to train, written before anything trains."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pytest_training.atomic import write_atomically
from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import SCHEMA_VERSION, UNDECODABLE, Plan


def save_plan(plan: Plan, path: Path) -> None:
    """Write the plan as JSON."""
    write_atomically(path, msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n")


def read_plan(path: Path) -> Plan:
    """Read a plan that `save_plan` wrote."""
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=Plan)
    except OSError as error:
        raise DeclarationError(f"{path}: expected a plan: {error.strerror}") from error
    except UNDECODABLE as error:
        raise DeclarationError(f"{path}: expected a plan as JSON: {error}") from error
    if plan.schema_version != SCHEMA_VERSION:
        raise DeclarationError(f"{path}: expected a plan of version {SCHEMA_VERSION}, found {plan.schema_version}")
    return plan
