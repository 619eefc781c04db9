"""What an attempt and a job came to, and what a metric is: a finite number. `judge` decides pass or fail."""

import contextlib
import math
import numbers
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Self

from pytest_training.errors import ResultError
from pytest_training.evaluation.noise import Difference
from pytest_training.jobs.model import SCHEMA_VERSION, Gate, Value
from pytest_training.limits.protocol import Ending
from pytest_training.wording import located, safe_repr

LONGEST_METRIC = 200  # characters of its name


class Shown(StrEnum):
    """A status as people see it; the value names it in pages and in files."""

    word: str  # as texts count it: `2 failed but optional`
    icon: str
    emoji: str
    rank: int  # place when sorted: what needs attention first
    is_good: bool  # True if the run passes with it

    def __new__(cls, value: str, word: str, signs: str, rank: int, is_good: bool) -> Self:  # noqa: FBT001  (one line each)
        """Make a member; `signs` are its icon and its emoji."""
        member = str.__new__(cls, value)
        member._value_, member.word, member.rank, member.is_good = value, word, rank, is_good
        member.icon, member.emoji = signs.split()
        return member


class Status(Shown):
    """What an attempt and a job came to."""

    FAILED = "failed", "failed", "✗ ❌", 0, False
    INTERRUPTED = "interrupted", "interrupted", "◼ ⏹️", 1, False
    NOT_RUN = "not run", "not run", "○ ⚪", 3, False
    SKIPPED = "skipped", "skipped", "↷ ⏭️", 4, True
    PASSED = "passed", "passed", "✓ ✅", 5, True


class Tolerated(Shown):
    """The status of an optional job that failed, as people see it."""

    FAILED = "optional", "failed but optional", "! ⚠️", 2, True


def shown(status: Status, *, is_optional: bool) -> Shown:
    """Return a job's status as people see it."""
    return Tolerated.FAILED if is_optional and status == Status.FAILED else status


Differences = Mapping[str, Mapping[str, Difference]]
"""How metrics differ from those of earlier runs, by run and metric, with intervals."""
Cause = str
"""Why a job did not pass.

| cause | the job |
|---|---|
| `error` | raised |
| `exit` | ended without a result: sys.exit, os._exit, a script's exit status |
| `crash` | was killed by a signal that was not the plugin's |
| `timeout`, `memory` and the key of any other limit | exceeded that limit |
| `memory` too, and the others of `accidents.py` | raised, exited or crashed for the reason that its last words give |
| `result` | returned or wrote something other than metrics |
| `gate` | has a metric that misses its gate |
| `data` | needs a dataset that is missing or changed |
| `worker died`, `server died` | lost the process that waited for it, or that ran it |
| `system` | could not be run or recorded: the operating system refused, disk full, too many open files |
| `interrupted` | was running when the run was interrupted |
| `unchanged` | was skipped: an earlier run's outcome is still true |
| `needs` | was not run: a job that it needs did not pass |
| `trials` | is a study: too few of its trials passed |
| `time` | was not started: the time of its search is over |
| `pruned` | was ended by a search's pruner, and counts as skipped: its numbers stay |
"""


class DataUsed(Value, frozen=True, kw_only=True):
    """A dataset that the job really opened."""

    name: str
    real: bool
    sha256: str | None
    path: str


class Attempt(Value, frozen=True, kw_only=True):
    """One process that executed the job once."""

    number: int
    status: Status
    cause: Cause | None = None
    reason: str = ""
    started: str = ""  # UTC, ISO 8601
    ending: Ending = Ending()
    folder: str = ""  # relative to the run folder
    slot: str = ""  # name of the slot that executed it, written when it starts
    host: str = ""  # name of the machine that executed it, if it is not the session's
    threads: int = 1
    continued: bool = False  # True if it began with a checkpoint of a resumed run: a whole training takes longer
    loading_s: float = 0.0  # seconds to load a function job's file, with modules that nobody had imported yet
    drawn: dict[str, Any] = {}  # of a study's trial: the parameters that the study sets

    @property
    def place(self) -> str:
        """The slot that executed it, with the machine if it is not the session's."""
        return located(self.slot, self.host)


