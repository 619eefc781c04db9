"""The job server's process: `python -m` with its settings as JSON."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import NoReturn

import msgspec

from pytest_training import processes
from pytest_training.execution import keeper
from pytest_training.execution.backends.fork_server.loading import Settings, load
from pytest_training.execution.backends.fork_server.server import JobServer


def main(argument: str) -> NoReturn:
    """Load, then serve; start afresh without a module that starts threads."""
    settings = msgspec.json.decode(argument, type=Settings)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the owner decides when jobs end, by the lifeline
    if settings.lifeline is None:
        ties = keeper.become_server(0, settings.socket)
        settings = msgspec.structs.replace(settings, lifeline=ties.lifeline, note=ties.note, left_out=ties.crashed)
    processes.adopt_orphans()  # here, not before: a child does not inherit it
    if threaded := load(settings):
        again = msgspec.structs.replace(settings, left_out=(*settings.left_out, threaded))
        os.execv(sys.executable, [*sys.orig_argv[:-1], msgspec.json.encode(again).decode()])
    os.close(settings.note)
    JobServer(socket.socket(fileno=settings.socket), settings.lifeline or 0).serve()


if __name__ == "__main__":
    main(sys.argv[1])
