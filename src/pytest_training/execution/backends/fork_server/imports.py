"""Imports, once for all jobs and package by package, what the jobs import; leaves to them what the server cannot have.

A package that starts a thread when it is imported makes the server start afresh, once: from then on it tries each
package that it does not know in a child that ends. What it has learned is remembered for the next run.
"""

import contextlib
import gc
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import sysconfig
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import msgspec

from pytest_training import atomic, processes
from pytest_training.execution import keeper
from pytest_training.execution.attempt.messages import Loading
from pytest_training.execution.backends.fork_server.backend import NO_THREADS
from pytest_training.execution.job_files import read_json
from pytest_training.jobs.model import Value

SUSPECTED = ("polars", "catboost")  # they start threads in some versions, and no setting prevents it: try them first
LONGEST = 500
SLOW_S = 1.0  # an import that takes longer is worth a line in server.log


class Threaded(Value, frozen=True, kw_only=True):
    """Packages that start threads when they are imported, with the names of these; the content of threads.json."""

    installed: int  # digest of what is installed: another version may do without
    packages: dict[str, str] = {}


class Imports(msgspec.Struct, kw_only=True):
    """What to import, and what is known of it; handed on when the server starts afresh."""

    names: tuple[str, ...]
    longest_s: float  # a module that takes longer is left to the jobs: nothing is served before all is loaded
    loading: str  # the file that says what is being loaded
    memory: str  # threads.json, which all runs share
    threaded: dict[str, str] = {}
    broken: dict[str, str] = {}  # packages that end the server, and how
    harmless: tuple[str, ...] | None = None  # packages to import without a trial; None before one starts a thread
    seconds: dict[str, float] = {}
    read: set[str] = set()  # variables that were read meanwhile: a library that has read one does not do so again

    def load(self, note: int) -> bool:
        """Import all, and return True; or False once a package has started a thread in this process."""
        gc.disable()  # what is loaded now stays: looking through it again and again is lost time
        packages: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            packages[name.partition(".")[0]].append(name)
        loaded: list[str] = []
        for package in [each for each in packages if each not in self.threaded and each not in self.broken]:
            names = packages[package]
            is_known = package not in SUSPECTED if self.harmless is None else package in self.harmless
            if is_known or self._is_harmless(package, names):
                self._import(package, names, note)
                if threads := _threads():
                    self.threaded[package] = threads
                    self.names = self.names if self.harmless is None else ()  # it does so now and then: no third try
                    self.harmless, self.seconds = tuple(loaded), {}
                    return False
                loaded.append(package)
        keeper.write_note(note, "")
        sys.stdout.flush()
        processes.flush_c_streams()  # else each job would print it anew
        gc.freeze()  # keeps the collector of the children from copying the pages that all share
        return True

    def _import(self, package: str, names: Iterable[str], note: int) -> None:
        if missing := [name for name in names if name not in sys.modules]:
            self._say(package)
            begun = time.monotonic()
            for name in missing:
                keeper.write_note(note, name)
                import_within(name, self.longest_s)
            self.seconds[package] = round(time.monotonic() - begun, 3)

    def _is_harmless(self, package: str, names: Iterable[str]) -> bool:
        """Return True if a child that imported the package had no thread then; note why not."""
        self._say(package)
        reading, writing = os.pipe()
        parent, child = os.getpid(), os.fork()
        if child == 0:
            try:
                processes.die_with_parent(parent)
                sys.meta_path.insert(0, Known(self.threaded, writing))
                for name in names:
                    import_within(name, self.longest_s)
                os.write(writing, _threads().encode()[:LONGEST])
            finally:
                os._exit(0)
        os.close(writing)
        exit_code, _ = processes.wait_for_end(child)
        processes.kill_orphans(())
        os.set_blocking(reading, False)  # a process that the package has started may hold the other end
        with os.fdopen(reading, "rb") as pipe:
            threads = (pipe.read() or b"").decode()
        if threads:
            self.threaded[package] = threads
        elif exit_code:
            self.broken[package] = f"ended the process that tried it, with {exit_code}"
        return not threads and not exit_code

    def _say(self, package: str = "") -> None:
        state = Loading(now=package, since=time.time(), seconds=self.seconds, problems=tuple(self.problems()))
        with contextlib.suppress(OSError):  # a full disk: the jobs will say so
            atomic.write_atomically(Path(self.loading), msgspec.json.encode(state))

    def problems(self) -> Iterator[str]:
        """Yield a sentence about the packages that are left to the jobs."""
        if self.threaded:
            packages, threads = ", ".join(self.threaded), ", ".join(dict.fromkeys(self.threaded.values()))
            memory = os.path.basename(self.memory)  # noqa: PTH119  (no path: reports are published)
            yield (
                f"the jobs import {packages} for themselves: that starts a thread ({threads}), and the job server may "
                f"have none; if a setting of the library prevents it, set it and remove {memory}, if there is one"
            )
        for package, how in self.broken.items():
            yield f"the jobs import {package} for themselves: its import {how}"

    def recall(self, crashed: Iterable[str]) -> None:
        """Leave to the jobs what started threads in earlier runs, and what ended a server; then try all others."""
        wanted = {name.partition(".")[0] for name in self.names}
        self.threaded |= {package: threads for package, threads in self._learned().items() if package in wanted}
        self.broken |= {name.partition(".")[0]: "ended the job server" for name in crashed}
        self.harmless = () if self.broken else None

    def finish(self) -> None:
        """Say that all is loaded, and remember what was learned."""
        self._say()
        slow = (f"imported {package} in {s:.1f} s" for package, s in self.seconds.items() if s >= SLOW_S)
        sys.stderr.writelines(f"{line}\n" for line in (*slow, *self.problems()))
        if self.threaded:
            content = msgspec.json.encode(Threaded(installed=installed(), packages=self._learned() | self.threaded))
            with contextlib.suppress(OSError):
                atomic.write_atomically(Path(self.memory), content)

    def _learned(self) -> dict[str, str]:
        learned = read_json(Path(self.memory), Threaded)
        return learned.packages if learned is not None and learned.installed == installed() else {}


