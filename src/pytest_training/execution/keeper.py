"""The keeper: a small process between the owner and the job server, so that no single SIGKILL leaves a process behind.

It is the server's parent and adopts every orphan below. If the server dies, its jobs die with it, the keeper kills
their descendants, and a new server takes over the socket: only the running jobs are lost. A module that ended a server
while it was imported is left out by the next. If the owner dies, the lifeline closes, and the keeper kills all. If the
keeper dies, the server's own lifeline closes, and the server ends every tree.

A job that runs without a server has such a keeper of its own.
"""

import contextlib
import os
import resource
import selectors
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import NamedTuple

from pytest_training import processes
from pytest_training.signals import ENDING

MOST_SERVERS = 5  # one that dies again and again is of no use
LONGEST_NOTE = 1000
STOPPED_S = 1.0  # the longest that a job may stop (SIGSTOP) the job server: no limit is watched meanwhile


class Ties(NamedTuple):
    """Connections between a server and its keeper."""

    lifeline: int
    note: int  # a file in memory: the module that is being imported
    crashed: tuple[str, ...]  # modules that ended an earlier server


def write_note(note: int, text: str) -> None:
    """Replace the note that the keeper reads when this process has ended."""
    os.ftruncate(note, 0)
    os.pwrite(note, text.encode()[:LONGEST_NOTE], 0)


def become_server(lifeline: int, listening: int) -> Ties:
    """Fork; return in the child. The parent watches over it and never returns."""
    processes.adopt_orphans()
    note = os.memfd_create("importing", 0)  # 0: a server that starts itself afresh keeps it
    crashed: tuple[str, ...] = ()
    for _ in range(MOST_SERVERS):
        reading, writing = os.pipe()
        server = os.fork()
        if server == 0:
            os.close(writing)
            os.set_inheritable(reading, True)
            return Ties(reading, note, crashed)
        os.close(reading)
        owner_is_gone, exit_code = _outlive(server, lifeline, stopped_s=STOPPED_S)
        os.close(writing)
        if owner_is_gone:
            break
        if name := os.pread(note, LONGEST_NOTE, 0).decode():
            crashed = (*crashed, name)
            write_note(note, "")
            sys.stderr.write(f"the job server ended when it imported {name}, which is left to the jobs from now on\n")
        else:
            how = processes.signal_name(-exit_code) if exit_code < 0 else f"exit status {exit_code}"
            sys.stderr.write(f"the job server ended ({how}) with the jobs that ran; another takes over\n")
    else:
        sys.stderr.write(f"{MOST_SERVERS} job servers ended: each job is trained in an interpreter of its own\n")
    shutil.rmtree(Path(socket.socket(fileno=listening).getsockname()).parent, ignore_errors=True)
    os._exit(0)


def become_job(lifeline: int) -> None:
    """Fork; return in the child, which runs a job. The parent kills the rest and ends with the child's exit code."""
    processes.adopt_orphans()
    parent = os.getpid()
    job = os.fork()
    if job == 0:
        processes.die_with_parent(parent)
        os.setsid()
        return
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # for the job; the keeper ends by the lifeline
    _, exit_code = _outlive(job, lifeline)
    if exit_code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # one core file is enough
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-exit_code, signal.SIG_DFL)
        os.kill(os.getpid(), -exit_code)
    os._exit(abs(exit_code))


def _outlive(child: int, lifeline: int, *, stopped_s: float | None = None) -> tuple[bool, int]:
    """Wait for the end of the child or the owner (True); kill what is left, and return the child's exit code too."""
    ended = os.pidfd_open(child)
    with selectors.DefaultSelector() as selector:
        selector.register(ended, selectors.EVENT_READ)
        selector.register(lifeline, selectors.EVENT_READ)
        while not (ready := [key.fd for key, _ in selector.select(stopped_s)]):
            if os.waitid(os.P_PID, child, os.WSTOPPED | os.WNOHANG):  # it has stood still for as long as it may
                os.kill(child, signal.SIGCONT)
    os.close(ended)
    processes.signal_tree(child, signal.SIGKILL)
    exit_code, _ = processes.wait_for_end(child)
    processes.kill_orphans(())
    return lifeline in ready, exit_code
