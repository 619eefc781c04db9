"""The job server's process: `python -m` with its settings as JSON. It loads what the jobs import, then serves."""

import os
import signal
import socket
import sys
from typing import NoReturn

import msgspec

from pytest_training import processes, signals
from pytest_training.execution import keeper
from pytest_training.execution.attempt.neutral import Neutral
from pytest_training.execution.backends.fork_server.imports import Imports, recorded_reads
from pytest_training.execution.backends.fork_server.server import JobServer


def main(argument: str) -> NoReturn:
    """Load, then serve; start afresh without a package that starts threads."""
    # The inherited descriptor of the listening socket, and the ties once there is a keeper.
    listening, imports, tied = msgspec.json.decode(argument, type=tuple[int, Imports, keeper.Ties | None])
    for number in signals.ENDING:
        signal.signal(number, signal.SIG_IGN)  # the owner decides when jobs end, by the lifeline
    ties = tied or keeper.become_server(0, listening)
    processes.adopt_orphans()  # here, not before: a child does not inherit it
    if tied is None:
        imports.recall(ties.crashed)
    with Neutral() as neutral, recorded_reads() as imports.read:
        is_loaded = imports.load(ties.note)
    if not is_loaded:
        os.execv(sys.executable, [*sys.orig_argv[:-1], msgspec.json.encode((listening, imports, ties)).decode()])
    imports.finish()
    os.close(ties.note)
    JobServer(socket.socket(fileno=listening), ties.lifeline, neutral, imports.read).serve()


if __name__ == "__main__":
    main(sys.argv[1])
