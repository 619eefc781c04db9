"""What a reader of metrics is, and the files that it may read."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

from msgspec import Struct

from pytest_training.execution.attempt.messages import Result
from pytest_training.execution.folder import AttemptFolder
from pytest_training.jobs.kinds.protocol import Call, Command
from pytest_training.jobs.model import Job

STEPS = ("epoch", "step", "iteration", "batch", "round", "tree", "trees", "iterations", "rounds", "steps", "epochs")
"""Names that count up while a model is fitted; the first that a point has is the axis of its curves."""
GROUPS = frozenset(["fold", "repeat", "split", "seed", "trial", "restart", "attempt", "member"])
"""Names of numbers that identify a fit."""
COUNTERS = GROUPS.union(STEPS)


class Measured(NamedTuple):
    """A number, and where it stands."""

    value: Any  # a Decimal counts as rounded to its digits (`Decimal("0.70")` for `70%`), any other number as exact
    source: str  # `stdout line 214`, or a path relative to the job's folder: `lightning_logs/version_0/metrics.csv`
    is_last: bool = False  # True if others of this name stand below other titles, and do not count


class Point(NamedTuple):
    """What a place says at one moment of a training."""

    place: str  # `stdout`, or a path relative to the job's folder
    values: Mapping[str, float]  # as `run.log` has them, with what counts up first: `{"epoch": 3, "val_loss": 0.41}`
    progress: tuple[float, float] | None = None  # what is done, of how much: (3, 10) for `Epoch 3/10`


class Following(Protocol):
    """Reads places while a job trains, or once after its end; it is bounded, and raises for no content."""

    def poll(self) -> Iterable[Point]:
        """Return what is new since the last poll, from at most the attempt's `most_bytes` of each file."""
        ...

    def metrics(self) -> Iterable[tuple[str, Measured]]:
        """Return the final value of each name in each place, as of the last poll."""
        ...


class RunningAttempt(Struct, frozen=True):
    """An attempt that may still run."""

    job: Job
    folder: AttemptFolder
    started: float  # when it started, in seconds since 1970: a file from before is not its own
    most_bytes: ClassVar[int] = 2**16  # what a poll may read of one file: its newest part, at the end head and tail


class EndedAttempt(RunningAttempt, frozen=True):
    """An attempt that has ended."""

    start: Call | Command
    result: Result | None = None  # what its own process left in result.json
    most_bytes: ClassVar[int] = 2**26


class Reader(Protocol):
    """Finds the metrics of an attempt. It implements `read` for what is there at the end, else `follow`."""

    name: str
    is_declared: bool = False
    """True if the job, the catalogue or our own convention leaves metrics there: the first that has some counts alone.

    Else the place is foreign, and counts together with all other foreign places.
    """

    def read(self, attempt: EndedAttempt) -> Mapping[str, Any] | None:  # noqa: ARG002  (for those that implement it)
        """Return the metrics, each a number or a Measured, or None; raise ResultError if they cannot be read."""
        return None

    def follow(self, attempt: RunningAttempt) -> Following | None:  # noqa: ARG002  (for those that implement it)
        """Return what follows this place, or None if the job leaves nothing there."""
        return None
