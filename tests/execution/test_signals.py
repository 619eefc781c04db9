"""Tests of signals.py: which handlers a run takes, and which stay."""

from __future__ import annotations

import faulthandler
import signal
import sys
from collections.abc import Iterator

import pytest

from pytest_training.signals import ENDING, WARNINGS, EndingSignals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has few of these signals")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Restore the handlers of this process; none of these signals is handled within a test."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def taken_of(number: signal.Signals) -> bool:
    """Return True if a run takes and holds a signal, and gives back what it has taken."""
    signals, before = EndingSignals(), signal.getsignal(number)
    signals.take()
    taken = signal.getsignal(number) != before
    signals.hold()
    assert taken == (signal.getsignal(number) == signal.SIG_IGN)
    signals.give_back()
    assert signal.getsignal(number) == before
    return taken


@pytest.mark.parametrize("number", [each for each in ENDING if each != signal.SIGINT], ids=lambda each: each.name)
def test_a_signal_that_nobody_handles_ends_the_run_once(number: signal.Signals) -> None:
    assert taken_of(number)
    signals = EndingSignals()
    signals.take()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    if number != signal.SIGTERM:
        signal.raise_signal(number)
    signals.give_back()


@pytest.mark.parametrize("number", WARNINGS, ids=lambda each: each.name)
def test_the_handler_of_a_user_stays(number: signal.Signals) -> None:
    signal.signal(number, lambda *_: None)
    assert not taken_of(number)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says in /proc what C libraries handle")
def test_the_handler_of_a_c_library_stays() -> None:
    faulthandler.register(signal.SIGUSR2)
    try:
        assert not taken_of(signal.SIGUSR2)
    finally:
        faulthandler.unregister(signal.SIGUSR2)
