"""Each part of a cluster dies while jobs train: true reasons, no process left, and no attempt ever runs twice."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import Client, LocalCluster
from sessions import PATIENCE_S, Project
from watching import eventually, is_alive, pid_in, processes_with

from cluster.dask_nodes import Nodes, line_of
from pytest_training.execution.backends.cluster.answers import scheduler_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

TOP = """
import os, subprocess, sys, time
from pathlib import Path

NAME = Path(__file__).stem
GRANDCHILD = "import os, time; os.setsid(); time.sleep(1000)"

def note(what, pid=None):
    Path(f"{NAME}.new").write_text(f"{pid or os.getpid()}\\n")
    os.rename(f"{NAME}.new", f"{NAME}.{what}")
"""
AGAIN = """
print("pid", os.getpid(), flush=True)
before = run.checkpoint.load()
if before is None:
    note("grandchild", subprocess.Popen([sys.executable, "-c", GRANDCHILD]).pid)
    note("started")
    while True:
        run.checkpoint.save(by=os.getpid())
        time.sleep(0.02)
run.checkpoint.save(by=os.getpid())
note("again")
while not Path("go").exists():
    time.sleep(0.02)
return {"own": run.checkpoint.load()["by"] == os.getpid(), "continued": before["by"] != os.getpid()}
"""
"""The first attempt saves its state again and again; the second goes on from there, and waits for the test."""
WENT = r"worker died: after \d+\.\d s its node .+ on .+ went away"
DIED = r"the job server of node .+ on .+ died while the job ran; see any server\.log in the run folder"
WAYS = {
    "killed": (2, signal.SIGKILL, "worker died", WENT),
    "closed": (
        2,
        signal.SIGTERM,
        "worker died",
        r"worker died: after .+ its node .+ on .+ (went away|was told to close)",
    ),
    "frozen": (
        2,
        signal.SIGSTOP,
        "worker died",
        r"worker died: after .+ its node .+ was not heard of for 8 s and given up",
    ),
    "server": (0, signal.SIGKILL, "server died", DIED),
    "keeper": (1, signal.SIGKILL, "server died", DIED),
    "nanny": (3, signal.SIGKILL, "worker died", WENT),
}
"""Which process above a job gets which signal, and what is said of its first attempt."""


class Session:
    """A project, and what its jobs say of themselves in files."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root / "project")
        self.project.write("pytest.ini", "[pytest]\ntraining_grace = 2s\ntraining_cluster_silence = 8s\n")

    def pid(self, name: str, what: str = "started") -> int:
        """Wait until a job has written its pid."""
        return pid_in(self.project.root / f"train_{name}.{what}")

    def pids(self, names: list[str]) -> list[int]:
        """Return the pids of jobs and of what they have started."""
        return [self.pid(name, what) for name in names for what in ("started", "grandchild")]

    def starts(self, name: str) -> list[int]:
        """Return how many processes wrote into the log of each attempt."""
        logs = sorted(self.project.reports.glob(f"runs/*/jobs/{name}/attempt-*/log.txt"))
        return [log.read_text().count("pid ") for log in logs]


def are_gone(pids: list[int]) -> bool:
    """Return True if no process is alive."""
    return not any(map(is_alive, pids))


@pytest.fixture
def session(tmp_path: Path, mark: str) -> Session:
    return Session(tmp_path)


@pytest.fixture
def nodes(tmp_path: Path, mark: str) -> Nodes:
    return Nodes(tmp_path / "nodes")


def test_an_attempt_whose_node_is_lost_is_made_again_elsewhere(session: Session, nodes: Nodes) -> None:
    nodes.add("kept", has_nanny=True)
    nodes.add(*(f"n{number}" for number in range(1, len(WAYS))))
    project, names = session.project, [f"j{number}" for number in range(len(WAYS))]
    for name in names:
        project.job(name, AGAIN, top=TOP)
    project.write("training/jobs.yaml", "defaults: {retries: 1, retry_on: [crash]}\n")
    process = project.start("--training-cluster", nodes.where)
    first = {name: session.pids([name]) for name in names}
    lines = {name: line_of(first[name][0]) for name in names}
    nodes.add("spare", threads=len(WAYS))
    # The Dask worker of one job is a nanny's child.
    names.sort(key=lambda name: "multiprocessing" in " ".join(lines[name][2].cmdline()))
    ways = dict(zip(names, WAYS, strict=True))
    for name, way in ways.items():
        above, number, *_ = WAYS[way]
        lines[name][above].send_signal(number)
    eventually(lambda: are_gone([pid for name in names if ways[name] != "frozen" for pid in first[name]]))
    for name in names:
        session.pid(name, "again")
    (frozen,) = (name for name in names if ways[name] == "frozen")
    lines[frozen][2].send_signal(signal.SIGCONT)
    eventually(lambda: are_gone(first[frozen]))
    (project.root / "go").touch()
    assert process.wait(PATIENCE_S) == 0, project.said
    (server_log,) = project.reports.glob("runs/*/server.log")
    assert "the job server ended (SIGKILL) with the jobs that ran" in server_log.read_text()
    for name, metadata in project.metadata().items():
        _, _, cause, reason = WAYS[ways[name]]
        (lost, passed), way = metadata["attempts"], ways[name]
        assert (way, lost["cause"], passed["status"]) == (way, cause, "passed")
        assert re.fullmatch(reason, lost["reason"]), lost["reason"]
        assert (way, metadata["metrics"]) == (way, {"own": 1.0, "continued": 1.0})
        assert session.starts(name) == [1, 1]