def between_attempts(last: Attempt) -> str:
    """Say that a run was interrupted while a job waited for another attempt."""
    return f"interrupted before attempt {last.number + 1}; attempt {last.number} {last.reason}"


class GateResult(Value, frozen=True, kw_only=True):
    """A gate beside the job's metric."""

    gate: Gate
    found: float | None  # None if the job returned no such metric
    passed: bool | None  # None if the gate is not judged
    difference: Difference | None = None  # to the earlier metric that the gate is of, if that is judged against noise


class StudyResult(Value, frozen=True, kw_only=True):
    """What the trials of a study came to. The study's outcome has the best ones' parameters, or none, and metrics."""

    metric: str  # by which the best was chosen
    direction: Literal["higher", "lower", ""]  # which is better; empty if neither gate nor name says
    best: str = ""  # id of the best trial; with seeds the first seed's, of the best combination
    best_run: str = ""  # id of the earlier run that trained it; empty for this one
    trials: int = 0
    passed: int = 0
    pruned: int = 0
    seeds: int = 0  # trained seeds behind each mean; 0 without seeds
    folder: str = ""  # the best trial's attempt, if this run trained it and its predictions may judge noise
    wall_s: float = 0.0  # of all trials together


class Reported(Value, frozen=True, kw_only=True):
    """The fields of an outcome that report.json has under the same names."""

    kind: str
    title: str
    status: Status
    cause: Cause | None = None
    reason: str = ""  # one sentence; empty when passed
    parameters: dict[str, Any] = {}
    unread: tuple[str, ...] = ()  # parameters of unknown value: the source states a default that it does not show
    metrics: dict[str, float] = {}
    sources: dict[str, str] = {}  # by metric where it was read: `stdout line 214`, a path in the job's folder or root
    interval_method: str = ""  # how the intervals of its metrics come about, in words, if they are from predictions
    gates: tuple[GateResult, ...] = ()
    artifacts: tuple[str, ...] = ()
    log: str | None = None  # path of the last attempt's log
    remarks: tuple[str, ...] = ()  # what the job said of its result with `run.note`: the terminal shows it too
    notes: tuple[str, ...] = ()  # remarks where nothing failed: `passed at attempt 2`, `no metrics found`
    attempts: tuple[Attempt, ...] = ()
    study: StudyResult | None = None  # of a study's own job
    trial_of: str | None = None  # the study that the job is a trial of
    varied: tuple[str, ...] = ()  # parameters that its study sets
    seed: int = 0
    threads: int = 1
    started: str = ""
    ended: str = ""
    wall_s: float = 0.0  # the attempts' own time, without waiting
    waiting_s: float = 0.0  # waiting in its slot: for other jobs' imports, GPUs, pauses before another attempt
    cpu_s: float = 0.0
    peak_memory_mb: float | None = None
    optional: bool = False
    schema_version: int = SCHEMA_VERSION


