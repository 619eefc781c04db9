"""SIGKILL to each process of a run while jobs train: no process is left, and the reports name every job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sessions import PATIENCE_S, Project
from watching import eventually, is_alive, pid_in, processes_with

from pytest_training.processes import children, tree

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

SLOW = """
Popen([sys.executable, "-c", GRANDCHILD, Path(__file__).stem])
while not Path("go").exists():
    time.sleep(0.01)
return {"score": 1.0}
"""
TOP = '''
import sys, time
from pathlib import Path
from subprocess import Popen

GRANDCHILD = """
import os, sys, time
os.setsid()
open(sys.argv[1] + ".new", "w").write(f"{os.getpid()}\\\\n")
os.rename(sys.argv[1] + ".new", sys.argv[1] + ".pid")
time.sleep(1000)
"""
'''
"""What a slow job starts leads a session of its own; the job waits for a file that the test makes."""


class Session:
    """A session of `slow_a`, `slow_b` and `waiting`, of which the slow ones are training."""

    def __init__(self, project: Project, mark: str) -> None:
        self.project = project
        self.mark = mark
        for name in ("slow_a", "slow_b"):
            project.job(name, SLOW, top=TOP)
        project.job("waiting")

    def start(self, *arguments: str, slow: tuple[str, ...] = ("slow_a", "slow_b")) -> None:
        """Start, and return when the slow jobs have started what they start."""
        self.process = self.project.start(*arguments)
        self.grandchildren = {name: pid_in(self.project.root / f"train_{name}.pid") for name in slow}

    @property
    def workers(self) -> list[int]:
        """The pids of the xdist workers."""
        return [pid for pid in children(self.process.pid) if "exec(eval(" in processes_with(self.mark).get(pid, "")]

    @property
    def keeper_and_server(self) -> list[int]:
        """The pids of the job server's keeper and of the server."""
        (keeper,) = set(children(self.process.pid)) - set(self.workers)
        return tree(keeper)[:2]

    def go_on(self) -> int:
        """Let the slow jobs end, and return the session's exit status."""
        (self.project.root / "go").touch()
        return self.process.wait(PATIENCE_S)

    @property
    def causes(self) -> dict[str, str]:
        """Each job's cause, else its status, from report.json."""
        return {job_id: found["cause"] or found["status"] for job_id, found in self.project.metadata().items()}

    def left(self) -> dict[int, str]:
        """Return the processes of this session that live."""
        return processes_with(self.mark)


@pytest.fixture
def session(tmp_path: Path, mark: str) -> Session:
    return Session(Project(tmp_path / "project"), mark)


@pytest.mark.parametrize(
    ("arguments", "waiting"),
    [((), "passed"), (("--max-worker-restart=0",), "not run")],  # without a restart xdist ends the session
    ids=["restarted", "not restarted"],
)
def test_a_killed_worker_fails_its_job_alone(session: Session, arguments: tuple[str, ...], waiting: str) -> None:
    session.start("-n", "2", *arguments)
    os.kill(session.workers[0], signal.SIGKILL)
    eventually(lambda: not all(map(is_alive, session.grandchildren.values())))
    (lost,) = [name for name, pid in session.grandchildren.items() if not is_alive(pid)]
    (other,) = {"slow_a", "slow_b"} - {lost}
    assert session.go_on() == pytest.ExitCode.TESTS_FAILED
    assert not session.left()
    assert session.causes == {lost: "worker died", other: "passed", "waiting": waiting}
    assert session.project.metadata()[lost]["reason"].startswith("worker died: the pytest process gw")
    assert set(session.project.cases()) == {f"test_training_job[{name}]" for name in session.causes}


def test_when_no_worker_is_left_the_jobs_that_wait_are_in_the_report(session: Session) -> None:
    session.start("-n", "2", "--max-worker-restart=0")
    for worker in session.workers:
        os.kill(worker, signal.SIGKILL)
    assert session.process.wait(PATIENCE_S) not in {pytest.ExitCode.OK, pytest.ExitCode.INTERNAL_ERROR}
    assert not session.left()
    assert session.causes == {"slow_a": "worker died", "slow_b": "worker died", "waiting": "not run"}


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_killed_controller_takes_every_process_along(session: Session, workers: str) -> None:
    slow = ("slow_a", "slow_b") if workers == "2" else ("slow_a",)
    session.start("-n", workers, slow=slow)
    assert len(session.left()) >= 5
    session.process.kill()
    session.process.wait()
    eventually(lambda: not session.left())
    assert not any(map(is_alive, session.grandchildren.values()))
    again = session.project.run("-n", workers, "-k", "waiting")
    again.assert_outcomes(passed=1, deselected=2)


def test_a_killed_job_server_loses_the_jobs_that_ran_and_no_other(session: Session) -> None:
    session.start("-n", "2")
    _, server = session.keeper_and_server
    os.kill(server, signal.SIGKILL)
    assert session.process.wait(PATIENCE_S) == pytest.ExitCode.TESTS_FAILED
    assert not session.left()
    assert session.causes == {"slow_a": "server died", "slow_b": "server died", "waiting": "passed"}


def test_a_killed_keeper_ends_every_job_and_leaves_no_process(session: Session) -> None:
    session.start("-n", "2")
    keeper, _ = session.keeper_and_server
    os.kill(keeper, signal.SIGKILL)
    assert session.process.wait(PATIENCE_S) == pytest.ExitCode.TESTS_FAILED
    eventually(lambda: not session.left())
    assert {session.causes[name] for name in ("slow_a", "slow_b")} == {"server died"}
    assert set(session.causes) == {"slow_a", "slow_b", "waiting"}


def test_plain_subprocesses_end_with_a_killed_controller_too(session: Session) -> None:
    session.project.write("pytest.ini", "[pytest]\ntraining_start = subprocess\n")
    session.project.write("training/train_program.py", "import time\ntime.sleep(1000)\n")
    session.start("-n", "2", "-k", "program or slow_a", slow=("slow_a",))
    eventually(lambda: any("train_program.py" in command for command in session.left().values()))
    session.process.kill()
    session.process.wait()
    eventually(lambda: not session.left())


def test_a_stopped_worker_is_no_dead_one(session: Session) -> None:
    session.start("-n", "2")
    worker = session.workers[0]
    os.kill(worker, signal.SIGSTOP)
    (session.project.root / "go").touch()
    eventually(lambda: not any(map(is_alive, session.grandchildren.values())))
    os.kill(worker, signal.SIGCONT)
    assert session.process.wait(PATIENCE_S) == pytest.ExitCode.OK
    assert set(session.causes.values()) == {"passed"}
    assert not session.left()


def test_the_sessions_of_these_tests_are_seen_by_their_mark(session: Session) -> None:
    session.process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    eventually(lambda: session.process.pid in session.left())
    session.process.communicate(b"\n")
    assert not session.left()
