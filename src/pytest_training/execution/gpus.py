"""Hands out the machine's GPUs among all processes of a run: one lock on one file of the run folder for each card."""

import contextlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from msgspec import Struct, field

from pytest_training import errors, machine
from pytest_training.execution.attempt.messages import Place
from pytest_training.execution.folder import RunFolder

fcntl: ModuleType | None = None
with contextlib.suppress(ImportError):  # Windows: cards are handed out there, but not kept from others
    import fcntl

POLL_S = 0.05
QUEUE = "queue"
VISIBLE = "CUDA_VISIBLE_DEVICES"


class Hand(Struct, frozen=True):
    """Cards that one attempt holds."""

    cards: tuple[str, ...]
    locks: tuple[int, ...] = ()

    def close(self) -> None:
        """Give them back."""
        for lock in self.locks:
            with contextlib.suppress(OSError):  # a socket has none
                if fcntl is not None:
                    fcntl.flock(lock, fcntl.LOCK_UN)  # for the copies of the descriptor too
            os.close(lock)


class Cards(Struct, frozen=True):
    """The GPUs that this process may use."""

    folder: Path | None  # the folder of the locks; None for a process that is alone
    ids: tuple[str, ...] = field(default_factory=lambda: tuple(machine.visible_gpus()))

    def take(self, count: int) -> Hand | None:
        """Return that many free cards, or None if fewer are free."""
        held = Hand(())
        for card in self.ids:
            if len(held.cards) < count and (lock := self._lock(card)) is not None:
                held = Hand((*held.cards, card), (*held.locks, lock))
        if len(held.cards) == count:
            return held
        held.close()
        return None

    def wait(self, count: int, goes_on: Callable[[], bool]) -> Hand | None:
        """Return so many once they are free, None if the run ends first; raise DeclarationError if there are fewer."""
        if count > len(self.ids):
            raise errors.DeclarationError(f"needs {count} GPUs; this machine shows {len(self.ids)}")
        turn = None  # who stands first is not overtaken by others that need fewer
        try:
            while goes_on():
                turn = self._lock(QUEUE) if turn is None else turn
                if turn is not None and (held := self.take(count)) is not None:
                    return held
                time.sleep(POLL_S)
        finally:
            Hand((), () if turn is None else (turn,)).close()
        return None

    def _lock(self, name: str) -> int | None:
        """Return a descriptor that holds the lock of that name, or None if another process holds it."""
        if self.folder is None or fcntl is None:
            return os.open(os.devnull, os.O_RDONLY)
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.folder / f"{name.replace('/', '-')}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock


class HostCards(Cards, frozen=True, kw_only=True):
    """Cards that a node was told to use; whatever files the nodes on a host see, an attempt of the run has them alone.

    Each lock is the name of a socket, which is the host's and ends with its process: a node that was given up holds it.
    """

    run_id: str
    cards: dict[str, str]  # what each is on the host, by its id

    def _lock(self, name: str) -> int | None:
        with contextlib.ExitStack() as failed:
            link = failed.enter_context(socket.socket(socket.AF_UNIX))
            with contextlib.suppress(OSError):
                link.bind(f"\0training-{self.run_id}-{self.cards.get(name, name)}")
                return link.detach()
        return None


def cards_for(place: Place | None, folder: RunFolder | None) -> Cards:
    """Return the cards among which an attempt gets its own."""
    if place is not None and folder is not None:
        return HostCards(folder=None, ids=tuple(place.cards), run_id=folder.run_id, cards=place.cards)
    return Cards(folder.gpus if folder else None)
