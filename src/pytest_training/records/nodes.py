"""The nodes of a run: their record, and how they differ from the session's machine."""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from pytest_training.atomic import write_atomically
from pytest_training.execution.equipment import Equipment, Machine, NodeRecord, equipment
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.records.strict_json import encode
from pytest_training.wording import listing, located

MOST_NAMED = 3  # nodes in one sentence


def note_nodes(run: TrainingRun, nodes: tuple[NodeRecord, ...], *, is_over: bool) -> TrainingRun:
    """Return the run with its nodes in its provenance; at its end add their differences to the run's problems."""
    if run.provenance is None or (len(nodes) == len(run.provenance.nodes) and not (nodes and is_over)):
        return run
    here = equipment(run.plan.imports)
    run.problems.extend(node_problems(nodes, here) if is_over else ())
    recorded = tuple(replace(node, packages=_other_packages(node, here)) for node in nodes)
    provenance = replace(run.provenance, nodes=recorded)
    with run.noting_failure(f"{run.folder.provenance}"):
        write_atomically(run.folder.provenance, encode(provenance, indent=1))
    return replace(run, provenance=provenance)


def node_problems(nodes: Iterable[NodeRecord], here: Equipment) -> Iterator[str]:
    """Yield a sentence about all nodes that were refused for one reason, or that are unlike in the same way."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        kind = ("not used", node.refused) if node.refused else ("unlike this machine", _differences(node, here))
        kinds.setdefault(kind, []).append(located(node.name, node.host))
    for (what, why), names in kinds.items():
        if why:
            yield f"nodes {what}: {listing('', names, limit=MOST_NAMED)}: {why}"


def _differences(node: NodeRecord, here: Equipment) -> str:
    """Return how a node differs in interpreter, packages and kind of machine; its speed does not count."""
    pairs = {"python": (node.python, here.python), "machine": (_kind(node.machine), _kind(here.machine))}
    pairs |= {name: (version, here.packages.get(name, "")) for name, version in _other_packages(node, here).items()}
    unlike = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    return ", ".join(f"{name} {there or 'missing'} ({own or 'missing'} here)" for name, (there, own) in unlike.items())


def _other_packages(node: NodeRecord, here: Equipment) -> dict[str, str]:
    """Return the versions of packages that differ from those here; an empty one is missing on the node."""
    names = () if node.refused else sorted({**node.packages, **here.packages})
    return {name: node.packages.get(name, "") for name in names if node.packages.get(name) != here.packages.get(name)}


def _kind(machine: Machine | None) -> str:
    return f"{machine.system} {machine.architecture}" if machine else ""
