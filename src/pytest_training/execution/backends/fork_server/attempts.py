"""Connections of slots to the job server, and the attempts that they ask for."""

from __future__ import annotations

import contextlib
import signal
import socket
from dataclasses import dataclass, field

import msgspec

from pytest_training import processes
from pytest_training.execution.attempt.messages import AttemptRequest, Reply
from pytest_training.limits.ladder import Ladder
from pytest_training.limits.protocol import Tree


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
class ForkedTree(Tree):
    """The processes of a running attempt."""

    pid: int

    def sample(self) -> None:
        """Measure the memory that they hold now."""
        self.memory_mb = processes.tree_memory_mb(self.pid)
        self.peak_mb = max(self.peak_mb, self.memory_mb)

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
    tree: ForkedTree
    ladder: Ladder
    gpus: tuple[str, ...]
    inherited_mb: float
    """Resident memory at the fork: a smaller `ru_maxrss` says nothing of a program that was started by exec."""
