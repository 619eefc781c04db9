"""Writes what a running attempt uses, for those who watch it from another machine."""

import contextlib
import time
from collections.abc import Callable

import msgspec
from msgspec.structs import asdict

from pytest_training.atomic import write_atomically
from pytest_training.execution.attempt.messages import AttemptRequest, Usage
from pytest_training.limits.tree import Tree

EVERY_S = 2.0


def usage_writer(request: AttemptRequest) -> Callable[[Tree], None] | None:
    """Return what writes the usage of an attempt, or None if its watchers can measure it themselves."""
    if (place := request.place) is None:
        return None
    due, files = 0.0, request.files

    def write(tree: Tree) -> None:
        nonlocal due
        if (now := time.monotonic()) >= due:
            due, still_s = now + EVERY_S, tree.stillness.still_s
            usage = Usage(**asdict(place), pid=tree.pid, memory_mb=tree.memory_mb, still_s=still_s, at=time.time())
            with contextlib.suppress(OSError):  # the disk may be full
                write_atomically(files.usage, msgspec.json.encode(usage), below=files.below)

    return write
