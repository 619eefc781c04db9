"""Tests of nodes that are unlike the session's machine: what is said, what is recorded, which are not used."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import pytest
from distributed import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sessions import Project
from watching import eventually

from cluster.dask_nodes import is_whole
from pytest_training.atomic import write_atomically
from pytest_training.execution.backends.cluster.orders import NodeFacts
from pytest_training.execution.backends.cluster.refusals import read_facts
from pytest_training.execution.equipment import Equipment, Machine, NodeRecord, equipment
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Attempt, Outcome, Status
from pytest_training.jobs.model import Job
from pytest_training.records.nodes import node_problems
from pytest_training.records.run_record import provenance
from pytest_training.reporters.cards.record import JobRecord

HERE = metadata.version("pytest-training")
INSTALL = f"/venv/bin/python -m pip install 'pytest-training[cluster]=={HERE}'"
FACTS = NodeFacts(
    id="w",
    host="h",
    cores=1,
    cpus=(0,),
    memory_mb=1.0,
    cards={},
    shares_files=True,
    scratch="/scratch",
    executable="python",
    prefix="/usr",
    equipment=equipment(["numpy"]),
)


class Answering:
    """A client of one node that answers so: its version of pytest-training, and its folder of programs."""

    def __init__(self, version: str | Exception, scripts: str | Exception = "/venv/bin") -> None:
        self.answers = {"version": version, "get_path": scripts}

    def run(self, function: Callable[..., Any], *_: object, workers: list[str], **__: object) -> dict[str, object]:
        assert function.__module__ in {"importlib.metadata", "sysconfig"}  # every node has these, whatever is installed
        return {workers[0]: self.answers[function.__name__]}


def of_version(version: str) -> bytes:
    packages = {**FACTS.equipment.packages, "pytest-training": version}
    return msgspec.json.encode(
        msgspec.structs.replace(FACTS, equipment=msgspec.structs.replace(FACTS.equipment, packages=packages))
    )


MISSING = metadata.PackageNotFoundError("pytest-training")


@pytest.mark.parametrize(
    ("answer", "version", "said"),
    [
        (ModuleNotFoundError("No module named 'pytest_training'"), MISSING, f"is not installed there: {INSTALL}"),
        (of_version("0.0.1"), "0.0.1", f"0.0.1 is installed there, {HERE} here: {INSTALL}"),
        (b'{"id": "w", "novelty": 1}', "9.9", f"9.9 is installed there, {HERE} here: {INSTALL}"),
        (TypeError("describe() takes 1 argument"), "0.0.1", f"0.0.1 is installed there, {HERE} here: {INSTALL}"),
        (ImportError("libc.so.6"), HERE, "does not work there: ImportError: libc.so.6"),
    ],
    ids=["missing", "an older one", "a newer one with other facts", "one of another protocol", "one that is broken"],
)
def test_a_node_without_the_sessions_version_is_told_how_it_gets_it(
    answer: object, version: str | Exception, said: str
) -> None:
    assert read_facts(Answering(version), "tcp://h:1", answer) == f"pytest-training {said}"


def test_a_node_of_the_same_version_is_used_and_one_that_goes_meanwhile_is_asked_again() -> None:
    assert read_facts(Answering(HERE), "tcp://h:1", msgspec.json.encode(FACTS)) == FACTS
    with pytest.raises(OSError, match="gone"):
        read_facts(Answering(OSError("gone")), "tcp://h:1", OSError("gone"))


MACHINE = Machine(id="m", system="Linux", architecture="x86_64", processor="fast", cpus=8, memory_gib=8.0)
SESSION = Equipment(python="3.11.7", packages={"numpy": "2.1", "pandas": "2.2"}, machine=MACHINE)


def node(name: str, *, host: str = "", refused: str = "", **unlike: Any) -> NodeRecord:
    fields = {name: getattr(SESSION, name) for name in SESSION.__struct_fields__}
    return NodeRecord(**{**fields, **unlike}, name=name, host=host, refused=refused)


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([node("a"), node("b", host="h")], []),
        ([node("a", machine=msgspec.structs.replace(MACHINE, id="o", processor="slow", cpus=2))], []),
        ([node("a", python="3.12.1")], ["unlike this machine: a: python 3.12.1 (3.11.7 here)"]),
        (
            [node("a", host="h", packages={"numpy": "1.26"})],
            ["unlike this machine: a on h: numpy 1.26 (2.1 here), pandas missing (2.2 here)"],
        ),
        (
            [node("a", packages={**SESSION.packages, "torch": "2"})],
            ["unlike this machine: a: torch 2 (missing here)"],
        ),
        (
            [node("a", machine=msgspec.structs.replace(MACHINE, architecture="aarch64"))],
            ["unlike this machine: a: machine Linux aarch64 (Linux x86_64 here)"],
        ),
        (
            [*(node(name, python="3.12.1") for name in "abcde"), node("f"), node("g", python="3.13.0")],
            [
                "unlike this machine: a, b, c and 2 more: python 3.12.1 (3.11.7 here)",
                "unlike this machine: g: python 3.13.0 (3.11.7 here)",
            ],
        ),
        (
            [node("a", refused="why", python="", packages={}, machine=None), node("b", refused="why")],
            ["not used: a, b: why"],
        ),
    ],
    ids=[
        "alike",
        "a slower machine",
        "python",
        "packages",
        "more packages",
        "kind of machine",
        "many",
        "refused",
    ],
)
def test_what_is_unlike_is_said_once_for_all_nodes_that_are_so(nodes: list[NodeRecord], said: list[str]) -> None:
    assert [*node_problems(nodes, SESSION)] == [f"nodes {each}" for each in said]


@pytest.mark.parametrize(
    ("slot", "host", "python", "packages"),
    [
        ("a", "h", "3.12.1", {"numpy": "1.26", "torch": "2"}),
        ("a", "", "3.11.7", {"numpy": "2.1", "pandas": "2.2"}),
        ("r", "", "3.11.7", {"numpy": "2.1", "pandas": "2.2"}),
        ("gw0", "", "3.11.7", {"numpy": "2.1", "pandas": "2.2"}),
    ],
    ids=["an unlike node", "a node of that name elsewhere", "one that was not used", "no node"],
)
def test_a_card_states_the_versions_of_the_node_that_trained(
    tmp_path: Path, slot: str, host: str, python: str, packages: dict[str, str]
) -> None:
    unlike = {"numpy": "1.26", "pandas": "", "torch": "2"}
    nodes = (node("a", host="h", python="3.10"), node("a", host="h", python="3.12.1", packages=unlike))
    own = replace(provenance(tmp_path), python="3.11.7", packages=SESSION.packages)
    source = replace(own, nodes=(*nodes, node("r", refused="why")))
    run, attempt = RunFolder(tmp_path, "r"), Attempt(number=1, status=Status.PASSED, slot=slot, host=host)
    write_atomically(run.provenance, msgspec.json.encode(source))
    outcome = Outcome(job_id="j", kind="function", title="", status=Status.PASSED, metrics={"auc": 1.0})
    outcome = replace(outcome, attempts=(attempt,), interval_method="bootstrap")
    record = JobRecord.read(Job(id="j", kind="function", source="", home="", root=""), outcome, run, ())
    assert record is not None
    assert record.provenance is not None
    assert (record.provenance.python, record.provenance.packages) == (python, packages)


VERSIONS = st.dictionaries(st.sampled_from(["numpy", "pandas", "torch"]), st.sampled_from(["1", "2"]))


@settings(max_examples=60)
@given(nodes=st.lists(VERSIONS, max_size=5), here=VERSIONS)
def test_a_sentence_comes_exactly_with_a_difference(nodes: list[dict[str, str]], here: dict[str, str]) -> None:
    records = [node(str(number), packages=each) for number, each in enumerate(nodes)]
    said = [*node_problems(records, msgspec.structs.replace(SESSION, packages=here))]
    assert len(said) == len({tuple(sorted(each.items())) for each in nodes if each != here})
    for number, each in enumerate(nodes):
        own = [words for words in said if f" {number}," in words.partition(": ")[2] or f" {number}:" in words]
        assert all((name in own[0]) == (each.get(name) != here.get(name)) for name in {*each, *here} if own)


ODD = """
import platform, sys
from importlib import metadata
kind, address = sys.argv[1:]
real = metadata.version
if kind == "missing":
    sys.modules["pytest_training"] = None
