"""Why a node is not used: its pytest-training is missing, or another version."""

import contextlib
import sysconfig
from collections.abc import Callable
from importlib import metadata
from typing import Any

import msgspec

from pytest_training.execution.backends.cluster.orders import NodeFacts
from pytest_training.jobs.model import UNDECODABLE

PLUGIN = "pytest-training"


def read_facts(client: Any, address: str, answer: object) -> NodeFacts | str:
    """Return what a node says of itself, or why it is not used; raise OSError if it is gone."""
    here, facts = metadata.version(PLUGIN), None
    with contextlib.suppress(*UNDECODABLE):  # another version's
        facts = msgspec.json.decode(answer, type=NodeFacts) if isinstance(answer, bytes) else None
    there = facts.equipment.packages.get(PLUGIN) if facts else _ask(client, address, metadata.version, PLUGIN)
    if facts and there == here:
        return facts
    if there == here:
        return f"{PLUGIN} does not work there: {type(answer).__name__}: {answer}"
    scripts = _ask(client, address, sysconfig.get_path, "scripts")
    python = f"{scripts}/python" if scripts else "python"
    what = f"{PLUGIN} {there} is installed there, {here} here" if there else f"{PLUGIN} is not installed there"
    return f"{what}: {python} -m pip install '{PLUGIN}[cluster]=={here}'"


def _ask(client: Any, address: str, function: Callable[[str], str | None], argument: str) -> str | None:
    """Have a node call a function of the standard library, which every node has; return None if it raises there."""
    answer = client.run(function, argument, workers=[address], on_error="return").get(address)
    if isinstance(answer, OSError):  # distributed's own: the node is gone
        raise answer
    return answer if isinstance(answer, str) else None
