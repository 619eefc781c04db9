"""Writes what a running attempt uses, for those who watch it from another machine."""

import contextlib
import time
from collections.abc import Callable

import msgspec
from msgspec.structs import asdict

from pytest_training.atomic import write_atomically
from pytest_training.execution.attempt.messages import AttemptRequest, Place, Usage
from pytest_training.execution.folder import AttemptFolder
from pytest_training.limits.tree import Tree

EVERY_S = 2.0


class UsageWriter(msgspec.Struct):
    """Writes usage.json again and again."""

    files: AttemptFolder
    place: Place
    due: float = 0.0

    def __call__(self, tree: Tree) -> None:
        """Write it, if it is time; the disk may be full."""
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + EVERY_S
        memory_mb, still_s = round(tree.memory_mb, 1), round(tree.stillness.still_s, 1)
        usage = Usage(**asdict(self.place), pid=tree.pid, memory_mb=memory_mb, still_s=still_s, at=time.time())
        with contextlib.suppress(OSError):
            write_atomically(self.files.usage, msgspec.json.encode(usage), below=self.files.below)


def usage_writer(request: AttemptRequest) -> Callable[[Tree], None] | None:
    """Return what writes the usage of an attempt, or None if its watchers can measure it themselves."""
    return UsageWriter(request.files, request.place) if request.place else None
