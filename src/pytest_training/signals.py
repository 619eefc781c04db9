"""The signals that end a run: SIGTERM (a scheduler, CI) and SIGHUP (a closed terminal) end it as Ctrl-C does."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndingSignals:
    """What the process that is told to end a run does with them, and what was done with them before."""

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}

    def take(self) -> None:
        """Have SIGTERM and SIGHUP raise KeyboardInterrupt; what nohup ignores stays ignored."""
        self._set({signal.SIGTERM: signal.default_int_handler, signal.SIGHUP: _hang_up}, only=signal.SIG_DFL)

    def hold(self) -> None:
        """Ignore them all: the jobs have ended, and whoever presses Ctrl-C again shall not lose the reports."""
        self._set(dict.fromkeys(ENDING, signal.SIG_IGN))

    def give_back(self) -> None:
        """Do with them what was done before: a program that called `pytest.main` goes on."""
        self._set(self._before)
        self._before = {}

    def _set(self, handlers: dict[signal.Signals, Any], *, only: Any = None) -> None:
        with contextlib.suppress(ValueError):  # not in the main thread: then whoever runs pytest there handles signals
            for number, handler in handlers.items():
                now = signal.getsignal(number)
                if only is None or now == only:
                    signal.signal(number, handler)
                    self._before.setdefault(number, now)


@contextlib.contextmanager
def left_to_the_owner() -> Iterator[None]:
    """Ignore the signals in an xdist worker while it trains: sent to the group, each would act on its own."""
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in ENDING]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _hang_up(_number: int, _frame: FrameType | None) -> None:
    """Raise once: of a terminal that closes, the kernel tells and the shell tells again; that is no second Ctrl-C."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise KeyboardInterrupt
