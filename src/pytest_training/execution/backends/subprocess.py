"""A fresh interpreter for each attempt, for systems where fork is missing or unsafe."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_training.atomic import write_atomically
from pytest_training.execution.attempt.messages import AttemptRequest, Reply
from pytest_training.execution.backends.protocol import Backend, BackendRun, Launcher, Seat
from pytest_training.execution.folder import RunFolder
from pytest_training.limits import LIMITS, Limits
from pytest_training.limits.ladder import Ladder

if TYPE_CHECKING:
    from pytest_training.execution.backends.polled_tree import PolledTree

GENTLY, AT_ONCE = "gently", "at once"
"""How attempts are to end; see `RunFolder.interrupted`."""


class Subprocess(Backend):
    """Has nothing to start: each slot starts processes and watches the run folder for the order to end them."""

    name = "subprocess"
    folder: RunFolder | None = None

    def start(self, run: BackendRun) -> None:
        """Note the folder in which the slots expect the order."""
        self.folder = run.folder

    def launcher(self, connection: Any, seat: Seat) -> Launcher:  # noqa: ARG002  (there is nothing to connect to)
        """Return a launcher that ends its attempt when the owner says so or dies."""
        return SubprocessLauncher(owner=seat.owner, interrupted=seat.folder.interrupted, limits=seat.limits)

    def stop_all(self, grace_s: float) -> float:
        """Leave the order in the run folder."""
        if self.folder is not None:
            write_atomically(self.folder.interrupted, (GENTLY if grace_s else AT_ONCE).encode())
        return grace_s


@dataclass
class SubprocessLauncher:
    """Starts a fresh interpreter for each attempt."""

    poll_s: float = 0.05
    owner: int | None = None
    """See `Seat.owner`."""
    interrupted: Path | None = None
    """The file that the owner writes to interrupt the run."""
    limits: Limits = field(default_factory=lambda: LIMITS)

    def launch(self, request: AttemptRequest) -> Reply:
        """Start, watch the limits, end the tree."""
        from pytest_training.execution.backends.polled_tree import PolledTree, start_process  # noqa: PLC0415  (psutil is slow to load)

        process = start_process(request)
        tree = PolledTree(process.pid, process=process)
        ladder = Ladder(tree=tree, limits=self.limits, most=request.job.limits, grace_s=request.settings.grace_s)
        exit_code = self._wait_through_signals(tree, ladder)
        tree.clear()
        return Reply(ending=ladder.ending(exit_code, cpu_s=tree.cpu_s), refused=ladder.problem)

    def _wait_through_signals(self, tree: PolledTree, ladder: Ladder) -> int:
        for answer in (partial(ladder.end, "interrupted"), ladder.end_now):
            try:
                return self._wait(tree, ladder)
            except KeyboardInterrupt:
                answer()
        return self._wait(tree, ladder)

    def _wait(self, tree: PolledTree, ladder: Ladder) -> int:
        tree.sample()
        while (exit_code := tree.wait(self.poll_s)) is None:
            if order := self.order():
                ladder.end("interrupted")
            if self.is_orphan():
                ladder.end("interrupted", grace_s=0.0)
            if order == AT_ONCE:
                ladder.end_now()
            ladder.watch()
        return exit_code

    def pause(self, seconds: float) -> bool:
        """Wait until then, or until the run is interrupted."""
        give_up = time.monotonic() + seconds
        try:
            while (rest_s := give_up - time.monotonic()) > 0:
                if self.order() or self.is_orphan():
                    return False
                time.sleep(min(rest_s, self.poll_s))
        except KeyboardInterrupt:
            return False
        return True

    def order(self) -> str:
        """Return how the owner wants attempts to end, or nothing while the run goes on."""
        with contextlib.suppress(OSError):
            return self.interrupted.read_text() if self.interrupted else ""
        return ""

    def is_orphan(self) -> bool:
        """Return True if the owner has died."""
        return self.owner not in {None, os.getppid()}
