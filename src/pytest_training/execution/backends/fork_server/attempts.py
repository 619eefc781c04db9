"""Connections of slots to the job server, and the attempts that they ask for."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field

import msgspec

from pytest_training.execution.attempt.messages import AttemptRequest, Reply
from pytest_training.limits.ladder import Ladder


@dataclass(eq=False)
class Connection:
    """One slot's connection: at most one attempt, or the pause before the next."""

    link: socket.socket
    received: bytearray = field(default_factory=bytearray)
    request: AttemptRequest | None = None
    pid: int | None = None
    is_pause: bool = False

    def answer(self, reply: Reply) -> None:
        """Send the one answer; ignore a slot that is gone."""
        with contextlib.suppress(OSError):
            self.link.setblocking(True)
            self.link.sendall(msgspec.json.encode(reply) + b"\n")


@dataclass
class Child:
    """A running attempt."""

    connection: Connection
    ladder: Ladder
    gpus: tuple[str, ...]
    inherited_mb: float
    """Resident memory at the fork, for a program: a smaller `ru_maxrss` is the server's own."""
