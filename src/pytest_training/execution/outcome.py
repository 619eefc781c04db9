"""What an attempt and a job came to. The types; `judge` (below) is the one place that decides pass or fail."""

from __future__ import annotations

from typing import Any, Literal

from pytest_training.jobs.model import SCHEMA_VERSION, Gate, Value

Status = Literal["passed", "failed", "interrupted", "not run", "skipped"]

Cause = str
"""Why a job did not pass: the key of a limit that it exceeded, or one of `CAUSES`."""

CAUSES = (
    "error",  # the job raised
    "exit",  # ended without a result: sys.exit, os._exit, a script's exit status
    "crash",  # killed by a signal that was not ours
    "result",  # returned or wrote something that is no metrics
    "gate",
    "data",  # a dataset is missing or changed
    "worker died",  # the slot that waited for it died
    "server died",
    "system",  # what the run itself asked of the operating system was refused: disk full, too many open files
    "interrupted",
    "unchanged",  # skipped: an earlier run's outcome is still true
    "needs",  # a job that it needs did not pass
)


class Ending(Value, frozen=True, kw_only=True):
    """How the process of one attempt ended, as the operating system tells."""

    exit_status: int | None = None
    """None when a signal ended it."""
    signal: str | None = None
    """By name: SIGSEGV."""
    ended_by: str | None = None
    """Set when it did not end by itself: the key of a limit, `interrupted` or `server died`."""
    measured: float | None = None
    """What the limit measured that ended it."""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    """User and system CPU seconds of the process and of its children that it waited for."""
    peak_memory_mb: float | None = None
    """Largest resident memory of the job's own process tree, in MiB; None where nothing could be measured."""


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
    started: str = ""
    """UTC, ISO 8601."""
    ending: Ending = Ending()
    folder: str = ""
    """Relative to the run folder."""
    slot: str = ""
    """Which slot executed it: known while it runs, and of a slot that died."""


class GateResult(Value, frozen=True, kw_only=True):
    """A gate beside the metric that was found."""

    gate: Gate
    found: float | None
    """None when the job returned no such metric."""
    passed: bool


class Outcome(Value, frozen=True, kw_only=True):
    """What a job came to."""

    job_id: str
    kind: str
    title: str
    status: Status
    cause: Cause | None = None
    reason: str = ""
    """One sentence; empty when passed."""
    parameters: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    gates: tuple[GateResult, ...] = ()
    data: tuple[DataUsed, ...] = ()
    artifacts: tuple[str, ...] = ()
    """Paths relative to the run folder."""
    log: str | None = None
    """Path of the last attempt's log, relative to the run folder."""
    traceback: str | None = None
    """The job's own frames only."""
    log_tail: tuple[str, ...] = ()
    """The last 20 lines that the job printed."""
    notes: tuple[str, ...] = ()
    """What a reader should know although nothing failed: `passed at attempt 2`, `no metrics found`."""
    attempts: tuple[Attempt, ...] = ()
    seed: int = 0
    threads: int = 1
    slot: str = ""
    """`gw0`, or `main` without xdist."""
    started: str = ""
    ended: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_mb: float | None = None
    optional: bool = False
    fingerprint: str = ""
    """Digest of code, parameters, gates, seed and package versions; equal ones need no new training."""
    schema_version: int = SCHEMA_VERSION
