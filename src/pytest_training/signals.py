"""The signals that end a run as Ctrl-C does: SIGTERM (a scheduler, CI), SIGHUP (a closed terminal), warnings."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

SCHEDULERS = tuple(getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name))
"""What Slurm (`--signal`) and submitit send before they end everything."""
WARNINGS = (*SCHEDULERS, *([signal.SIGXCPU] if sys.platform != "win32" else []))
"""Signals that a user's program or plugin may handle in another way; SIGXCPU says that the CPU time is used up."""
ALWAYS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if sys.platform != "win32" else []))
ENDING = (*ALWAYS, *WARNINGS)


class EndingSignals:
    """The handlers of the run's owner, and those before them."""

    def __init__(self, answer: Callable[[int], None] | None = None) -> None:
        """`answer` is called in each signal's handler, with the number of signals so far."""
        self.count = 0
        self.is_held = False  # True while pytest notes the first: another KeyboardInterrupt would show its frames
        self._answer = answer
        self._owner = os.getpid()
        self._before: dict[signal.Signals, Any] = {}

    def take(self) -> None:
        """Let them raise KeyboardInterrupt, unless nohup ignores them or something else handles them."""
        taken = [number for number in ENDING if number != signal.SIGINT and _is_unhandled(number)]
        if self._answer and signal.getsignal(signal.SIGINT) == signal.default_int_handler:
            taken.append(signal.SIGINT)
        self._set(dict.fromkeys(taken, self._raise))

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, mostly once: kernel and shell both send SIGHUP, and SIGXCPU comes every second."""
        __tracebackhide__ = True
        if number not in {signal.SIGINT, signal.SIGTERM}:
            signal.signal(number, signal.SIG_IGN)
        if self._answer and os.getpid() == self._owner:  # not a fork of a job that is debugged in the pytest process
            self.count += 1
            self._answer(self.count)
            if self.is_held:
                return
        raise KeyboardInterrupt

    def hold(self) -> None:
        """Ignore them all: the jobs have ended, and another Ctrl-C must not lose the reports."""
        self._set(dict.fromkeys((*ALWAYS, *self._before), signal.SIG_IGN))

    def give_back(self) -> None:
        """Restore the earlier handlers: a program that called `pytest.main` goes on."""
        self._set(self._before)
        self._before = {}

    def _set(self, handlers: dict[signal.Signals, Any]) -> None:
        with contextlib.suppress(ValueError):  # outside the main thread, the program handles signals
            for number, handler in handlers.items():
                self._before.setdefault(number, signal.signal(number, handler))


@contextlib.contextmanager
def left_to_the_owner() -> Iterator[Callable[[], None]]:
    """Ignore the signals in an xdist worker while it trains: the owner stops the jobs.

    The function is for a job that was stopped: the run ends, and another Ctrl-C must not end the worker's report.
    """
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ALWAYS}
    try:
        yield before.clear
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_warnings() -> None:
    """Ignore, in an xdist worker, the warnings that nothing else handles: Slurm sends them to every process."""
    for number in filter(_is_unhandled, WARNINGS):
        signal.signal(number, signal.SIG_IGN)


def as_in_a_new_process() -> None:
    """Undo in a job's process what the processes above it do with signals."""
    for number in ENDING:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def _is_unhandled(number: signal.Signals) -> bool:
    """Return True if a signal is neither handled nor ignored; Python does not know the handlers of C libraries."""
    caught = 0
    with contextlib.suppress(OSError):
        caught = int(Path("/proc/self/status").read_text().partition("SigCgt:")[2].split()[0], 16)
    return signal.getsignal(number) == signal.SIG_DFL and not caught & 1 << (number - 1)