class Outcome(Reported, frozen=True, kw_only=True):
    """What a job came to. Paths are relative to the run folder."""

    job_id: str
    data: tuple[DataUsed, ...] = ()
    traceback: str | None = None  # the job's own frames only
    log_tail: tuple[str, ...] = ()  # the last 20 lines that the job printed, or the traceback among its last 80
    slot: str = ""  # `gw0`, or `main` without xdist
    differences: dict[str, dict[str, Difference]] = {}  # to predictions of the same people, by earlier run and metric
    fingerprint: str = ""  # digest of code, parameters, gates, seed and versions; equal ones need no new training

    @property
    def shown(self) -> Shown:
        """The status as people see it: an optional job that failed has one of its own."""
        return shown(self.status, is_optional=self.optional)

    @property
    def is_trained(self) -> bool:
        """True if a process executed the job, or an earlier run's outcome is still true."""
        is_still_true = self.status == Status.PASSED or self.cause == "unchanged"
        return is_still_true or any(attempt.ending != Ending() for attempt in self.attempts)

    @property
    def took_s(self) -> float:
        """Seconds of training, of a study those of its trials."""
        return self.study.wall_s if self.study else self.wall_s

    @property
    def host(self) -> str:
        """The machine of its last attempt, if it is not the session's."""
        return self.attempts[-1].host if self.attempts else ""

    @property
    def place(self) -> str:
        """The slot of its last attempt, with the machine if it is not the session's."""
        return located(self.slot, self.host)

    @property
    def is_simulated(self) -> bool:
        """True if any of the data that the job used is simulated."""
        return any(not dataset.real for dataset in self.data)

    @property
    def data_origin(self) -> str:
        """`simulated`, `real`, or empty for a job that used no data."""
        return "simulated" if self.is_simulated else "real" if self.data else ""


class SortedMetrics(NamedTuple):
    """The finite numbers of a mapping, and by name a sentence about each other value."""

    metrics: dict[str, float]
    refused: dict[str, str]


class UnfitMetricError(ResultError):
    """A value that a function returned is no finite number; the others are kept."""

    def __init__(self, message: str, metrics: dict[str, float]) -> None:
        super().__init__(message)
        self.metrics = metrics


def finite_metrics(returned: Any) -> dict[str, float]:
    """Return what a job returned as plain floats, or raise ResultError with the first mistake."""
    metrics, refused = sort_metrics(returned)
    for sentence in refused.values():
        raise UnfitMetricError(sentence, metrics)
    return metrics


def with_predicted(returned: Any, predicted: dict[str, float]) -> dict[str, float]:
    """Return the metrics of predictions and those that a job returned; raise ResultError where they disagree."""
    metrics = finite_metrics({} if returned is None and predicted else returned)
    for name in (name for name in metrics if metrics[name] != predicted.get(name, metrics[name])):
        raise ResultError(
            f"train returned {name!r} = {metrics[name]:g}, run.predictions has {predicted[name]:g}; "
            "expected one of them: leave it out of what train returns, or name the predictions (name=…)"
        )
    return predicted | metrics


def sort_metrics(returned: Any) -> SortedMetrics:
    """Return a mapping's metrics as plain floats, apart from other values; raise ResultError for no mapping."""
    if not isinstance(returned, Mapping):
        value = f"{safe_repr(returned)} ({type(returned).__name__})"
        raise ResultError(f"train returned {value}; expected a dict of metric names and numbers")
    result = SortedMetrics({}, {})
    for name, value in returned.items():
        try:
            result.metrics["".join(name)] = _finite(name, value)  # of numpy's own string type a plain string
        except ResultError as error:
            result.refused[name if isinstance(name, str) else safe_repr(name)] = str(error)
    return result


def scalar(value: Any) -> Any:
    """Return the number in an array or tensor of one number; anything else as it is."""
    if hasattr(value, "item"):
        with contextlib.suppress(Exception):  # of the job's own class
            size = value.numel() if callable(getattr(value, "numel", None)) else getattr(value, "size", 1)
            return value.item() if size == 1 else value
    return value


def _finite(name: Any, value: Any) -> float:
    if not isinstance(name, str) or not name or len(name) > LONGEST_METRIC or not name.isprintable():
        raise ResultError(f"a metric is named {safe_repr(name)}; expected a short printable string")
    value = scalar(value)
    if not isinstance(value, numbers.Real | Decimal):
        raise ResultError(f"metric {name!r} is {safe_repr(value)} ({type(value).__name__}); expected a finite number")
    try:
        number = float(value)
    except OverflowError:  # an int or a fraction may be larger than any float
        number = math.inf
    except ValueError:  # a signalling NaN
        number = math.nan
    if not math.isfinite(number):
        raise ResultError(f"metric {name!r} is {number}; expected a finite number")
    return number
