"""A run as a whole: its record at start and end, and how near it came to the best possible duration."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime

from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.model import SCHEMA_VERSION, Value


class RunRecord(Value, frozen=True, kw_only=True):
    """One pytest session that trained."""

    run_id: str
    started: str  # UTC, ISO 8601
    ended: str
    seed: int
    workers: int  # slots: xdist workers, or 1 without xdist
    exit_code: int
    arguments: tuple[str, ...] = ()  # the command line
    folder: str = ""  # the run folder, relative to the reports folder: `runs/<run id>`
    loading: dict[str, float] = {}  # seconds that the job server took to import each package, once for all jobs
    problems: tuple[str, ...] = ()  # what went wrong around the jobs, in sentences: with the history, for one
    schema_version: int = SCHEMA_VERSION


class BegunRun(Value, frozen=True, kw_only=True):
    """A run at its start."""

    run_id: str
    started: str
    pid: int
    pid_started: float  # when that process began, seconds since 1970: a pid alone may be another's by now
    arguments: tuple[str, ...] = ()
    nodes: dict[str, str] = {}  # job id by node id
    resumed: tuple[str, ...] = ()
    """Id of the run that this one resumes, then of the run that that one resumed, and so on."""
    schema_version: int = SCHEMA_VERSION


class Timing(Value, frozen=True, kw_only=True):
    """How long the trainings of a run took, and the least that they could take."""

    work_s: float  # sum of the jobs' own times: what one after another takes
    waiting_s: float  # sum of what jobs waited for in their slots: imports, GPUs, pauses before another attempt
    makespan_s: float | None  # from the start of the first job to the end of the last; None when no job started
    lower_bound_s: float  # max(work_s / workers, longest job): no order can be faster
    efficiency: float | None  # lower_bound_s / makespan_s: 1.0 is a perfect order


def timing(outcomes: Iterable[Outcome], workers: int) -> Timing:
    """Measure a run by the outcomes of its jobs that started."""
    ran = [outcome for outcome in outcomes if outcome.attempts or outcome.wall_s > 0]
    walls = [outcome.wall_s for outcome in ran if math.isfinite(outcome.wall_s)]
    work_s = math.fsum(walls)
    lower_bound_s = max(work_s / max(workers, 1), max(walls, default=0.0))
    starts = [start for outcome in ran if (start := moment(outcome.started))]
    ends = [end for outcome in ran if (end := moment(outcome.ended))]
    # A clock that jumps back while jobs run must not give a negative duration.
    makespan_s = max((max(ends) - min(starts)).total_seconds(), 0.0) if starts and ends else None
    return Timing(
        work_s=work_s,
        waiting_s=math.fsum(outcome.waiting_s for outcome in ran if math.isfinite(outcome.waiting_s)),
        makespan_s=makespan_s,
        lower_bound_s=lower_bound_s,
        efficiency=min(lower_bound_s / makespan_s, 1.0) if makespan_s else None,
    )


def moment(written: str) -> datetime | None:
    """Return a time of an outcome, or None if it is empty or unreadable."""
    try:
        time = datetime.fromisoformat(written)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
