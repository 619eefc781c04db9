"""What a reader of metrics is, and the files that it may read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from pytest_training.errors import FROM_OTHERS, ResultError
from pytest_training.execution.attempt.messages import Result
from pytest_training.execution.attempt.metrics import sort_metrics
from pytest_training.execution.folder import AttemptFolder
from pytest_training.jobs.kinds.protocol import Call, Command
from pytest_training.jobs.model import Job
from pytest_training.wording import printable

MOST_NAMED = 3
MOST_NESTED = 4


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


class FoundMetrics(NamedTuple):
    """The metrics of an attempt; values that are none, each with a sentence; and where others may be."""

    values: dict[str, float]
    refused: dict[str, str]
    hint: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the outcome."""
        more = len(self.refused) - MOST_NAMED
        note = f"{more} more metrics are no finite numbers" if more > 0 else ""
        return tuple(filter(None, (self.hint, *list(self.refused.values())[:MOST_NAMED], note)))


def read_metrics(attempt: EndedAttempt, readers: Sequence[Reader]) -> FoundMetrics:
    """Return the metrics that the first reader finds; raise ResultError if none of its values is a finite number."""
    for reader in readers:
        try:
            metrics = reader.read(attempt)
        except ResultError:
            raise
        except FROM_OTHERS as error:  # a reader from outside may raise anything: it fails this job alone
            raise ResultError(f"reader {reader.name!r} raised {type(error).__name__}: {error}") from error
        if metrics is not None:
            return _sorted(metrics, attempt.job.metrics.path if attempt.job.metrics else "")
    return FoundMetrics({}, {})


def _sorted(metrics: Mapping[str, Any], top: str) -> FoundMetrics:
    below = {name: value for name, value in metrics.items() if isinstance(value, Mapping)}
    values, refused = sort_metrics({name: value for name, value in metrics.items() if name not in below})
    if refused and not values:
        raise ResultError(next(iter(refused.values())))
    return FoundMetrics(values, refused, "" if values else _nested(below, top))


def _nested(below: Mapping[str, Any], top: str) -> str:
    """Return how to take the first mapping with numbers below a path, or nothing if no level near it has one."""
    level: Mapping[str, Any] = {f"{top}.{name}" if top else name: value for name, value in below.items()}
    for _ in range(MOST_NESTED):
        for path, value in level.items():
            if any(type(number) in {int, float} for number in value.values()):
                return f"its metrics are nested: write metrics: {{path: {printable(path, 60)}}} in the catalogue"
        deeper = ((f"{path}.{name}", each) for path, value in level.items() for name, each in value.items())
        level = {path: each for path, each in deeper if isinstance(each, Mapping)}
    return ""
