"""Loads what the jobs import into the job server, before it forks for the first time."""

from __future__ import annotations

import gc
import importlib
import signal
import sys
from collections.abc import Iterable

import msgspec

from pytest_training import processes
from pytest_training.errors import DeclarationError
from pytest_training.execution import keeper
from pytest_training.limits.protocol import Limit
from pytest_training.limits.reference import LimitReference, load_limit


class Settings(msgspec.Struct, frozen=True):
    """What the owner tells the server, as JSON on its command line."""

    socket: int
    """Inherited descriptor of the listening socket."""
    imports: tuple[str, ...]
    import_path: tuple[str, ...] = ()
    """Folders where installed modules may also be found (a virtual environment's, through a .pth file, need none)."""
    lifeline: int | None = None
    """Descriptor that closes when the keeper is gone; None before there is a keeper."""
    note: int = -1
    """Descriptor of the file where the keeper finds which module is being imported."""
    longest_import_s: float = 120.0
    """A module that takes longer is left to the children: nothing is served before all is loaded."""
    left_out: tuple[str, ...] = ()
    """Modules that start threads, crash or hang when they are imported: the children import them."""


def add_limits(limits: dict[str, Limit], references: Iterable[LimitReference]) -> None:
    """Load the limits that are not there yet; raise DeclarationError if one cannot be loaded or starts a thread."""
    for reference in references:
        if reference.key not in limits:
            limits[reference.key] = load_limit(reference)
            if processes.thread_count() > 1:
                raise DeclarationError(
                    f"{reference.file} starts a thread when it is loaded for limit {reference.key!r}, "
                    "and the job server may have none"
                )


def load(settings: Settings) -> str | None:
    """Import what the jobs import; return the module, if any, that started a thread."""
    gc.disable()  # what is loaded now stays: looking through it again and again is lost time
    sys.path.extend(folder for folder in settings.import_path if folder not in sys.path)
    for name in settings.imports:
        if name not in settings.left_out and name not in sys.modules:
            keeper.write_note(settings.note, name)
            signal.setitimer(signal.ITIMER_REAL, settings.longest_import_s)  # its end is this process's end
            _import(name)
            signal.setitimer(signal.ITIMER_REAL, 0)
            if processes.thread_count() > 1:
                return name
    keeper.write_note(settings.note, "")
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
