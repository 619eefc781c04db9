"""What a reader of metrics is, and the files that it may read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_training.errors import FROM_OTHERS, ResultError
from pytest_training.execution.attempt.messages import Result
from pytest_training.execution.attempt.metrics import finite_metrics
from pytest_training.execution.folder import AttemptFolder
from pytest_training.jobs.kinds.protocol import Call, Command
from pytest_training.jobs.model import Job


@dataclass(frozen=True)
class EndedAttempt:
    """An attempt at a job that ended by itself and well."""

    job: Job
    start: Call | Command
    folder: AttemptFolder
    started: float
    """When it started, in seconds since 1970: a file from before is not its own."""
    result: Result | None = None
    """What its own process left in result.json."""


class Reader(Protocol):
    """Finds the metrics of an attempt in one place."""

    name: str

    def read(self, attempt: EndedAttempt) -> Mapping[str, Any] | None:
        """Return the metrics, or None if this place has none; raise ResultError if they cannot be read."""
        ...


def read_metrics(attempt: EndedAttempt, readers: Sequence[Reader]) -> dict[str, float]:
    """Return the metrics that the first reader finds, or an empty dict."""
    for reader in readers:
        try:
            metrics = reader.read(attempt)
        except ResultError:
            raise
        except FROM_OTHERS as error:  # a reader from outside may raise anything: it fails this job alone
            raise ResultError(f"reader {reader.name!r} raised {type(error).__name__}: {error}") from error
        if metrics is not None:
            return finite_metrics(metrics)
    return {}
