"""What a limit is: how much of something an attempt may use before it is ended."""

import inspect
from typing import Any, Protocol

import msgspec

from pytest_training.errors import FROM_OTHERS, DeclarationError
from pytest_training.limits.tree import Tree
from pytest_training.units import duration


class Ending(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the process of one attempt ended, as the operating system reports it."""

    exit_status: int | None = None  # None after a signal
    signal: str | None = None  # by name: SIGSEGV
    ended_by: str | None = None  # the key of the limit that ended it, `pruned` or `interrupted`; None if by itself
    measured: float | None = None  # what that limit measured
    wall_s: float = 0.0  # its own time: from the start of its process to the end
    waiting_s: float = 0.0  # seconds between the request and the start: other jobs' imports, GPUs
    cpu_s: float = 0.0  # user and system CPU seconds of the process and of its children that it waited for
    free_mb: float | None = None  # MiB that the machine or the job's container had left at the last measurement
    oom_killer: bool = False  # True if the kernel's out-of-memory killer was at work in the attempt's last seconds
    stalled_s: float = 0.0  # the longest time without output and CPU, if it was long enough to call the attempt stalled
    peak_memory_mb: float | None = None  # most MiB of their own that the job's processes held; None if unmeasured


class Limit(Protocol):
    """A limit, as a class that can be made without arguments: the job server makes one of its own.

    To be subclassed; it keeps no state, as one serves every job.
    """

    key: str  # the catalogue's key, the cause of an attempt that exceeded it, and its reason under `retry_on`
    metavar: str = "LIMIT"
    help: str = ""  # what `pytest --help` says of the option that sets it for jobs that state none

    def parse(self, value: Any, where: str) -> float:
        """Return what a job may use; raise DeclarationError, beginning with `where`, if the value is not valid."""
        ...

    def describe(self, limit: float, /) -> str:
        """Return a limit as the plan shows it behind the key."""
        return f"{limit:g}"

    def measure(self, tree: Tree) -> float:
        """Return what an attempt uses now; more than its limit ends it."""
        ...

    def sentence(self, ended: Ending, limit: float) -> str:
        """Say why an attempt was ended."""
        used = "more" if ended.measured is None else f"{ended.measured:g}"
        return f"ended after {duration(ended.wall_s)}: {self.key} was {used}, its limit is {limit:g}"


class LimitReference(msgspec.Struct, frozen=True):
    """Where the class of a limit is defined, for processes that load no plugin and no conftest.py."""

    key: str
    file: str
    class_name: str


def refer(limit: Limit) -> LimitReference:
    """Return the reference to a limit's class; raise DeclarationError if no other process could load it."""
    kind = type(limit)
    if "<locals>" in kind.__qualname__:
        raise DeclarationError(f"limit {limit.key!r}: expected its class at the top of a file, found it in a function")
    return LimitReference(limit.key, inspect.getfile(kind), kind.__qualname__)


def load_limit(reference: LimitReference) -> Limit:
    """Run the file and return a limit of the class; raise DeclarationError if that fails."""
    import runpy  # noqa: PLC0415  (few projects have limits of their own)

    try:
        names = runpy.run_path(reference.file, run_name=f"pytest_training_limit_{reference.key}")
        limit: Limit = names[reference.class_name]()
    except FROM_OTHERS as error:  # a project's file may raise anything
        problem = f"limit {reference.key!r} cannot be loaded from {reference.file}: {type(error).__name__}: {error}"
        raise DeclarationError(problem) from error
    return limit
