"""Outcomes of jobs whose slots could not write one, because they or the whole run ended too early."""

import msgspec

from pytest_training.execution.attempt.messages import LOST, Usage
from pytest_training.execution.folder import AttemptFolder, RunFolder, seconds_between, utc_now
from pytest_training.execution.job_files import log_tail, read_json
from pytest_training.execution.outcome import Attempt, Cause, Outcome, Status, between_attempts
from pytest_training.execution.slot import new_outcome, read_outcome
from pytest_training.jobs.model import Job
from pytest_training.machine import other_host
from pytest_training.signals import ENDING


def final_outcome(folder: RunFolder, job_id: str) -> Outcome | None:
    """Return what a slot wrote, or None; None too for a lost attempt: its backend may have ended with its owner."""
    outcome = read_outcome(folder, job_id)
    last = outcome.attempts[-1].cause if outcome and outcome.attempts else None
    return None if outcome and last in LOST and last == outcome.cause else outcome


def interrupted_outcome(folder: RunFolder, job: Job, *, seed: int, reason: str, ended: str | None = None) -> Outcome:
    """Return the outcome of a job without a final one, in a run that has ended; `reason` is for one that had begun."""
    if folder.job(job.id).attempt(1).path.exists():
        return unfinished_outcome(folder, job, seed=seed, slot="", cause="interrupted", reason=reason, ended=ended)
    return new_outcome(job, seed=seed, reason="the run ended before this job started")


def ended_with_run(outcome: Outcome) -> Outcome:
    """Return the outcome, interrupted if a signal (None if the job raised it) ended job and run, as Slurm's does."""
    last = outcome.attempts[-1] if outcome.attempts else None
    if last is None or outcome.cause != "crash" or last.ending.signal not in {None, *(each.name for each in ENDING)}:
        return outcome
    reason = f"interrupted after {last.ending.wall_s:.1f} s"
    fields = {"status": Status.INTERRUPTED, "cause": "interrupted", "reason": reason}
    last = msgspec.structs.replace(last, ending=msgspec.structs.replace(last.ending, ended_by="interrupted"), **fields)
    return msgspec.structs.replace(outcome, attempts=(*outcome.attempts[:-1], last), **fields)


def unfinished_outcome(  # noqa: PLR0913  (all that is left of a lost outcome)
    folder: RunFolder, job: Job, *, seed: int, slot: str, cause: Cause, reason: str, ended: str | None = None
) -> Outcome:
    """Return the outcome of a job whose slot wrote none, from what its attempts left; it ended at `ended`, or now."""
    files = folder.job(job.id)
    all_attempts = (begun_attempt(files.attempt(number)) for number in range(1, files.next_attempt()))
    attempts = tuple(attempt for attempt in all_attempts if attempt is not None)
    last = files.attempt(max(1, len(attempts)))
    has_log = last.log.exists()
    ended = ended or utc_now()
    if cause == "interrupted" and attempts:
        if attempts[-1].cause in LOST:  # with its owner: its slot saw no more
            killed = msgspec.structs.replace(attempts[-1], status=Status.INTERRUPTED, cause=cause, reason=reason)
            attempts = (*attempts[:-1], killed)
        elif attempts[-1].status == Status.FAILED:
            reason = between_attempts(attempts[-1])
    return new_outcome(
        job,
        parameters=job.parameters | (attempts[-1].drawn if attempts else {}),
        seed=seed,
        slot=slot,
        status=Status.INTERRUPTED if cause == "interrupted" else Status.FAILED,
        cause=cause,
        reason=reason,
        attempts=attempts,
        started=attempts[0].started if attempts else ended,
        ended=ended,
        **_times(job, attempts, ended, has_log=has_log),
        log=last.log.relative_to(folder.path).as_posix() if has_log else None,
        log_tail=log_tail(last.log),
    )


def begun_attempt(files: AttemptFolder) -> Attempt | None:
    """Return an attempt as its slot has written it; where it was executed, if a node had the choice, is elsewhere."""
    attempt, usage = read_json(files.started, Attempt), read_json(files.usage, Usage)
    if attempt is None or usage is None:
        return attempt
    return msgspec.structs.replace(attempt, slot=usage.node, host=other_host(usage.host), threads=usage.threads)


def _times(job: Job, attempts: tuple[Attempt, ...], ended: str, *, has_log: bool) -> dict[str, float]:
    """Return the job's own time and what it waited for; a last attempt without a log had not begun."""
    if not attempts:
        return {}
    own_s, last = sum(attempt.ending.wall_s for attempt in attempts), attempts[-1]
    has_begun = has_log or any(each.variable for each in job.declared)
    if last.status == Status.INTERRUPTED and not last.ending.wall_s and has_begun:  # the log of a secret is elsewhere
        own_s += seconds_between(last.started, ended)
    waiting_s = max(seconds_between(attempts[0].started, ended) - own_s, 0.0)
    return {"wall_s": round(own_s, 3), "waiting_s": round(waiting_s, 3)}
