"""What stands after `--training-cluster`, parsed and checked without Dask; nothing is reached or started."""

import contextlib
import importlib.util
import ipaddress
import json
import re
import symtable
import sys
from pathlib import Path
from urllib.parse import urlsplit

from pytest_training.errors import FROM_OTHERS, DeclarationError
from pytest_training.jobs.model import Value
from pytest_training.machine import machine_cores
from pytest_training.wording import counted, listing, nearest, one_of

HOST = r"(?:[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+\])"
PORT = r"(?!0+\b)(?:[0-5]?\d{1,4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])"
LOGIN = re.compile(rf"(?:([\w.-]+)@)?({HOST})(?::({PORT}))?")
QUEUES = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "sge": "SGECluster", "lsf": "LSFCluster"}
QUEUES |= {"htcondor": "HTCondorCluster"}
"""Classes of dask-jobqueue."""
SHAPES = {
    "local": (
        r"local(?::([1-9]\d{0,2}x)?[1-9]\d{0,2})?",
        "local:N or, for N nodes of M cores, local:NxM; each 1 to 999",
    ),
    "tcp": (rf"tcp://{HOST}:{PORT}", "the address of a Dask scheduler, like tcp://head:8786"),
    "tls": (rf"tls://{HOST}:{PORT}", "the address of a Dask scheduler, like tls://head:8786"),
    "file": (r"file:.+", "file:PATH of what a Dask scheduler writes with --scheduler-file PATH"),
    "ssh": (rf"ssh:{LOGIN.pattern}(?:,{LOGIN.pattern})*", "hosts, like ssh:host1,ann@host2,host3:2222"),
    **{name: (name, f"{name} alone: its settings stand in Dask's jobqueue.yaml") for name in QUEUES},
}
"""The pattern of each form by its first word, and its description in messages."""


class Where(Value, frozen=True, kw_only=True):
    """A cluster, as the user names it."""

    kind: str  # a first word of SHAPES, or `function`
    label: str  # how reports name it
    typed: str  # how the user names it
    does: str  # what the session does with it: `start 1 node of 4 cores on this machine`
    address: str = ""  # of a scheduler that others have started
    nodes: int | None = None  # of `local`
    cores: int = 1  # of each node of `local`
    hosts: tuple[tuple[str, str, str], ...] = ()  # of `ssh`: user, host and port, each as it was typed or empty


def parse_where(text: str, source: str, folders: tuple[Path, ...]) -> Where:
    """Return what the text names; raise DeclarationError if it is wrong or not in the folders."""
    kind, _, rest = text.partition(":")
    if kind not in SHAPES:
        return _function(text, source, folders)
    pattern, expected = SHAPES[kind]
    if not re.fullmatch(pattern, text, re.ASCII):
        raise DeclarationError(f"{source}: expected {expected}, found {text[:200]!r}")
    if kind == "local":
        # One worker for all its cores: jobs share what is imported (12 of scikit-learn: a third of four workers' CPU).
        nodes, cores = (int(each or 1) for each in (rest or str(machine_cores())).rpartition("x")[::2])
        does = f"start {counted(nodes, 'node')} of {counted(cores, 'core')} on this machine"
        return Where(kind=kind, typed=text, label=kind, does=does, nodes=nodes, cores=cores)
    if kind == "ssh":
        logins = tuple(match.groups("") for each in rest.split(",") if (match := LOGIN.fullmatch(each)))
        hosts = tuple(dict.fromkeys((user, host, port) for user, host, port in logins))
        machines = listing("", [host for _, host, _ in hosts])
        return Where(kind=kind, typed=text, label=kind, does=f"start nodes over SSH on {machines}", hosts=hosts)
    if kind in {"tcp", "tls", "file"}:
        address = _in_file(rest, source, folders) if kind == "file" else text
        return Where(kind=kind, typed=text, label=address, does=f"use the Dask cluster at {address}", address=address)
    return Where(kind=kind, typed=text, label=kind, does=f"submit nodes as {kind} jobs")


def _in_file(name: str, source: str, folders: tuple[Path, ...]) -> str:
    for path in [each / name for each in folders]:
        with contextlib.suppress(OSError, ValueError):  # none of that name, or no JSON
            content = json.loads(path.read_bytes())
            address = content.get("address") if isinstance(content, dict) else None
            if isinstance(address, str) and urlsplit(address).hostname:
                return address
    raise DeclarationError(f"{source}: expected {SHAPES['file'][1]}, found none in {name[:200]!r}")


def _function(text: str, source: str, folders: tuple[Path, ...]) -> Where:
    module, _, function = text.partition(":")
    if not function.isidentifier() or not all(map(str.isidentifier, module.split("."))):
        is_address = re.fullmatch(rf"{HOST}:{PORT}", text, re.ASCII) and not nearest(module, SHAPES, cutoff=0.75)
        forms = one_of(module, [*SHAPES, "MODULE:FUNCTION"], cutoff=0.6)
        hint = f"did you mean 'tcp://{text}'?" if is_address else forms
        raise DeclarationError(f"{source}: expected a cluster, found {text[:200]!r}: {hint}")
    sys.path[:0] = [str(each) for each in folders if str(each) not in sys.path]
    try:
        spec = importlib.util.find_spec(module)
    except FROM_OTHERS:  # the package around it cannot be imported
        spec = None
    if spec is None:
        near = nearest(module, SHAPES, cutoff=0.6)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DeclarationError(f"{source}: no module {module!r} for {text!r} in {folders[-1]} or among packages{hint}")
    names = _names(spec.origin)
    if names is not None and function not in names:
        raise DeclarationError(f"{source}: {spec.origin} has no {function!r}: {one_of(function, sorted(names))}")
    return Where(kind="function", typed=text, label=text, does=f"start the cluster that {text} returns")


def _names(origin: str | None) -> set[str] | None:
    """Return the names that a module's file may define, or None if only its import can tell."""
    try:
        source = importlib.util.decode_source(Path(origin or "").read_bytes())
        symbols = symtable.symtable(source, origin or "", "exec").get_symbols()
    except (OSError, ValueError, SyntaxError):
        return None
    names = {each.get_name() for each in symbols if each.is_assigned() or each.is_imported()}
    return None if "import *" in source else names


def is_open(address: str) -> bool:
    """Return True if what crosses to a Dask address is not encrypted and leaves this machine."""
    parts = urlsplit(address)
    if parts.scheme in {"tls", "wss", "inproc"} or parts.hostname == "localhost":
        return False
    try:
        return not ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return True
