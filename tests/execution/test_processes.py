"""Tests of execution/processes.py with real processes."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from watching import eventually, is_alive, pid_in

from pytest_training import processes

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(sys.platform != "linux", reason="what Linux tells in /proc"),
]

FAMILY = """
import os, subprocess, sys, time
if len(sys.argv) == 2:
    subprocess.Popen([sys.executable, __file__, sys.argv[1], "child"])
else:
    with open(sys.argv[1] + ".new", "w") as file:
        file.write(f"{os.getpid()}\\n")
    os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(1000)
"""
"""A process with a child that says who it is."""

GUARDIAN = """
import os, subprocess, sys
from pathlib import Path
from pytest_training import processes

processes.adopt_orphans()
own = subprocess.Popen(["sleep", "1000"])
daemon = f"import os; pid = os.fork(); pid and os._exit(0); os.setsid(); os.fork() and os._exit(0); "
daemon += f"import time; Path = __import__('pathlib').Path; p = Path({sys.argv[1]!r}); "
daemon += "p.with_suffix('.new').write_text(f'{os.getpid()}\\\\n'); p.with_suffix('.new').rename(p); time.sleep(1000)"
subprocess.run([sys.executable, "-c", daemon])
while not Path(sys.argv[1]).exists():
    pass
processes.kill_orphans([own.pid])
print(own.poll(), processes.children(os.getpid()) == [own.pid])
own.kill()
"""
"""Starts a daemon that led its own session and has lost its parents, and one child that it knows."""


@pytest.fixture
def family(tmp_path: Path) -> tuple[subprocess.Popen[bytes], int]:
    (tmp_path / "family.py").write_text(FAMILY)
    parent = subprocess.Popen([sys.executable, tmp_path / "family.py", tmp_path / "child"])
    return parent, pid_in(tmp_path / "child")


def test_a_tree_is_a_process_and_all_below_parents_first(family: tuple[subprocess.Popen[bytes], int]) -> None:
    parent, child = family
    assert processes.tree(parent.pid) == [parent.pid, child]
    assert processes.tree(child) == [child]
    assert parent.pid in processes.children(os.getpid())
    processes.signal_tree(parent.pid, signal.SIGTERM)
    parent.wait()
    eventually(lambda: not is_alive(child))


def test_a_process_that_is_gone_has_no_children(family: tuple[subprocess.Popen[bytes], int]) -> None:
    parent, child = family
    processes.signal_tree(parent.pid, signal.SIGKILL)
    parent.wait()
    eventually(lambda: not is_alive(child))
    assert processes.children(parent.pid) == []
    processes.signal_tree(parent.pid, signal.SIGKILL)


def test_orphans_are_killed_whatever_session_they_lead_and_known_children_are_not(tmp_path: Path) -> None:
    guardian = subprocess.run(
        [sys.executable, "-c", GUARDIAN, tmp_path / "daemon.pid"], stdout=subprocess.PIPE, check=True, text=True
    )
    assert guardian.stdout.split() == ["None", "True"]
    assert not is_alive(pid_in(tmp_path / "daemon.pid"))


def test_threads_are_counted_those_of_c_libraries_too() -> None:
    code = (
        "import threading\n"
        "from pytest_training.processes import thread_count\n"
        "before, go_on = thread_count(), threading.Event()\n"
        "threading.Thread(target=go_on.wait).start()\n"
        "print(thread_count() - before)\n"
        "go_on.set()"
    )  # in a process of its own: in this one a thread of another test may end meanwhile
    told = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout
    assert int(told) == 1


def test_a_job_dies_before_the_job_server() -> None:
    code = (
        "from pytest_training.processes import die_before_others\n"
        "die_before_others(); print(open('/proc/self/oom_score_adj').read())"
    )
    told = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout
    assert int(told) >= 500


def test_peak_memory_counts_from_the_reset() -> None:
    code = (
        "from pytest_training.processes import reset_own_peak_memory\n"
        "from pytest_training.limits.own_memory import proc_fields\n"
        "fat = bytearray(b'x') * (200 * 2**20); del fat\n"
        "peak = lambda: proc_fields('self', 'status')['VmHWM']\n"
        "before = peak(); reset_own_peak_memory(); print(before, peak())"
    )
    told = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout
    before, after = map(float, told.split())
    assert before > 200
    assert after < 100


PR_SET_CHILD_SUBREAPER = 36  # of linux/prctl.h
ZOMBIES = """
import os, sys, time
for _ in range(300):
    if os.fork() == 0:
        os._exit(0)
if os.fork() == 0:
    time.sleep(1000)
os.close(1)
time.sleep(1000)
"""


def test_children_that_nobody_waited_for_are_no_part_of_a_tree() -> None:
    parent = subprocess.Popen([sys.executable, "-c", ZOMBIES], stdout=subprocess.PIPE)
    eventually(lambda: len(processes.children(parent.pid)) == 301)
    eventually(lambda: len(processes.tree(parent.pid)) == 2)
    processes.adopt_orphans()
    try:
        known = set(processes.children(os.getpid())) - {parent.pid}
        processes.signal_tree(parent.pid, signal.SIGKILL)
        parent.communicate()
        processes.kill_orphans(known)
        assert set(processes.children(os.getpid())) == known
    finally:  # else what later tests leave behind stays a zombie of this process
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.mark.parametrize(("code", "exit_code"), [("os._exit(3)", 3), ("os.kill(os.getpid(), 9)", -9)])
def test_a_child_has_not_ended_when_it_stops_for_the_one_that_traces_it(code: str, exit_code: int) -> None:
    tracer = (
        "import ctypes, os, signal, time; from pytest_training.processes import *\n"
        "pid = os.fork(); libc = ctypes.CDLL(None)\n"
        "if pid == 0:\n    libc.ptrace(0, 0, 0, 0); os.kill(os.getpid(), signal.SIGSTOP); "
        f"{code}\n"
        "while not os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT): time.sleep(0.01)\n"
        "print(has_ended(pid)); libc.ptrace(17, pid, 0, 0); print(wait_for_end(pid)[0])"
    )
    said = subprocess.run([sys.executable, "-c", tracer], stdout=subprocess.PIPE, check=True, text=True).stdout
    assert said.split() == ["False", str(exit_code)]
