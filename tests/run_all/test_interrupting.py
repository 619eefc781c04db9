"""Ctrl-C and SIGTERM to run_all_training.py itself: no process is left, and the summary is written."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from watching import eventually, processes_with

from .miniature import Miniature, surroundings

pytestmark = pytest.mark.slow

WAITING = """
import pathlib, subprocess, time

def train(run, *, epochs=1, folds=2):
    subprocess.Popen(["sleep", "300"])
    pathlib.Path({started!r}, {name!r}).touch()
    time.sleep(300)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("parallel", "send"),
    [
        pytest.param(True, os.kill, id="parallel-process"),
        pytest.param(True, os.killpg, id="parallel-group"),  # a terminal's is a group's
        pytest.param(False, os.kill, id="sequential-process"),
        pytest.param(False, os.killpg, id="sequential-group"),
    ],
)
def test_an_interrupted_run_leaves_a_summary_and_no_process(
    miniature: Miniature, tmp_path: Path, number: signal.Signals, send: Callable[[int, int], None], *, parallel: bool
) -> None:
    started = tmp_path / "started"
    started.mkdir()
    for name in ("als", "stroke"):
        miniature.write(f"training/train_{name}.py", WAITING.format(started=str(started), name=name))
    mark = uuid.uuid4().hex
    command = miniature.command(*(["--parallel"] if parallel else []), "--only", "als", "stroke", "diabetes")
    process = subprocess.Popen(
        command,
        cwd=miniature.root,
        env=surroundings() | {"MARK": mark},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    eventually(lambda: len(list(started.iterdir())) == 1 + parallel)
    send(process.pid, number)
    assert process.wait(120) == 130
    eventually(lambda: not processes_with(mark))
    statuses = miniature.statuses()
    assert statuses["als"] == "INTERRUPTED"
    assert statuses["stroke"] == ("INTERRUPTED" if parallel else "SKIPPED")
    assert statuses["diabetes"] != "FAILED"
    assert "interrupted after" in miniature.summary()["jobs"][0]["error"]


def test_a_run_that_is_interrupted_before_it_begins_has_a_summary(miniature: Miniature, tmp_path: Path) -> None:
    miniature.write(
        "conftest.py", f"import pathlib, time\npathlib.Path({str(tmp_path / 'here')!r}).touch()\ntime.sleep(60)\n"
    )
    process = subprocess.Popen(
        miniature.command("--only", "als"), cwd=miniature.root, env=surroundings(), stdout=subprocess.DEVNULL
    )
    eventually((tmp_path / "here").exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 130
    assert miniature.statuses() == {"als": "INTERRUPTED"}


STUCK = """
import pathlib, sys, time

class Stuck:
    def find_spec(self, name, path=None, target=None):
        if name == "pytest":
            pathlib.Path({here!r}).touch()
            time.sleep(60)

sys.meta_path.insert(0, Stuck())
"""


def test_a_run_that_is_interrupted_while_pytest_is_imported_has_a_summary(miniature: Miniature, tmp_path: Path) -> None:
    miniature.write("stuck/sitecustomize.py", STUCK.format(here=str(tmp_path / "here")))
    environment = surroundings() | {"PYTHONPATH": str(miniature.root / "stuck")}
    process = subprocess.Popen(miniature.command("--only", "als"), cwd=miniature.root, env=environment)
    eventually((tmp_path / "here").exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 130
    assert miniature.statuses() == {"als": "INTERRUPTED"}
