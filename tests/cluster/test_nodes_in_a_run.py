"""One run over a cluster: where each attempt was, its threads, its cards, and what the node measured of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sessions import Project
from terminal import Terminal
from watching import eventually

from pytest_training.machine import machine_cores

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
CARDS = """
import os, time
cards = os.environ["CUDA_VISIBLE_DEVICES"]
taken = run.folder.parents[2] / f"card-{cards}"
if cards:
    taken.touch(exist_ok=False)
usage = run.folder.with_name("usage.json")
while not usage.exists():
    time.sleep(0.01)
if cards:
    taken.unlink()
return {"card": float(cards or -1), "threads": float(os.environ["OMP_NUM_THREADS"])}
"""
"""Fails if another job has its card."""


def test_each_attempt_is_recorded_with_its_node_its_threads_and_has_its_cards_alone(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for name in ("a", "b", "c", "none"):
        project.job(name, CARDS)
    project.write("training/jobs.yaml", "jobs:\n" + "".join(f"  {name}:\n    gpus: 1\n" for name in "abc"))
    result = project.run("--training-cluster=local:2x1", env={"CUDA_VISIBLE_DEVICES": "4,7"})
    assert result.ret == 0, result.outlines
    jobs = project.metadata()
    threads = max(1, machine_cores() // 2)
    assert {each["metrics"]["card"] for each in jobs.values()} == {4, 7, -1}
    assert jobs["none"]["metrics"] == {"card": -1, "threads": threads}
    for each in jobs.values():
        (attempt,) = each["attempts"]
        assert (attempt["threads"], each["threads"], attempt["host"]) == (threads, threads, "")
        assert attempt["slot"] == each["worker"]
        usage = json.loads((project.reports / attempt["folder"] / "usage.json").read_text())
        assert usage["node"] == attempt["slot"]


WAITING = """
import os, pathlib, time
held = bytearray(b"x") * (100 * 2**20)
run.log(epoch=3)
run.progress(1, 4)
while not pathlib.Path("go").exists():
    time.sleep(0.01)
return {"score": 0.5}
"""


@pytest.mark.parametrize("secret", [False, True], ids=["plain", "with a secret"])
def test_the_live_view_shows_the_node_and_what_it_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, secret: bool
) -> None:
    """The numbers of a job with a secret stay hidden until its end; its memory is no secret."""
    monkeypatch.setenv("TOKEN", "sesame")
    project = Project(tmp_path)
    project.job("waiting", WAITING, parameters="token: str = ''" if secret else "")
    if secret:
        project.write("training/jobs.yaml", "jobs:\n  waiting:\n    secret: {token: TOKEN}\n")
    with Terminal(project.root, "--training-cluster=local:2") as terminal:
        shown = [r"1\d\d MiB", "waiting"] + ["epoch 3"] * (not secret)

        def rows() -> list[str]:
            return [row for row in terminal.rows() if all(re.search(each, row) for each in shown)]

        terminal.until(rows)
        (row,) = rows()
        (usage,) = project.reports.glob("runs/*/jobs/waiting/attempt-1/usage.json")
        assert row.split()[0] == json.loads(usage.read_text())["node"]
        assert ("epoch 3" in row) == (not secret)
        (provenance,) = project.reports.glob("runs/*/provenance.json")  # a run that is killed has it
        assert [each["name"] for each in json.loads(provenance.read_text())["nodes"]] == ["0"]
        (project.root / "go").touch()
        assert terminal.end() == 0


def test_lines_say_the_node_of_a_job_that_takes_long(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.job("waiting", WAITING)
    session = project.start("--training-cluster=local:2", "-o", "training_heartbeat=1s")
    try:
        eventually(lambda: re.search(r"running waiting  for .*, on 0, 25 %, epoch 3, 1\d\d MiB", project.said))
    finally:
        (project.root / "go").touch()
        assert session.wait(120) == 0, project.said


GOSSIP = """
import threading, time
threading.Thread(target=time.sleep, args=(600,), name="gossip", daemon=True).start()
"""


def test_the_run_says_what_the_job_servers_of_nodes_cannot_import(tmp_path: Path) -> None:
    """Each of two nodes finds out; the sentence comes once."""
    project, libraries = Project(tmp_path / "project"), tmp_path / "libraries"
    libraries.mkdir()
    (libraries / "gossip.py").write_text(GOSSIP, encoding="utf-8")
    for name in ("a", "b"):
        project.job(name, top="import gossip\n")
    result = project.run("--training-cluster=local:2x1", env={"PYTHONPATH": str(libraries)})
    assert result.ret == 0, result.outlines
    said = [each for each in project.report()["training"]["problems"] if each.startswith("the jobs import gossip for")]
    assert [each.partition(": ")[2].partition(" and")[0] for each in said] == ["that starts a thread (gossip),"]
