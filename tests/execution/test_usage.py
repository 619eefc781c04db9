"""Tests of usage.json: what a node measures is what is shown, and no local process of the same number is."""

from __future__ import annotations

import contextlib
import math
import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.execution.attempt.messages import Place, Usage
from pytest_training.execution.backends.fork_server.backend import ServerLauncher, start_server
from pytest_training.execution.backends.protocol import Launcher
from pytest_training.execution.backends.subprocess import SubprocessLauncher
from pytest_training.execution.folder import AttemptFolder, RunFolder
from pytest_training.execution.job_files import read_json
from pytest_training.execution.outcome import Attempt, Status
from pytest_training.execution.unfinished import unfinished_outcome
from pytest_training.jobs.model import Job
from pytest_training.reporters import watch
from pytest_training.reporters.watch import WatchedJob

from .workplace import Workplace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nodes need Linux")
PLACE = Place(node="w3", host="node17", threads=3)
LARGE = """
import json, time
held = bytearray(b"x") * (80 * 2**20)
usage = run.folder.with_name("usage.json")
while "place" in run.folder.parent.name and (not usage.exists() or json.loads(usage.read_text())["memory_mb"] < 80):
    time.sleep(0.01)
return {"score": 1}
"""
JOB = Job(id="als", kind="function", source="", home="", root="")


@pytest.fixture(params=["fork", "subprocess"])
def launcher(request: pytest.FixtureRequest, workplace: Workplace) -> Iterator[Launcher]:
    if request.param == "subprocess":
        yield SubprocessLauncher()
        return
    with contextlib.closing(start_server([], log=workplace.root / "server.log", seed=0)) as server:
        yield ServerLauncher(server.address)


def test_who_executes_an_attempt_for_another_machine_writes_what_it_uses(
    launcher: Launcher, workplace: Workplace
) -> None:
    job = workplace.function(LARGE)
    requests = [
        workplace.request(msgspec.structs.replace(job, id=name), place=place)
        for name, place in (("place", PLACE), ("here", None))
    ]
    assert [launcher.launch(each).ending.exit_status for each in requests] == [0, 0]
    there, here = (read_json(each.files.usage, Usage) for each in requests)
    assert here is None
    assert there is not None
    assert (there.node, there.host, there.threads, there.still_s) == ("w3", "node17", 3, 0.0)
    assert there.pid != os.getpid()
    assert 80 <= there.memory_mb < 150
    assert abs(time.time() - there.at) < 100


def attempt(folder: RunFolder, number: int = 1, **usage: Any) -> AttemptFolder:
    """Return the folder of an attempt that has begun; this very process is the one that its events name."""
    files = folder.job("als").attempt(number)
    files.create()
    files.events.write_text(f'{{"t": 0.0, "pid": {os.getpid()}}}\n')
    files.started.write_bytes(msgspec.json.encode(Attempt(number=number, status=Status.INTERRUPTED, slot="w3")))
    if usage:
        files.usage.write_bytes(msgspec.json.encode(usage))
    return files


SAID: dict[str, Any] = {
    "node": "w3",
    "host": "node17",
    "threads": 3,
    "pid": os.getpid(),
    "memory_mb": 7.0,
    "still_s": 0.0,
    "at": 1.0,
}


@pytest.mark.parametrize(
    ("usage", "is_elsewhere", "memory_mb", "slot"),
    [
        ({}, True, None, "w3"),
        (SAID, True, 7.0, "w3 on node17"),
        (SAID | {"host": socket.gethostname()}, True, 7.0, "w3"),
        (SAID | {"memory_mb": 0.0}, True, None, "w3 on node17"),
        (SAID | {"node": "\x1b[2Jw" * 30}, True, 7.0, None),
        (SAID | {"memory_mb": "much"}, True, None, "w3"),
        ({}, False, math.nan, "w3"),
    ],
    ids=["nothing said yet", "another machine", "this machine", "no memory", "escapes", "damaged", "without a cluster"],
)
def test_the_live_view_takes_memory_from_the_node_and_never_from_a_local_pid_of_the_same_number(
    tmp_path: Path, *, usage: dict[str, Any], is_elsewhere: bool, memory_mb: float | None, slot: str | None
) -> None:
    folder = RunFolder(tmp_path, "r")
    attempt(folder, **usage)
    watched = WatchedJob(JOB, None, is_elsewhere=is_elsewhere)
    watched.poll(folder)
    assert watched.slot == slot or (slot is None and watched.slot.isprintable() and len(watched.slot) <= 24)
    if memory_mb is not None and math.isnan(memory_mb):
        assert watched.memory_mb is not None  # this process's own
    else:
        assert watched.memory_mb == memory_mb


def test_a_silent_node_is_said_and_the_next_attempt_begins_with_nothing_of_the_last(tmp_path: Path) -> None:
    folder, watched = RunFolder(tmp_path, "r"), WatchedJob(JOB, None, is_elsewhere=True)
    attempt(folder, **SAID | {"still_s": 700.0})
    watched.poll(folder)
    assert watched.values() == "stalled: no output and no CPU for 11 min 40 s"
    watched.heard -= 2 * watch.SILENT_AFTER_S
    assert re.fullmatch(r"no word from its node for 2\d\.\d s", watched.values())
    attempt(folder, 2)
    watched.poll(folder)
    assert (watched.memory_mb, watched.values(), watched.slot) == (None, "", "w3")


def test_of_a_killed_run_an_attempt_is_where_its_node_said(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "r")
    attempt(folder, **SAID | {"node": "w4"})
    attempt(folder, 2)
    outcome = unfinished_outcome(folder, JOB, seed=0, slot="", cause="interrupted", reason="killed")
    assert [(each.slot, each.host, each.threads) for each in outcome.attempts] == [("w4", "node17", 3), ("w3", "", 1)]
