"""A fresh interpreter for each attempt, for systems where fork is missing or unsafe."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from pytest_training import atomic, errors, places
from pytest_training.execution.attempt.messages import AttemptRequest, Lost, Place, Reply
from pytest_training.execution.attempt.usage import usage_writer
from pytest_training.execution.backends.protocol import Backend, BackendRun, Launcher, Seat
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.gpus import VISIBLE, cards_for
from pytest_training.limits import LIMITS
from pytest_training.limits.ladder import Ladder
from pytest_training.limits.protocol import Ending
from pytest_training.machine import visible_gpus

GENTLY, AT_ONCE = "gently", "at once"  # how attempts must end; see `RunFolder.interrupted`
POLL_S = 0.05
INTERRUPTED = Reply(ending=Ending(ended_by="interrupted"))  # of an attempt that never began


def with_cards(request: AttemptRequest, cards: Iterable[str] = ()) -> AttemptRequest:
    """Return the request of an attempt that sees these cards and no other."""
    environment = request.environment | {VISIBLE: ",".join(cards)}
    return msgspec.structs.replace(request, environment=environment)


def still_held(place: Place) -> Reply:
    """Return the reply for an attempt whose cards another one has, which was given up and has not ended."""
    cards = f"GPU {', '.join(place.cards)} of {place.host}"
    return Reply(lost=Lost(cause="worker died", reason=f"{cards} is still in use by an attempt that was given up"))


class Subprocess(Backend):
    """Has nothing to start: each slot starts processes and watches the run folder for the order to end them."""

    name = "subprocess"
    folder: RunFolder | None = None

    def start(self, run: BackendRun) -> Any:
        """Note the folder in which the slots expect the order."""
        self.folder = run.folder

    def launcher(self, connection: Any, seat: Seat) -> Launcher:  # noqa: ARG002  (there is nothing to connect to)
        """Return a launcher that ends its attempt on the order, or if the owner dies."""
        return SubprocessLauncher(seat)

    def stop_all(self, grace_s: float) -> float:
        """Leave the order in the run folder."""
        if self.folder is not None:
            atomic.write_atomically(self.folder.interrupted, (GENTLY if grace_s else AT_ONCE).encode())
        return grace_s


class SubprocessLauncher:
    """Starts a fresh interpreter for each attempt."""

    def __init__(self, seat: Seat | None = None) -> None:
        self.seat = seat  # None for attempts outside a run: no owner interrupts them

    def launch(self, request: AttemptRequest) -> Reply:
        """Execute an attempt as soon as it has its GPUs; they are its alone until it has ended."""
        place, held = request.place, None
        if not request.job.gpus:
            return self._execute(with_cards(request) if place and visible_gpus() else request)
        cards = cards_for(place, self.seat.folder if self.seat else None)
        try:
            held = cards.take(request.job.gpus) if place else cards.wait(request.job.gpus, lambda: not self._order())
        except errors.DeclarationError as error:
            return Reply(refused=f"{error}")
        except KeyboardInterrupt:
            pass
        if held is None:
            return still_held(place) if place else INTERRUPTED
        with contextlib.closing(held):
            return self._execute(with_cards(request, held.cards))

    def _execute(self, request: AttemptRequest) -> Reply:
        """Start, watch the limits, end the tree."""
        from pytest_training.execution.backends.polled_tree import PolledTree, start_process  # noqa: PLC0415  (psutil is slow to load)

        if self._order():
            return INTERRUPTED
        process = start_process(request)
        tree = PolledTree(process.pid, process=process, stillness=request.stillness)
        limits, grace_s = self.seat.limits if self.seat else LIMITS, request.settings.grace_s
        most, sign = request.job.limits, request.sign
        note = usage_writer(request)
        ladder = Ladder(tree=tree, limits=limits, most=most, grace_s=grace_s, note=note, sign=sign)
        answers: list[Callable[[], None]] = [ladder.end_now, partial(ladder.end, "interrupted")]
        exit_code = None
        while exit_code is None:
            try:
                tree.sample()
                while (exit_code := tree.wait(POLL_S)) is None:
                    if order := self._order():
                        ladder.end("interrupted")
                    if order == AT_ONCE:
                        ladder.end_now()
                    ladder.watch()
            except KeyboardInterrupt:
                if not answers:
                    raise
                answers.pop()()
        tree.clear()
        return Reply(ending=ladder.ending(exit_code, cpu_s=tree.cpu_s), refused=ladder.problem)

    def pause(self, seconds: float) -> bool:
        """Wait that long, or until the run is interrupted."""
        give_up = time.monotonic() + seconds
        try:
            while (rest_s := give_up - time.monotonic()) > 0:
                if self._order():
                    return False
                time.sleep(min(rest_s, POLL_S))
        except KeyboardInterrupt:
            return False
        return True

    def _order(self) -> str:
        """Return the owner's order, or the one to end at once if it has died; nothing while the run goes on."""
        if self.seat is None:
            return ""
        if self.seat.owner not in {None, os.getppid()}:
            return AT_ONCE
        with contextlib.suppress(OSError), places.open_plain(self.seat.folder.interrupted) as file:
            return file.read(len(AT_ONCE)).decode("utf-8", "replace")
        return ""
