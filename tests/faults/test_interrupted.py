"""A signal that ends a run: jobs get their grace period, no process is left, and every report names every job."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import sys
from pathlib import Path

import pytest
from sessions import PATIENCE_S, Project
from watching import eventually, pid_in, processes_with

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
SLOW = pytest.mark.slow
"""The rest of a matrix of which the quick suite has what is most likely to fail."""

TOP = """
import os, signal, subprocess, sys, time
from pathlib import Path

NAME = Path(__file__).stem
GRANDCHILD = "import os, time; os.setsid(); time.sleep(1000)"

def note(what):
    Path(NAME + ".new").write_text(f"{os.getpid()}\\n")
    os.rename(NAME + ".new", f"{NAME}.{what}")
"""
GENTLE = """
def goodbye(*_):
    run.checkpoint.save(epoch=7)
    note("told")
    sys.exit(3)

signal.signal(signal.SIGTERM, goodbye)
subprocess.Popen([sys.executable, "-c", GRANDCHILD])
note("started")
time.sleep(1000)
"""
"""Saves a checkpoint in its grace period."""
DEAF = """
signal.signal(signal.SIGTERM, lambda *_: note("told"))
subprocess.Popen([sys.executable, "-c", GRANDCHILD])
note("started")
while True:
    time.sleep(1000)
"""
"""Hears of the end and goes on."""
JOBS = {"deaf": DEAF, "gentle": GENTLE, "other": GENTLE, "waiting": "return {'score': 1.0}"}
ORDER = "jobs: {deaf: {expected: 9s}, gentle: {expected: 8s}, other: {expected: 7s}, waiting: {expected: 1s}}\n"


class Session:
    """A session of which the jobs that have a slot are training."""

    def __init__(self, root: Path, mark: str) -> None:
        self.project = Project(root)
        self.mark = mark
        for name, body in JOBS.items():
            self.project.job(name, body, top=TOP)
        self.project.write("training/jobs.yaml", ORDER)

    def start(self, workers: int, grace: str, *arguments: str, running: tuple[str, ...] = ()) -> None:
        """Start in a session of its own, as a terminal does, and return when as many jobs as can do train."""
        self.project.write("pytest.ini", f"[pytest]\ntraining_grace = {grace}\n")
        self.process = self.project.start("-n", str(workers), *arguments)
        self.running = running or ("deaf", "gentle", "other")[: max(workers, 1)]
        for name in self.running:
            pid_in(self.project.root / f"train_{name}.started")

    def send(self, number: signal.Signals, *, group: bool) -> None:
        """Send a signal to pytest alone, or to all that a terminal would send it to."""
        (os.killpg if group else os.kill)(self.process.pid, number)

    def told(self) -> set[str]:
        """Return the jobs that SIGTERM has reached."""
        return {name for name in JOBS if (self.project.root / f"train_{name}.told").exists()}

    def known_of_attempt(self, name: str) -> str:
        """Return what is on disk of a job's first attempt."""
        (known,) = self.project.reports.glob(f"runs/*/jobs/{name}/attempt-1/started.json")
        return known.read_text()

    def left(self) -> dict[int, str]:
        """Return the processes of this session that live."""
        return processes_with(self.mark)


@pytest.fixture
def session(tmp_path: Path, mark: str) -> Session:
    return Session(tmp_path / "project", mark)


def assert_all_is_told(session: Session) -> None:
    """Assert what holds of every interrupted run: exit code, statuses in all reports, and no process."""
    assert session.process.wait(PATIENCE_S) == pytest.ExitCode.INTERRUPTED
    assert not session.left()
    expected = {name: "interrupted" if name in session.running else "not run" for name in JOBS}
    assert session.project.statuses() == expected
    assert session.project.report()["exitcode"] == pytest.ExitCode.INTERRUPTED
    assert {name: found["cause"] for name, found in session.project.metadata().items() if found["reason"]} == {
        name: "interrupted" if name in session.running else None for name in JOBS
    }
    cases = session.project.cases()
    assert set(cases) == {f"test_training_job[{name}]" for name in JOBS}
    for name, status in expected.items():
        found = {child.tag for child in cases[f"test_training_job[{name}]"]}
        assert ("failure" if status == "interrupted" else "skipped") in found, (name, found)
    assert recorded(session.project.reports / "history.sqlite") == expected


def recorded(history: Path) -> dict[str, str]:
    connection = sqlite3.connect(history)
    try:
        return dict(connection.execute("SELECT job_id, status FROM outcomes"))
    finally:
        connection.close()