SLEEPS = """
signal.signal(signal.SIGTERM, goodbye)
print("pid", os.getpid(), flush=True)
note("grandchild", subprocess.Popen([sys.executable, "-c", GRANDCHILD]).pid)
note("started")
while True:
    time.sleep(1000)
"""
GENTLE = (
    """
def goodbye(*_):
    run.checkpoint.save(epoch=7)
    note("told")
    sys.exit(3)
"""
    + SLEEPS
)
DEAF = (
    """
def goodbye(*_):
    note("told")
"""
    + SLEEPS
)


def train(session: Session, where: str, **jobs: str) -> tuple[Any, list[int]]:
    """Start a session, and return it when all its jobs train, with every pid of theirs."""
    for name, body in jobs.items():
        session.project.job(name, body, top=TOP.replace("import os", "import os, signal"))
    process = session.project.start("--training-cluster", where)
    return process, session.pids(list(jobs))


def servers(mark: str) -> list[str]:
    """Return the command lines of job servers and their keepers."""
    return [line for line in processes_with(mark).values() if "fork_server" in line]


@pytest.mark.parametrize("where", ["local:2", "nodes of others"])
def test_a_killed_session_takes_every_job_along_and_later_the_servers(
    session: Session, nodes: Nodes, mark: str, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv("TRAINING_NODE_IDLE_S", "2")
    if where != "local:2":
        nodes.add("n1", "n2")
    before = set(processes_with(mark))
    process, pids = train(session, where if where == "local:2" else nodes.where, one=GENTLE, two=DEAF)
    process.kill()
    eventually(lambda: are_gone(pids))
    eventually(lambda: not servers(mark))
    if where == "local:2":
        eventually(lambda: set(processes_with(mark)) <= before)
    assert (session.starts("one"), session.starts("two")) == ([1], [1])
    assert "Traceback" not in session.project.said


def test_a_killed_scheduler_ends_the_run_with_reports(session: Session, nodes: Nodes) -> None:
    nodes.add("n1", "n2")
    session.project.job("waiting")
    session.project.write(
        "training/jobs.yaml", "jobs: {one: {expected: 9s}, two: {expected: 9s, retries: 1}, waiting: {expected: 1s}}\n"
    )
    process, pids = train(session, nodes.where, one=GENTLE, two=DEAF)
    nodes.scheduler.kill()
    eventually(lambda: are_gone(pids))
    assert process.wait(PATIENCE_S) == pytest.ExitCode.INTERRUPTED
    outcomes = {name: each for name, each in session.project.metadata().items() if name != "waiting"}
    cut_off = r"worker died: after .+ its node .+ on .+ was cut off: .+ scheduler .+"
    assert outcomes.keys() == {"one", "two"}
    for name, each in outcomes.items():
        assert re.fullmatch(cut_off, each["reason"]), each["reason"]
        assert (len(each["attempts"]), each["log"].endswith(f"jobs/{name}/attempt-1/log.txt")) == (1, True)
    assert session.project.statuses()["waiting"] == "not run"
    assert "the cluster's scheduler is gone" in session.project.said
    assert "Traceback" not in session.project.said


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_every_job_on_every_node(session: Session, mark: str, times: int) -> None:
    process, pids = train(session, "local:2", gentle=GENTLE, deaf=DEAF)
    process.send_signal(signal.SIGINT)
    session.pid("gentle", "told")
    session.pid("deaf", "told")
    if times == 2:
        process.send_signal(signal.SIGINT)
    eventually(lambda: are_gone(pids))
    assert process.wait(PATIENCE_S) == pytest.ExitCode.INTERRUPTED
    project = session.project
    assert {name: each["cause"] for name, each in project.metadata().items()} == dict.fromkeys(
        ("gentle", "deaf"), "interrupted"
    )
    assert all(each["wall_s"] > 0 for each in project.metadata().values())
    assert list(project.reports.glob("runs/*/jobs/gentle/checkpoint/state.zip"))
    assert "Traceback" not in project.said
    eventually(lambda: not processes_with(mark))


def test_each_look_at_the_cluster_shows_every_node() -> None:
    with (
        dask.config.set({"distributed.client.scheduler-info-interval": "1ms"}),
        LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        seen = {len(scheduler_of(client, 30.0)["workers"]) for _ in range(1500)}
        assert seen == {1}, "the client empties what it keeps of the scheduler's nodes from time to time"
