"""What the job server knows of a slot's connection and of the attempt that it asked for."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from dataclasses import dataclass, field

import msgspec

from pytest_training import processes
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
        """Send the one answer; a slot that is gone does not matter any more."""
        with contextlib.suppress(OSError):
            self.link.setblocking(True)
            self.link.sendall(msgspec.json.encode(reply) + b"\n")


@dataclass
class ForkedTree:
    """The processes of a running attempt."""

    pid: int
    started: float
    memory_mb: float = 0.0
    peak_mb: float = 0.0

    def look(self) -> None:
        """Measure the memory that they hold now."""
        self.memory_mb = processes.tree_memory_mb(self.pid)
        self.peak_mb = max(self.peak_mb, self.memory_mb)

    @property
    def age_s(self) -> float:
        """Seconds since the fork."""
        return time.monotonic() - self.started

    @property
    def pids(self) -> list[int]:
        """Ids of the processes, parents first."""
        return processes.tree(self.pid)

    def terminate(self) -> None:
        """Send SIGTERM to all of them."""
        processes.signal_tree(self.pid, signal.SIGTERM)
        processes.signal_tree(self.pid, signal.SIGCONT)  # a stopped process would not get it

    def kill(self) -> None:
        """Send SIGKILL to all of them."""
        processes.signal_tree(self.pid, signal.SIGKILL)


@dataclass
class Child:
    """A running attempt."""

    connection: Connection
    request: AttemptRequest
    inherited_mb: float
    """Resident memory at the fork: below it, `ru_maxrss` says nothing of a program that was started by exec."""
    gpus: tuple[str, ...]
    tree: ForkedTree
    ladder: Ladder