@pytest.mark.parametrize("workers", [0, 3], ids=["alone", "workers"])
@pytest.mark.parametrize("group", [pytest.param(False, marks=SLOW), True], ids=["process", "group"])
@pytest.mark.parametrize(
    "number",
    [
        *(signal.SIGINT, signal.SIGTERM),
        *(pytest.param(each, marks=SLOW) for each in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)),
    ],
    ids=lambda number: number.name,
)
def test_a_signal_ends_the_run_gently(session: Session, number: signal.Signals, *, group: bool, workers: int) -> None:
    session.start(workers, "1s")
    session.send(number, group=group)
    assert_all_is_told(session)
    stopping = f"stopping {', '.join(session.running)}: up to 1 s to save; Ctrl-C again kills them\n"
    assert session.project.said.count(stopping) == 1, session.project.said
    assert "\ngo on: pytest --training-resume\n" in session.project.said
    assert session.told() == set(session.running)
    endings = {
        name: found["attempts"][-1]["ending"]
        for name, found in session.project.metadata().items()
        if name in session.running
    }
    assert {name: ending["ended_by"] for name, ending in endings.items()} == dict.fromkeys(
        session.running, "interrupted"
    )
    assert endings["deaf"]["signal"] == "SIGKILL"
    assert endings["deaf"]["wall_s"] >= 1
    if workers:
        assert endings["gentle"]["signal"] is None
        assert list(session.project.reports.glob("runs/*/jobs/gentle/checkpoint/*"))


@SLOW
@pytest.mark.parametrize(("number", "start"), [(signal.SIGUSR1, "fork"), (signal.SIGUSR2, "subprocess")])
def test_a_scheduler_that_warns_every_process_ends_the_run_gently_too(
    session: Session, number: signal.Signals, start: str
) -> None:
    session.start(3, "1s", "-o", f"training_start={start}")
    for pid in session.left():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    assert_all_is_told(session)
    assert session.told() == set(session.running)
    assert list(session.project.reports.glob("runs/*/jobs/gentle/checkpoint/*"))


PLAIN = "note('started')\ntime.sleep(1000)"
SHELL = "echo $$ > train_shell.new; mv train_shell.new train_shell.started; exec sleep 1000"


@pytest.mark.parametrize("start", ["fork", pytest.param("subprocess", marks=SLOW)])
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGUSR1, marks=SLOW)], ids=lambda each: each.name
)
def test_jobs_that_a_scheduler_ends_with_the_run_are_interrupted(
    tmp_path: Path, mark: str, number: signal.Signals, start: str
) -> None:
    """Slurm signals every process of a step at once: the jobs end before their run can ask them to."""
    project = Project(tmp_path / "project")
    for name in ("one", "two"):
        project.job(name, PLAIN, top=TOP)
    project.write("training/jobs.yaml", f"jobs: {{shell: {{command: [sh, -c, {SHELL!r}]}}}}\n")
    project.write("pytest.ini", "[pytest]\ntraining_grace = 1s\n")
    process = project.start("-n", "3", "-o", f"training_start={start}")
    for name in ("one", "shell", "two"):
        pid_in(project.root / f"train_{name}.started")
    for pid in [process.pid, *processes_with(mark).keys() - {process.pid}]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    assert process.wait(PATIENCE_S) == pytest.ExitCode.INTERRUPTED
    assert not processes_with(mark)
    assert project.statuses() == dict.fromkeys(("one", "shell", "two"), "interrupted"), project.metadata()
    for each in project.metadata().values():
        assert (each["cause"], each["attempts"][-1]["cause"]) == ("interrupted", "interrupted")
        assert each["reason"].startswith("interrupted after "), each["reason"]


SLOW_MODULE = "import os, time\nopen('loading.new', 'w').write(f'{os.getpid()}\\n')\n"
SLOW_MODULE += "os.rename('loading.new', 'loading')\ntime.sleep(1000)\n"


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=SLOW)], ids=lambda each: each.name
)
@pytest.mark.parametrize("workers", [pytest.param(0, marks=SLOW), 2], ids=["alone", "workers"])
def test_imports_of_the_job_server_end_at_once(
    session: Session, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, workers: int
) -> None:
    """The module would take a quarter of an hour, and each job would have ten minutes to end."""
    monkeypatch.setenv("PYTHONPATH", str(session.project.root / "installed"))
    session.project.write("installed/monai.py", SLOW_MODULE)
    for name in JOBS:
        session.project.job(name, top="import monai")
    session.project.write("pytest.ini", "[pytest]\ntraining_grace = 10m\n")
    session.process = session.project.start("-n", str(workers))
    pid_in(session.project.root / "loading")
    (loading,) = session.project.reports.glob("runs/*/loading.json")
    assert '"now":"monai"' in loading.read_text()
    eventually(lambda: list(session.project.reports.glob("runs/*/jobs/*/attempt-1/started.json")))
    session.send(number, group=True)
    assert session.process.wait(PATIENCE_S) == pytest.ExitCode.INTERRUPTED
    assert not session.left()
    assert set(session.project.statuses().values()) <= {"interrupted", "not run"}