def version(name):
    if name == "pytest-training" and kind == "missing":
        raise metadata.PackageNotFoundError(name)
    return {"msgspec": "0.0.9"}.get(name, real(name)) if kind == "other" else real(name)
metadata.version = version
if kind == "other":
    platform.python_version = lambda: "3.14.9"
from distributed.cli import dask_worker
if __name__ == "__main__":
    dask_worker.main([address, "--name", kind, "--no-nanny", "--nthreads", "1", "--no-dashboard"])
"""
"""A Dask worker in an environment without pytest-training, or with other versions."""


@pytest.fixture
def odd_cluster(tmp_path: Path) -> Iterator[str]:
    """Yield the address of a scheduler with a node without pytest-training and one with other versions."""
    file = tmp_path / "scheduler.json"
    (tmp_path / "odd.py").write_text(ODD)
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    started = [
        subprocess.Popen(
            [*dask, "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)],
            stderr=subprocess.DEVNULL,
        )
    ]
    try:
        eventually(lambda: is_whole(file))
        address = json.loads(file.read_text())["address"]
        for kind in ("missing", "other"):
            odd = [sys.executable, str(tmp_path / "odd.py"), kind, address]
            started.append(subprocess.Popen(odd, stderr=subprocess.DEVNULL, cwd=tmp_path))
        with Client(address) as client:
            client.wait_for_workers(2, timeout=60)
        yield address
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_run_says_and_records_which_nodes_are_unlike_this_machine(odd_cluster: str, tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.jobs("a")
    result = project.run(f"--training-cluster={odd_cluster}")
    assert result.ret == 0, result.outlines
    training = project.report()["training"]
    here = equipment([])
    own = f"({here.python} here), msgspec 0.0.9 ({here.packages['msgspec']} here)"
    (unlike,) = [words for words in training["problems"] if words.startswith("nodes unlike")]
    assert unlike == f"nodes unlike this machine: other: python 3.14.9 {own}"
    nodes = {each["name"]: each for each in training["nodes"]}
    assert (nodes["other"]["python"], nodes["other"]["packages"]) == ("3.14.9", {"msgspec": "0.0.9"})
    (refused,) = [words for words in training["problems"] if words.startswith("nodes not used")]
    assert refused.startswith("nodes not used: missing")
    assert "pytest-training is not installed there: " in refused
    assert nodes["missing"]["refused"]
    page = (project.reports / "index.html").read_text(encoding="utf-8")
    assert ">Node other</th><td>Python 3.14.9, " in page
    assert ">Node missing</th><td>" in page
    record = json.loads((project.reports / training["folder"] / "provenance.json").read_text())
    assert record["nodes"] == training["nodes"]
