"""One run over a cluster: where each attempt was, its threads, its cards, and what the node measured of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sessions import Project

from pytest_training.machine import machine_cores

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
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