@pytest.mark.slow
@pytest.mark.parametrize("group", [pytest.param(False, marks=SLOW), True], ids=["process", "group"])
def test_without_a_job_server_too(session: Session, *, group: bool) -> None:
    session.start(3, "1s", "-o", "training_start=subprocess")
    session.send(signal.SIGTERM, group=group)
    assert_all_is_told(session)
    assert session.told() == set(session.running)
    assert list(session.project.reports.glob("runs/*/jobs/gentle/checkpoint/*"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [pytest.param(0, marks=SLOW), 3], ids=["alone", "workers"])
def test_a_terminal_that_closes_tells_twice_and_jobs_still_have_their_grace(session: Session, workers: int) -> None:
    session.start(workers, "1s")
    session.send(signal.SIGHUP, group=True)
    eventually(lambda: session.told() == set(session.running))
    session.send(signal.SIGHUP, group=True)
    assert_all_is_told(session)
    assert session.project.metadata()["deaf"]["attempts"][-1]["ending"]["wall_s"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("start", ["fork", pytest.param("subprocess", marks=SLOW)])
@pytest.mark.parametrize("workers", [0, 3], ids=["alone", "workers"])
def test_the_pause_before_another_attempt_ends_at_once(session: Session, workers: int, start: str) -> None:
    session.project.write("training/jobs.yaml", "jobs: {other: {retries: 1, retry_wait: 1h}}\n")
    session.project.job("other", "note('started')\nraise ValueError('no')", top=TOP)
    only = ("-k", "other or gentle") if workers else ("-k", "other")
    session.start(workers, "1s", *only, "-o", f"training_start={start}", running=("other", "gentle")[: workers or 1])
    eventually(lambda: '"status":"failed"' in session.known_of_attempt("other"))
    session.send(signal.SIGTERM, group=True)
    assert session.process.wait(PATIENCE_S) == pytest.ExitCode.INTERRUPTED
    other = session.project.metadata()["other"]
    assert (other["status"], other["cause"]) == ("interrupted", "interrupted")
    assert other["reason"].startswith("interrupted before attempt 2; attempt 1 raised ValueError: no")
    assert [each["cause"] for each in other["attempts"]] == ["error"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "start"),
    [(3, "fork"), *(pytest.param(*each, marks=SLOW) for each in [(0, "fork"), (0, "subprocess"), (3, "subprocess")])],
    ids=str,
)
def test_a_second_ctrl_c_ends_the_run_at_once(session: Session, workers: int, start: str) -> None:
    session.start(workers, "10m", "-o", f"training_start={start}")
    session.send(signal.SIGINT, group=True)
    eventually(lambda: session.told() == set(session.running))
    names = ", ".join(session.running)
    assert f"stopping {names}: up to 10 min to save; Ctrl-C again kills them\n" in session.project.said
    session.send(signal.SIGINT, group=True)
    assert_all_is_told(session)
    assert f"killing {names}\n" in session.project.said
    assert "Traceback" not in session.project.said


FINISHING = """
import time
from pathlib import Path

def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        Path("finishing").touch()
        while not Path("go").exists():
            time.sleep(0.01)
"""


@pytest.mark.parametrize("workers", [pytest.param(0, marks=SLOW), 3], ids=["alone", "workers"])
def test_signals_while_reports_are_written_cost_no_report(session: Session, workers: int) -> None:
    session.project.write("conftest.py", FINISHING)
    session.start(workers, "0.5s")
    session.send(signal.SIGINT, group=True)
    eventually((session.project.root / "finishing").exists)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        session.send(number, group=False)
    (session.project.root / "go").touch()
    assert_all_is_told(session)


TWICE_AT_ONCE = """
import os, signal

def pytest_runtest_logreport(report):
    if report.when == "call":
        os.kill(os.getpid(), signal.SIGINT)

def pytest_keyboard_interrupt():
    os.kill(os.getpid(), signal.SIGINT)
"""


def test_a_second_ctrl_c_while_pytest_notes_the_first_shows_no_traceback(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.jobs("als", "stroke")
    project.write("conftest.py", TWICE_AT_ONCE)
    result = project.run("-p", "no:xdist", "--training-reports", "my reports", "--training-progress", "off")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert not result.stderr.lines
    again = "go on: pytest --training-resume --training-reports='my reports'"
    result.stdout.fnmatch_lines(
        ["stopping als: up to 10 s *", "2 jobs: 1 passed, 1 not run", again, "*conftest.py:?: Key*"]
    )
    assert project.report("my reports")["exitcode"] == pytest.ExitCode.INTERRUPTED


AT_A_CALL = """
import types

def called():
    kept = 1
    yield lambda: kept

def pytest_runtest_logreport(report):
    if report.when != "call":
        return
    frame = called().gi_frame
    without_line = next(start for start, _, line in frame.f_code.co_lines() if line is None)
    raise KeyboardInterrupt().with_traceback(types.TracebackType(None, frame, without_line, -1))
"""


def test_a_signal_at_a_place_without_a_line_is_like_any_other(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.jobs("als")
    project.write("conftest.py", AT_A_CALL)
    result = project.run("-p", "no:xdist")
    assert "TypeError" not in result.stderr.str(), result.stderr.str()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert project.report()["exitcode"] == pytest.ExitCode.INTERRUPTED
