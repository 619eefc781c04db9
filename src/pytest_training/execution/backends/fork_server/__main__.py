"""The job server's process: `python -m` with its settings as JSON. It loads what the jobs import, then serves."""

import gc
import importlib
import os
import signal
import socket
import sys
from typing import NoReturn

import msgspec

from pytest_training import processes
from pytest_training.execution import keeper
from pytest_training.execution.backends.fork_server.server import JobServer


class Settings(msgspec.Struct, frozen=True):
    """The job server's settings."""

    socket: int
    """Inherited descriptor of the listening socket."""
    imports: tuple[str, ...]
    longest_import_s: float
    """A module that takes longer is left to the children: nothing is served before all is loaded."""
    ties: keeper.Ties | None = None
    """None before there is a keeper."""
    threaded: tuple[str, ...] = ()
    """Modules that start threads when they are imported: the children import them."""


def main(argument: str) -> NoReturn:
    """Load, then serve; start afresh without a module that starts threads."""
    settings = msgspec.json.decode(argument, type=Settings)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the owner decides when jobs end, by the lifeline
    ties = settings.ties or keeper.become_server(0, settings.socket)
    processes.adopt_orphans()  # here, not before: a child does not inherit it
    if threaded := load(settings, ties):
        again = msgspec.structs.replace(settings, ties=ties, threaded=(*settings.threaded, threaded))
        os.execv(sys.executable, [*sys.orig_argv[:-1], msgspec.json.encode(again).decode()])
    os.close(ties.note)
    JobServer(socket.socket(fileno=settings.socket), ties.lifeline).serve()


def load(settings: Settings, ties: keeper.Ties) -> str | None:
    """Import what the jobs import; return the module, if any, that started a thread."""
    gc.disable()  # what is loaded now stays: looking through it again and again is lost time
    for name in settings.imports:
        if name not in sys.modules and name not in (*settings.threaded, *ties.crashed):
            keeper.write_note(ties.note, name)
            signal.setitimer(signal.ITIMER_REAL, settings.longest_import_s)  # its end is this process's end
            _import(name)
            signal.setitimer(signal.ITIMER_REAL, 0)
            if processes.thread_count() > 1:
                return name
    keeper.write_note(ties.note, "")
    sys.stdout.flush()
    processes.flush_c_streams()  # else each job would print it anew
    gc.freeze()  # keeps the collector of the children from copying the pages that all share
    return None


def _import(name: str) -> None:
    """Import a module if there is one of that name: `a.b` may also be a function b of module a."""
    package, _, attribute = name.rpartition(".")
    try:
        if package in sys.modules and hasattr(sys.modules[package], attribute):
            return
        importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001  (the job that needs it will say why, in its own log)
        if not (isinstance(error, ModuleNotFoundError) and error.name == name):
            sys.stderr.write(f"the job server could not import {name}: {type(error).__name__}: {error}\n")


if __name__ == "__main__":
    main(sys.argv[1])
