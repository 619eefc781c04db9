"""Shared memory, named semaphores and memory-mapped folders of a job: none is left in /dev/shm, however it ends."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_training.execution.backends.fork_server.backend import ServerLauncher
from pytest_training.execution.backends.subprocess import SubprocessLauncher
from pytest_training.execution.folder import AttemptFolder

from .workplace import Workplace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/shm is Linux's")

SHARED = """
import multiprocessing, os, signal, sys, time
from multiprocessing.shared_memory import SharedMemory
memory = SharedMemory(create=True, size=4096)
lock = multiprocessing.get_context('spawn').Lock()
run.save('names.txt', f'{memory.name} sem.{lock._semlock.name[1:]}')
"""
MAPPED = """
import joblib, numpy, os, signal, time
def looked_at(array): return [name for name in os.listdir('/dev/shm') if 'joblib' in name and str(os.getppid()) in name]
names = joblib.Parallel(2, max_nbytes=1)(joblib.delayed(looked_at)(numpy.ones(9999)) for _ in range(4))
run.save('names.txt', ' '.join(sorted({name for each in names for name in each})))
"""
ENDS = {
    "it passes": "return {}",
    "it raises": "raise ValueError",
    "os._exit": "os._exit(3)",
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "its memory limit, deaf": "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "fat = bytearray(b'x') * (300 * 2**20)\ntime.sleep(1000)",
    "processes that go on": "multiprocessing.get_context('fork').Process(target=time.sleep, args=(1000,)).start()\n"
    "os._exit(0)",
}


@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_left_however_the_job_ends(workplace: Workplace, launcher: ServerLauncher, end: str) -> None:
    limits = {"memory": 200.0} if "memory" in end.split() else {}
    request = workplace.request(workplace.function(SHARED + ENDS[end], limits=limits))
    for each in (launcher, SubprocessLauncher()) if end in {"it passes", "SIGKILL"} else (launcher,):
        each.launch(request)
        names = (AttemptFolder(Path(request.folder)).artifacts / "names.txt").read_text().split()
        assert len(names) == 2
        assert [name for name in names if Path("/dev/shm", name).exists()] == []


@pytest.mark.slow
@pytest.mark.parametrize("end", ["it passes", "SIGKILL"])
def test_neither_is_a_folder_of_joblib(workplace: Workplace, launcher: ServerLauncher, end: str) -> None:
    request = workplace.request(workplace.function(MAPPED + ENDS[end]))
    launcher.launch(request)
    names = (AttemptFolder(Path(request.folder)).artifacts / "names.txt").read_text().split()
    assert len(names) >= 1
    assert [name for name in names if Path("/dev/shm", name).exists()] == []
