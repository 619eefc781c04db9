"""Random SIGKILLs, one in each run, to any process of it: nothing is lost, and resuming ends in equal metrics.

`TRAINING_ENDURANCE=10` has ten times as many kills, with other numbers drawn.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
from pathlib import Path

import pytest
from sessions import PATIENCE_S, Project, strict_json
from watching import eventually, processes_with

from pytest_training.processes import children

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
SEQUENCES = int(os.environ.get("TRAINING_ENDURANCE", "1"))
JOBS = ("a", "b", "c", "d")
STEPS = 80
FACTOR, MODULUS = 48271, 2**31 - 1
BODY = f"""
state = run.checkpoint.load() or {{"step": 0, "value": run.seed + 1}}
for step in range(state["step"], {STEPS}):
    state = {{"step": step + 1, "value": state["value"] * {FACTOR} % {MODULUS}}}
    run.checkpoint.save(**state)
    with open("steps", "ab") as steps:
        steps.write(b".")
    time.sleep(0.005)
return {{"value": state["value"], "steps": state["step"]}}
"""
VALUE = 8
for _ in range(STEPS):
    VALUE = VALUE * FACTOR % MODULUS


class Session:
    """A project that is trained again and again, each time with a kill in the middle."""

    def __init__(self, root: Path, mark: str, seed: int) -> None:
        self.project, self.mark, self.random = Project(root), mark, random.Random(seed)  # noqa: S311  (no secret)
        self.project.write("pytest.ini", "[pytest]\ntraining_seed = 7\n")
        for name in JOBS:
            self.project.job(name, BODY, top="import time")

    @property
    def steps(self) -> int:
        """How many steps all jobs have done so far."""
        path = self.project.root / "steps"
        return path.stat().st_size if path.exists() else 0

    def train(self, victim: str, *, resumed: bool) -> None:
        """Start, kill the victim in the middle, and return when every process has ended."""
        before = self.steps
        self.process = self.project.start("-n", "2", *(["--training-resume"] if resumed else []))
        enough = before + self.random.randrange(1, 60)
        eventually(lambda: self.steps >= enough or self.process.poll() is not None)
        if (pid := self._pid(victim)) is not None:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        eventually(lambda: not processes_with(self.mark))

    def _pid(self, victim: str) -> int | None:
        if victim == "controller":
            return self.process.pid if self.process.poll() is None else None
        below = children(self.process.pid)
        workers = [pid for pid in below if "exec(eval(" in processes_with(self.mark).get(pid, "")]
        keepers = [pid for pid in below if pid not in workers]
        servers = [child for pid in keepers for child in children(pid)]
        jobs = [child for pid in servers for child in children(pid)]
        candidates = {"worker": workers, "keeper": keepers, "job server": servers, "job": jobs}[victim]
        return self.random.choice(candidates) if candidates else None

    def unfinished(self) -> set[str]:
        """Return the jobs that have passed in no run yet; all files of all runs are whole."""
        runs = self.project.reports / "runs"
        for path in runs.rglob("*.json"):
            if not path.name.endswith(".partial"):
                strict_json(path)
        outcomes = {path: strict_json(path) for path in runs.glob("*/jobs/*/outcome.json")}
        passed = {path.parent.name: found for path, found in outcomes.items() if found["status"] == "passed"}
        assert {(found["metrics"]["value"], found["metrics"]["steps"]) for found in passed.values()} <= {(VALUE, STEPS)}
        return {*JOBS} - passed.keys()


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_killed_again_and_again_every_job_ends_with_the_metrics_of_an_undisturbed_one(
    tmp_path: Path, mark: str, seed: int
) -> None:
    session = Session(tmp_path / "project", mark, seed)
    victims = ["controller", "worker", "job server", "keeper", "job"]
    session.random.shuffle(victims)
    beginnings = 0
    for number, victim in enumerate(victims):
        is_resumed = number > 0 and bool(session.unfinished())
        beginnings += not is_resumed
        session.train(victim, resumed=is_resumed)
    for _ in range(3):
        if not session.unfinished():
            break
        session.project.run("-n", "2", "--training-resume")
    assert not session.unfinished()
    connection = sqlite3.connect(session.project.reports / "history.sqlite")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert not processes_with(mark)
    assert session.steps <= beginnings * STEPS * len(JOBS)  # none was done again: it is counted once it is saved
