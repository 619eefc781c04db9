"""The keeper: a small process between the owner and the job server, so that no single SIGKILL leaves a process behind.

It is the server's parent and adopts every orphan below. Killed server: its jobs die with it, what they had started
becomes the keeper's and is killed, and a new server takes over the socket, so that only the jobs that ran are lost; it
leaves out the module that was being imported, if that is what ended the one before.
Killed owner: the lifeline closes, and the keeper kills all. Killed keeper: the server's own lifeline closes, and it
ends every tree.

A job that runs without a server has a keeper of its own, which does the same for it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import NamedTuple, NoReturn

from pytest_training import processes

MOST_SERVERS = 5  # a server that dies again and again is no use
LONGEST_NOTE = 1000


class Ties(NamedTuple):
    """What connects a server with its keeper."""

    lifeline: int
    note: int
    """A file in memory: the module that is being imported."""
    crashed: tuple[str, ...]
    """Modules that ended an earlier server."""


def write_note(note: int, text: str) -> None:
    """Let the keeper know what this process is about."""
    os.ftruncate(note, 0)
    os.pwrite(note, text.encode()[:LONGEST_NOTE], 0)


def become_server(lifeline: int, listening: int) -> Ties:
    """Fork; return in the child. The parent keeps watch and never returns."""
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
        owner_is_gone = _wait_for_either(lifeline, server)
        processes.signal_tree(server, signal.SIGKILL)
        os.waitpid(server, 0)
        processes.kill_orphans(())
        os.close(writing)
        if owner_is_gone:
            break
        if name := os.pread(note, LONGEST_NOTE, 0).decode():
            crashed = (*crashed, name)
            write_note(note, "")
            sys.stderr.write(f"the job server ended when it imported {name}, which is left to the jobs from now on\n")
    shutil.rmtree(Path(socket.socket(fileno=listening).getsockname()).parent, ignore_errors=True)
    os._exit(0)


def become_job(lifeline: int) -> None:
    """Fork; return in the child, which runs a job without a server. The parent ends what it left and ends as it did."""
    processes.adopt_orphans()
    parent = os.getpid()
    job = os.fork()
    if job == 0:
        processes.die_with_parent(parent)
        os.setsid()
        return
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are the job's; the lifeline tells the keeper
    _wait_for_either(lifeline, job)
    processes.signal_tree(job, signal.SIGKILL)
    _, status = os.waitpid(job, 0)
    processes.kill_orphans(())
    _end_as(os.waitstatus_to_exitcode(status))


def _end_as(exit_code: int) -> NoReturn:
    if exit_code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # one core file is enough
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-exit_code, signal.SIG_DFL)
        os.kill(os.getpid(), -exit_code)
    os._exit(abs(exit_code))


def _wait_for_either(lifeline: int, child: int) -> bool:
    """Wait until the owner has closed the lifeline (True) or the child has ended (False)."""
    ended = os.pidfd_open(child)
    with selectors.DefaultSelector() as selector:
        selector.register(ended, selectors.EVENT_READ)
        selector.register(lifeline, selectors.EVENT_READ)
        ready = [key.fd for key, _ in selector.select()]
    os.close(ended)
    return lifeline in ready
