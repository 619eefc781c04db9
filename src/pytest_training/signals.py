"""The signals that end a run: SIGTERM (a scheduler, CI) and SIGHUP (a closed terminal) end it as Ctrl-C does."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndingSignals:
    """The handlers of the run's owner, and those before them."""

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}

    def take(self) -> None:
        """Let SIGTERM and SIGHUP raise KeyboardInterrupt, unless nohup ignores them."""
        self._set({signal.SIGTERM: signal.default_int_handler, signal.SIGHUP: _hang_up}, only=signal.SIG_DFL)

    def hold(self) -> None:
        """Ignore them all: the jobs have ended, and another Ctrl-C must not lose the reports."""
        self._set(dict.fromkeys(ENDING, signal.SIG_IGN))

    def give_back(self) -> None:
        """Restore the earlier handlers: a program that called `pytest.main` goes on."""
        self._set(self._before)
        self._before = {}

    def _set(self, handlers: dict[signal.Signals, Any], *, only: Any = None) -> None:
        with contextlib.suppress(ValueError):  # outside the main thread, the program handles signals
            for number, handler in handlers.items():
                now = signal.getsignal(number)
                if only is None or now == only:
                    signal.signal(number, handler)
                    self._before.setdefault(number, now)


@contextlib.contextmanager
def left_to_the_owner() -> Iterator[None]:
    """Ignore the signals in an xdist worker while it trains: the owner stops the jobs."""
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in ENDING]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _hang_up(_number: int, _frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt once: kernel and shell both send SIGHUP when a terminal closes."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise KeyboardInterrupt
