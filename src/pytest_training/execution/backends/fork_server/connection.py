"""One slot's connection to the job server, and which of its requests the server cannot meet as it is."""

import contextlib
import socket
from collections.abc import Collection
from dataclasses import dataclass, field

from pytest_training.execution.attempt.environment import THREAD_VARIABLES
from pytest_training.execution.attempt.messages import AttemptRequest
from pytest_training.jobs.kinds.protocol import Command

READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_")
"""Beginnings of variables that the interpreter and C libraries read once."""


@dataclass(eq=False)
class Connection:
    """One slot's connection: at most one attempt."""

    link: socket.socket
    received: bytearray = field(default_factory=bytearray)
    request: AttemptRequest | None = None
    pid: int | None = None

    def send(self, line: bytes) -> None:
        """Send a line; ignore a slot that is gone."""
        with contextlib.suppress(OSError):
            self.link.setblocking(True)
            self.link.sendall(line + b"\n")
            self.link.setblocking(False)


def variables_too_late(request: AttemptRequest, read: Collection[str]) -> list[str]:
    """Return the changed variables that this process, or a library in it, has read already as they were."""
    if isinstance(request.start, Command) and not request.start.is_warm:
        return []
    names = request.environment.keys() - {*THREAD_VARIABLES, "PYTHONHASHSEED"}
    return sorted(name for name in names if name in read or name.startswith(READ_AT_START))