class Known(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Ends the child that tries a package as soon as that imports one that starts threads."""

    def __init__(self, threaded: dict[str, str], writing: int) -> None:
        self.threaded, self.writing = threaded, writing

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """Return a specification that loads nothing: whether a module exists may be asked without an import."""
        return importlib.machinery.ModuleSpec(name, self) if name in self.threaded else None

    def exec_module(self, module: ModuleType) -> NoReturn:
        """End the process."""
        os.write(self.writing, self.threaded[module.__name__].encode()[:LONGEST])
        os._exit(0)


def installed() -> int:
    """Return a digest of the interpreter, of the names and versions of what is installed, and of known settings."""
    names: list[str] = []
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        with contextlib.suppress(OSError):
            names += (name for name in os.listdir(folder) if name.endswith("-info"))  # noqa: PTH208  (names are enough)
    cures = [os.environ.get(name, "") for name in NO_THREADS]
    return zlib.crc32("\n".join([sys.version, sys.prefix, *cures, *sorted(names)]).encode("utf-8", "replace"))


@contextlib.contextmanager
def recorded_reads() -> Iterator[set[str]]:
    """Record which variables are read from `os.environ`, there or not."""
    names: set[str] = set()
    plain = type(os.environ)

    class Recording(plain):  # type: ignore[misc, valid-type]  # the class of os.environ has no public name
        def __getitem__(self, name: str) -> str:
            names.add(name)
            value: str = super().__getitem__(name)
            return value

    os.environ.__class__ = Recording
    try:
        yield names
    finally:
        os.environ.__class__ = plain


def import_within(name: str, seconds: float) -> None:
    """Import a module, unless `a.b` is a function b of module a; SIGALRM ends this process if it takes longer."""
    package, _, attribute = name.rpartition(".")
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        if package not in sys.modules or not hasattr(sys.modules[package], attribute):
            __import__(name)  # not `import_module`: attempt/neutral.py watches this one
    except BaseException as error:  # noqa: BLE001  (the job that needs it will say why, in its own log)
        if not (isinstance(error, ModuleNotFoundError) and error.name == name):
            sys.stderr.write(f"the job server could not import {name}: {type(error).__name__}: {error}\n")
    signal.setitimer(signal.ITIMER_REAL, 0)


def _threads() -> str:
    """Return the names of this process's threads but the first; Python's own count misses those of C libraries."""
    if processes.thread_count() == 1:
        return ""
    tasks = sorted(Path("/proc/self/task").iterdir(), key=lambda task: int(task.name))
    first, *others = (task.joinpath("comm").read_text(errors="replace").strip() for task in tasks)
    names = [thread.name for thread in threading.enumerate()[1:]] + [name for name in others if name != first]
    return ", ".join(dict.fromkeys(names)) or "without a name"
