"""A run as its folder tells it: while it goes on, after it ended, and after it was killed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil

from pytest_training.errors import DeclarationError
from pytest_training.execution.folder import AttemptFolder, RunFolder, runs_folder, seconds_between
from pytest_training.execution.job_files import read_json
from pytest_training.execution.outcome import Outcome
from pytest_training.execution.slot import blank_outcome, read_outcome, unfinished_outcome
from pytest_training.jobs.model import Job, Plan
from pytest_training.jobs.plan_file import read_plan
from pytest_training.records.provenance import Provenance
from pytest_training.records.run_record import BegunRun, RunRecord

SAME_START_S = 1.0  # a process's start is known to about a clock tick


@dataclass(frozen=True)
class RecordedRun:
    """What is known of a run."""

    folder: RunFolder
    plan: Plan
    outcomes: tuple[Outcome, ...]
    """One for each planned job, in planned order."""
    provenance: Provenance | None = None
    record: RunRecord | None = None
    """None for a run that did not finish."""
    begun: BegunRun | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end, whatever its jobs came to."""
        return self.record is not None

    @property
    def started(self) -> str:
        """When it began; empty when nothing tells."""
        known = self.record or self.begun
        return known.started if known else ""

    def node_id(self, job_id: str) -> str | None:
        """Return the id by which pytest selects the job."""
        nodes = self.begun.nodes if self.begun else {}
        return next((node for node, job in nodes.items() if job == job_id), None)


def find_run(reports: Path, name: str) -> RunFolder:
    """Return a run by its id, the beginning of one, its folder, or `last`."""
    runs, names = runs_folder(reports), run_ids(reports)
    wanted = Path(name).name if "/" in name else name
    if wanted and wanted not in names and (runs / wanted).is_dir():
        raise DeclarationError(f"run {wanted!r}: no plan.json in {runs / wanted}: nothing tells of which jobs it was")
    found = names[-1:] if wanted == "last" else [each for each in names if each == wanted]
    found = found or [each for each in names if each.startswith(wanted)]
    if len(found) == 1:
        return RunFolder(reports, found[0])
    if not names:
        raise DeclarationError(f"no run in {runs}")
    known = ", ".join((found or names)[-5:])
    raise DeclarationError(
        f"run {name!r}: expected one of the {len(found or names)} runs in {runs}, the last being {known}"
    )


def run_ids(reports: Path) -> list[str]:
    """Return the ids of the runs that have a plan, oldest first."""
    return sorted(path.parent.name for path in runs_folder(reports).glob("*/plan.json"))


def read_run(folder: RunFolder) -> RecordedRun:
    """Read a run from its folder; what is missing or damaged is left out, only the plan must be there."""
    plan = read_plan(folder.plan)
    record, begun = read_json(folder.record, RunRecord), read_json(folder.begun, BegunRun)
    reason = "still running" if is_running(begun) else "the run was killed while this job ran"
    return RecordedRun(
        folder=folder,
        plan=plan,
        outcomes=tuple(
            _outcome(folder, planned.job, plan.seed, reason, is_finished=record is not None) for planned in plan.jobs
        ),
        provenance=read_json(folder.provenance, Provenance),
        record=record,
        begun=begun,
    )


def running_run(reports: Path) -> RunFolder | None:
    """Return the newest run that is in progress."""
    for run_id in reversed(run_ids(reports)):
        if is_going_on(folder := RunFolder(reports, run_id)):
            return folder
    return None


def is_going_on(folder: RunFolder) -> bool:
    """Whether a run is in progress."""
    return not folder.record.exists() and is_running(read_json(folder.begun, BegunRun))


def is_running(begun: BegunRun | None) -> bool:
    """Whether the process that began a run still lives."""
    if begun is None:
        return False
    try:
        return abs(psutil.Process(begun.pid).create_time() - begun.pid_started) < SAME_START_S
    except psutil.Error:
        return False


def _outcome(folder: RunFolder, job: Job, seed: int, reason: str, *, is_finished: bool) -> Outcome:
    known = read_outcome(folder, job.id)
    # Of a run that is killed, the server dies with the owner: that is what its workers have time to see.
    if known is not None and (is_finished or known.cause != "server died"):
        return known
    files = folder.job(job.id)
    if not files.attempt(1).path.exists():
        return msgspec.structs.replace(blank_outcome(job, seed=seed), reason="the run ended before this job started")
    outcome = unfinished_outcome(folder, job, seed=seed, slot="", cause="interrupted", reason=reason)
    last = files.attempt(files.next_attempt() - 1)
    ended = _last_sign_of_life(last) or outcome.started
    slot = next((attempt.slot for attempt in outcome.attempts if attempt.slot), "")
    return msgspec.structs.replace(
        outcome,
        ended=ended,
        wall_s=round(seconds_between(outcome.started, ended), 3),
        slot=slot,
    )


def _last_sign_of_life(attempt: AttemptFolder) -> str | None:
    times = list(_modified(attempt.started, attempt.log, attempt.events, attempt.artifacts))
    return datetime.fromtimestamp(max(times), UTC).isoformat(timespec="milliseconds") if times else None


def _modified(*paths: Path) -> Iterator[float]:
    for path in paths:
        with contextlib.suppress(OSError):
            yield path.stat().st_mtime
