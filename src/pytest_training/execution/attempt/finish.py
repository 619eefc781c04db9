"""Ends a job's process as an interpreter ends: threads, functions at exit, then the job's own modules and objects.

The libraries stay as they are. Python's own end (`Py_FinalizeEx`) ends them too. It costs 8 ms of CPU for an empty
job, 15 with numpy, 250 with torch; 95 ms and 100 MB of copied pages with pandas. This costs 0.1 to 0.5 ms.
"""

import atexit
import contextlib
import gc
import io
import itertools
import os
import signal
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from types import FrameType
from typing import NoReturn

from msgspec import Struct

from pytest_training.execution.attempt.environment import PACKAGE
from pytest_training.execution.attempt.startup.sitecustomize import INSTALLED, STANDARD
from pytest_training.processes import flush_c_streams

FILES: tuple[type, ...] = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom, io.BufferedRWPair, io.FileIO)
"""Python's own, the outermost first: what one of them holds back goes to the next."""
SHORTEST_S = 0.01


class Overdue(BaseException):
    """A step of the end has taken longer than its time."""


class Beginning:
    """Where the job's own code begins. A copy of `sys.modules` would copy the page of each module, 3 ms with pandas."""

    def __init__(self) -> None:
        self.newest = next(reversed(sys.modules))  # name of the module that was imported last
        self.main = sys.modules["__main__"]
        gc.freeze()  # leaves what is there now out of every collection of garbage
        self.later: list[object] = []

    def undo_freeze(self) -> None:
        """Make the job's objects collectable if the job has frozen them."""
        if not any(thing is self.later for thing in gc.get_objects()):
            gc.unfreeze()

    def own_modules(self) -> list[str]:
        """Return the names of the job's own modules, the newest first."""
        later = itertools.takewhile(lambda name: name != self.newest, reversed(sys.modules))
        own = [name for name in later if name != "__main__" and _is_local(sys.modules[name])]
        return own if sys.modules.get("__main__", self.main) is self.main else [*own, "__main__"]


class Watch(Struct):
    """Ends what is overdue; what goes on in spite of that ends the process."""

    status: int
    limit_s: float | None
    note: Callable[[str], object]  # tells the run what did not end
    is_overdue: bool = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> NoReturn:
        """Raise Overdue in the main thread."""
        if self.is_overdue:
            os._exit(self.status)
        self.is_overdue = True
        raise Overdue

    def run(self, steps: Sequence[Callable[[], object]]) -> None:
        """Take the steps, all within the limit."""
        if self.limit_s is None or not hasattr(signal, "setitimer"):
            for step in steps:
                _take(step)
            return
        give_up = monotonic() + self.limit_s
        for number in (signal.SIGALRM, signal.SIGTERM):
            signal.signal(number, self)
        # Python has ended one function at exit, or `__del__`, and goes on.
        others = sys.unraisablehook
        sys.unraisablehook = lambda error: self._say() if error.exc_type is Overdue else others(error)
        for step in steps:
            try:
                signal.setitimer(signal.ITIMER_REAL, max(give_up - monotonic(), SHORTEST_S), 0.1 + self.limit_s / 10)
                _take(step)
            except Overdue:
                self._say()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = others

    def _say(self) -> None:
        self.is_overdue = False
        threads = ", ".join(each.name for each in threading.enumerate()[1:] if not each.daemon)
        named = f"; threads that do not end: {threads}" if threads else ""
        sentence = f"its end took more than {self.limit_s:g} s, and goes on without what does not end{named}"
        _print(f"{sentence}\n")
        _take(partial(self.note, sentence))


def end_interpreter(
    beginning: Beginning, status: int, *, limit_s: float | None = None, note: Callable[[str], object] = str
) -> NoReturn:
    """End this process; each of the three parts of its end may take that long, or `note` gets a sentence."""
    at_shutdown = getattr(threading, "_threading_atexits", [])  # of loky and concurrent.futures: they end workers
    steps = [*reversed(at_shutdown), threading._shutdown]  # type: ignore[attr-defined]  # noqa: SLF001  (no public name)
    at_shutdown.clear()
    run = Watch(status, limit_s, note).run
    run(steps)
    run([atexit._run_exitfuncs])  # noqa: SLF001  (no public name)
    threading.excepthook = lambda _: None  # Python has stopped daemon threads at this point; here they meet the ruins
    run([beginning.undo_freeze, _flush_files, partial(_end_modules, beginning), _finalise_rest])
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    flush_c_streams()
    os._exit(status)


def _take(step: Callable[[], object]) -> None:
    try:
        step()
    except Overdue:
        raise
    except BaseException:  # noqa: BLE001  (Python prints it, and the status stays)
        _print(traceback.format_exc())


def _print(text: str) -> None:
    with contextlib.suppress(Exception):  # the job may have closed its stderr
        sys.stderr.write(text)


def _end_modules(beginning: Beginning) -> None:
    """End the job's own modules in Python's order, and with them what they alone hold."""
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        vars(sys).pop(name, None)
    modules = [weakref.ref(sys.modules.pop(name)) for name in beginning.own_modules()]
    _collect()
    if alive := [module for module in (reference() for reference in modules) if module is not None]:
        for namespace in map(vars, alive):
            for name in sorted(namespace, key=lambda name: name[:1] != "_" or name[1:2] == "_"):  # private ones first
                if name != "__builtins__":
                    namespace[name] = None
        _collect()


def _collect() -> None:
    gc.collect(2 if gc.get_objects(2) else 1)  # the oldest generation alone costs 0.3 to 1.7 ms, even if it is empty


def _is_local(module: object) -> bool:
    """Return True for a module that is neither installed nor Python's own."""
    with contextlib.suppress(Exception):
        weakref.ref(module)  # a library may leave any object there
        path = object.__getattribute__(module, "__dict__")["__file__"]  # a module's own way may import others
        return not (path.startswith((STANDARD, PACKAGE)) or any(part in path for part in INSTALLED))
    return False


def _flush_files() -> None:
    """Flush Python's own files, the outermost first: a collection closes the innermost first and loses the rest."""
    files = [thing for thing in gc.get_objects() if type(thing) in FILES]
    for thing in sorted(files, key=lambda thing: FILES.index(type(thing))):
        with contextlib.suppress(Exception):  # closed, or not for writing
            thing.flush()


def _finalise_rest() -> None:
    """Call `__del__` of what a library, a thread or a cycle still holds; Python's own files come last."""
    things = gc.get_objects()
    ends = {kind for kind in set(map(type, things)) if hasattr(kind, "__del__")}
    rest = [thing for thing in things if type(thing) in ends and not gc.is_finalized(thing)]
    for thing in sorted(rest, key=lambda thing: FILES.index(type(thing)) if type(thing) in FILES else -1):
        _take(partial(type(thing).__del__, thing))
