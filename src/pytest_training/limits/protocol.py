"""What a limit is: how much of something an attempt may use before it is ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pytest_training.units import duration


class Tree(Protocol):
    """The processes of a running attempt, as a limit measures them."""

    @property
    def age_s(self) -> float:
        """Seconds since the attempt's start."""

    @property
    def memory_mb(self) -> float:
        """Resident memory of all of them together, in MiB."""

    @property
    def pids(self) -> Sequence[int]:
        """Ids of the processes that run now, parents first."""


class EndedAttempt(Protocol):
    """How an attempt ended that exceeded a limit."""

    @property
    def wall_s(self) -> float:
        """Seconds from its start to its end."""

    @property
    def peak_memory_mb(self) -> float | None:
        """Its largest resident memory in MiB; None if nothing was measured."""

    @property
    def measured(self) -> float | None:
        """What the limit measured when it was exceeded; None if the backend does not say."""


class Limit(Protocol):
    """A limit, as a class that can be made without arguments: the job server makes one of its own.

    To be subclassed; it keeps no state, as one serves every job.
    """

    key: str
    """The catalogue's key, and the cause of an attempt that exceeded it."""
    metavar: str = "LIMIT"
    help: str = ""
    """What `pytest --help` says of the option that gives it to jobs that state none."""

    @property
    def retry_reason(self) -> str:
        """The reason under `retry_on` that stands for it."""
        return self.key

    def parse(self, value: Any, where: str) -> float:
        """Return what a job may use; raise DeclarationError, beginning with `where`, if the value says nothing."""
        ...

    def describe(self, limit: float) -> str:
        """Return a limit as the plan shows it behind the key."""
        return f"{limit:g}"

    def measure(self, tree: Tree) -> float:
        """Return what an attempt uses now; more than its limit ends it."""
        ...

    def sentence(self, ended: EndedAttempt, limit: float) -> str:
        """Say why an attempt was ended."""
        used = "more" if ended.measured is None else f"{ended.measured:g}"
        return f"ended after {duration(ended.wall_s)}: {self.key} was {used}, its limit is {limit:g}"
