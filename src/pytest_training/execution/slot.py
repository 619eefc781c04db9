"""What one slot does with one job: attempts until one passes or none is left, then the outcome on disk."""

import contextlib
import itertools
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from pytest_training.atomic import write_atomically
from pytest_training.errors import FROM_OTHERS, DeclarationError
from pytest_training.execution.attempt.environment import changed, changes_since, session_environment
from pytest_training.execution.attempt.messages import LOST, AttemptRequest, Reply
from pytest_training.execution.backends.protocol import Launcher, launch_timed
from pytest_training.execution.folder import AttemptFolder, JobFolder, RunFolder, utc_now
from pytest_training.execution.job_files import copy_files, read_json
from pytest_training.execution.judge import Verdict, findings, judge, judge_gates, refuse
from pytest_training.execution.needs import gather, start_with_places, unmet, with_places
from pytest_training.execution.outcome import Attempt, Cause, DataUsed, Outcome, Status, between_attempts
from pytest_training.execution.readers import READERS
from pytest_training.execution.readers.findings import add_curves, readers_of
from pytest_training.execution.readers.protocol import Reader, RunningAttempt
from pytest_training.execution.secrets import Secrets
from pytest_training.execution.strays import strays
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Call, Command, Kinds
from pytest_training.jobs.model import Dataset, Job, PlannedJob, RunSettings, Unchanged
from pytest_training.limits import LIMITS, Limits
from pytest_training.limits.protocol import refer
from pytest_training.limits.tree import stalled
from pytest_training.machine import other_host
from pytest_training.places import entered
from pytest_training.signals import left_to_the_owner
from pytest_training.wording import safe_repr

REASONS: Mapping[Cause | None, str] = {"error": "error", "exit": "error", **dict.fromkeys(("crash", *LOST), "crash")}
"""Causes, beside exceeded limits, that another attempt may mend; a failed gate is an answer, not an accident."""
LONGEST_WAIT_S = 3600.0
TAKEN_OVER = ("parameters", "metrics", "sources", "interval_method", "remarks")  # by an unchanged job
REFUSED = "cannot be trained or recorded"  # first words of the sentence about a refusal by the operating system


class Slot(msgspec.Struct, frozen=True):
    """Executes one job at a time; the same for an xdist worker and for a session without xdist."""

    name: str
    folder: RunFolder
    launcher: Launcher
    seed: int
    threads: int
    settings: RunSettings
    datasets: Mapping[str, Dataset] = msgspec.field(default_factory=dict)
    kinds: Kinds = msgspec.field(default_factory=lambda: KINDS)
    readers: Sequence[Reader] = READERS
    limits: Limits = msgspec.field(default_factory=lambda: LIMITS)
    environment: Mapping[str, str] = msgspec.field(default_factory=session_environment)  # when the backend started
    changes: dict[str, str | None] | None = None  # of these since then; None for those that are there by now
    number: int = 0  # in the run: searches of two slots draw different parameters
    studies: Mapping[str, PlannedJob] = msgspec.field(default_factory=dict)  # own jobs of studies that search, by id
    searches: dict[str, Any] = msgspec.field(default_factory=dict)  # those that this slot takes part in
    owned: bool = False  # True in an xdist worker: the owner, not this worker, handles Ctrl-C and stops jobs

    def train(self, planned: PlannedJob) -> Outcome:
        """Train a job and leave its outcome in the run folder; one that cannot be written says so."""
        try:
            with left_to_the_owner() if self.owned else contextlib.nullcontext(lambda: None) as ignore_further:
                outcome = self._come_to(planned)
                if outcome.status == Status.INTERRUPTED:
                    ignore_further()
                return outcome
        except OSError as error:  # ours: what a job raises is in its result
            place = f": {error.filename}" if error.filename else ""
            reason = f"{REFUSED}: {error.strerror or error}{place}"
            outcome = self._outcome(planned.job, status=Status.FAILED, cause="system", reason=reason)
            with contextlib.suppress(OSError):
                save_outcome(self.folder, outcome)
            return outcome

    def _outcome(self, job: Job, **fields: Any) -> Outcome:
        return new_outcome(job, seed=self.seed, **{"slot": self.name, **fields})

    def _come_to(self, planned: PlannedJob) -> Outcome:
        if planned.job.study is None:
            return self._skip(planned.job, planned.unchanged) if planned.unchanged else self._train(planned)
        from pytest_training.execution.studies import judge_study  # noqa: PLC0415  (few runs have a study)

        fields = judge_study(planned, self.folder, is_worker=self.owned)
        return save_outcome(self.folder, self._outcome(planned.job, fingerprint=planned.fingerprint, **fields))

    def _train(self, planned: PlannedJob) -> Outcome:
        if study := self.studies.get(planned.job.trial_of or ""):
            from pytest_training.execution.searching import train_trial  # noqa: PLC0415  (imports Optuna)

            return train_trial(self, planned, study, Slot._train_whole)
        return self._train_whole(planned)

    def _train_whole(self, planned: PlannedJob) -> Outcome:
        job = planned.job
        started, paused_s = utc_now(), 0.0
        attempts: list[Attempt] = []
        for tries in itertools.count():
            attempt, judged, place = self._attempt(planned)
            goes_on = attempt.cause != "interrupted"
            if attempts and attempt.ending.wall_s == 0 and attempt.cause in {"interrupted", *LOST}:
                paused_s += attempt.ending.waiting_s  # it never began: its reason is not the job's
            else:
                verdict, folder, goes_on, attempts = judged, place, True, [*attempts, attempt]
            if goes_on:
                if tries >= job.retries or not self._may_mend(job, verdict):
                    break
                begun = time.monotonic()
                goes_on = self.launcher.pause(min(job.retry_wait_s * 2**tries, LONGEST_WAIT_S))
                paused_s += time.monotonic() - begun
            if not goes_on:
                reason = between_attempts(attempts[-1])
                verdict = replace(verdict, status=Status.INTERRUPTED, cause="interrupted", reason=reason)
                break
        outcome = self._outcome(
            job,
            **findings(verdict, attempts, folder, self.folder.path),
            fingerprint=planned.fingerprint,
            slot=attempts[-1].slot,
            threads=attempts[-1].threads,
            started=started,
            ended=utc_now(),
            wall_s=round(sum(attempt.ending.wall_s for attempt in attempts), 4),
            waiting_s=round(sum((attempt.ending.waiting_s for attempt in attempts), paused_s), 4),
        )
        return save_outcome(self.folder, outcome)

    def _may_mend(self, job: Job, verdict: Verdict) -> bool:
        """Return True if another attempt may mend what ended this one."""
        is_limit = verdict.cause == verdict.ended_as and verdict.cause in self.limits
        usual = verdict.cause if is_limit else REASONS.get(verdict.ended_as)
        is_stated = job.retry_on is None or {usual, verdict.cause}.intersection(job.retry_on)
        return bool(usual is not None and not job.problem and is_stated)

    def _skip(self, job: Job, unchanged: Unchanged) -> Outcome:
        outcome = self._outcome(
            job,
            status=Status.SKIPPED,
            cause="unchanged",
            reason=f"unchanged since run {unchanged.run_id}, whose metrics these are",
            **{name: getattr(unchanged, name) for name in TAKEN_OVER},
            data=msgspec.convert(unchanged.data, tuple[DataUsed, ...]),
            gates=judge_gates(job.gates, unchanged.metrics),
            notes=(f"unchanged since run {unchanged.run_id}",),
        )
        return save_outcome(self.folder, outcome)

    def leave_out(self, planned: PlannedJob) -> Outcome | None:
        """Return the outcome of a job that cannot run for want of one that it needs, or None if it can run."""
        if not planned.job.needs or planned.unchanged:
            return None
        if (needs := unmet(planned, self.folder, is_worker=self.owned)) is None:
            return None
        status, reason = needs
        return save_outcome(self.folder, self._outcome(planned.job, status=status, cause="needs", reason=reason))

    def _attempt(self, planned: PlannedJob) -> tuple[Attempt, Verdict, AttemptFolder]:
        job, files = planned.job, self.folder.job(planned.job.id)
        number, folder = files.begin_attempt()
        had_checkpoint = files.checkpoint.is_dir()
        notes = () if had_checkpoint else self._take_checkpoint(job, files)
        started, since = utc_now(), time.time()
        begun = Attempt(
            number=number,
            status=Status.INTERRUPTED,
            started=started,
            folder=folder.path.relative_to(self.folder.path).as_posix(),
            slot=self.name,
            threads=job.cpus or self.threads,
            continued=files.checkpoint.is_dir() and not had_checkpoint,
            drawn={each: job.parameters[each] for each in job.varied if each in job.parameters},
        )
        write_atomically(folder.started, msgspec.json.encode(begun), below=folder.below)
        with entered(folder.path, folder.below):  # while it is open, no folder in its place gets its number
            reply, verdict = self._execute(planned, folder, files.checkpoint, since)
            was_replaced = folder.was_replaced
        judged = {name: getattr(verdict, name) for name in ("status", "cause", "reason")}
        attempt = replace(begun, **judged, ending=reply.ending, loading_s=verdict.result.loading_s)
        if place := reply.place:
            attempt = replace(attempt, slot=place.node, host=other_host(place.host), threads=place.threads)
        if verdict.status != Status.PASSED:  # else the outcome follows at once
            with contextlib.suppress(OSError):  # the outcome has it too
                write_atomically(folder.started, msgspec.json.encode(attempt), below=folder.below)
        if was_replaced:
            notes = (*notes, "its folder was deleted or replaced while it ran: what was there before is in no report")
        return attempt, replace(verdict, notes=(*verdict.notes, *notes)), folder

    def _take_checkpoint(self, job: Job, files: JobFolder) -> tuple[str, ...]:
        """Copy the job's checkpoint from the newest of the resumed runs that has one; return remarks."""
        earlier = (RunFolder(self.folder.reports, run_id).job(job.id) for run_id in self.settings.resumed)
        source = next((each.checkpoint for each in earlier if each.checkpoint.is_dir()), None)
        return copy_files(source, files.checkpoint, below=files.below) if source else ()

    def _request(
        self, planned: PlannedJob, folder: AttemptFolder, checkpoint: Path, secrets: Secrets
    ) -> AttemptRequest:
        """Return the request for an attempt; raise DeclarationError if the job cannot be started."""
        job, kind, needed = planned.job, self.kinds[planned.job.kind], gather(planned, self.folder)
        seed = self.seed if job.seed is None else job.seed
        if needed:
            write_atomically(folder.needed, msgspec.json.encode(needed), below=folder.below)
        revealed = with_places(secrets.reveal(job), needed)
        try:
            start = kind.start(revealed, folder=str(folder.artifacts), seed=seed)
            _expect(start, Call | Command)
        except FROM_OTHERS as error:  # a kind from outside may raise anything: it fails this job alone
            message = f"{type(error).__name__}: {secrets.mask(str(error))}"
            raise DeclarationError(f"kind {job.kind!r} cannot start it: {message}") from None
        for name, text in start.files.items() if isinstance(start, Command) else ():
            write_atomically(folder.artifacts / name, text.encode(), below=folder.below)
        return AttemptRequest(
            job=revealed,
            start=start_with_places(start, needed) if job.needs else start,
            folder=str(folder.path),
            checkpoint=str(checkpoint),
            seed=seed,
            threads=job.cpus or self.threads,
            datasets=tuple(self.datasets[name] for name in job.data),
            needed=needed,
            earlier={run_id: str(self.folder.stable.runs / run_id / each) for run_id, each in planned.earlier.items()},
            settings=self.settings,
            environment=changes_since(self.environment) if self.changes is None else self.changes,
            limits=tuple(refer(self.limits[key]) for key in job.limits if key not in LIMITS),
        )

    def _execute(
        self, planned: PlannedJob, folder: AttemptFolder, checkpoint: Path, since: float
    ) -> tuple[Reply, Verdict]:
        job, kind = planned.job, self.kinds[planned.job.kind]
        if job.problem:
            return refuse(job.problem)
        try:
            secrets = Secrets.of(job, kind, changed(self.environment, self.changes))
            request = self._request(planned, folder, checkpoint, secrets)
        except DeclarationError as error:
            return refuse(str(error))
        try:
            reply = secrets.launch(request, partial(launch_timed, self.launcher))
            _expect(reply, Reply)
        except OSError:
            raise
        except FROM_OTHERS as error:  # a backend from outside may raise anything: it fails this job alone
            message = secrets.mask(str(error))
            return refuse(f"backend {self.settings.backend!r} cannot execute it: {type(error).__name__}: {message}")
        folder.settle()
        verdict = judge(request, reply, since=since, readers=readers_of(kind, self.readers), limits=self.limits)
        masked = {name: secrets.mask(getattr(verdict, name)) for name in ("reason", "metrics", "sources", "curves")}
        add_curves(folder, masked["curves"], reply.ending.wall_s)
        still = filter(None, [stalled(reply.ending.stalled_s)])
        beside = strays(RunningAttempt(job, folder, since)) if isinstance(request.start, Command) else ()
        return reply, replace(
            verdict,
            **masked,
            remarks=tuple(map(secrets.mask, (*verdict.remarks, *verdict.result.remarks))),
            notes=(*map(secrets.mask, (*reply.notes, *verdict.result.notes, *verdict.notes, *beside)), *still),
        )


def new_outcome(job: Job, *, seed: int, slot: str = "", **fields: Any) -> Outcome:
    """Return an outcome of a job, without `fields` the one of a job that has not run."""
    unread = tuple(each.name for each in job.declared if each.unread and each.name not in job.parameters)
    shared: dict[str, Any] = {
        name: getattr(job, name) for name in ("kind", "title", "optional", "parameters", "trial_of", "varied")
    }
    shared |= {"status": Status.NOT_RUN, "unread": unread, **fields}
    shared["notes"] = (*fields.get("notes", ()), *job.notes)
    return Outcome(job_id=job.id, seed=seed if job.seed is None else job.seed, slot=slot, **shared)


def save_outcome(folder: RunFolder, outcome: Outcome) -> Outcome:
    """Write an outcome to its place in the run folder, and return it."""
    files = folder.job(outcome.job_id)
    write_atomically(files.outcome, msgspec.json.encode(outcome), below=files.below)
    return outcome


def read_outcome(folder: RunFolder, job_id: str) -> Outcome | None:
    """Return a job's outcome, or None if no valid one is there: a job may have written it, with paths to elsewhere."""
    outcome = read_json(folder.job(job_id).outcome, Outcome)
    return outcome if outcome is not None and _is_own(outcome, job_id) else None


def _is_own(outcome: Outcome, job_id: str) -> bool:
    """Return True if an outcome is of that job, and all its paths lead into that job's folder."""
    paths = filter(None, (outcome.log, *outcome.artifacts, *(attempt.folder for attempt in outcome.attempts)))
    inside = (path.startswith(f"jobs/{job_id}/") and "/../" not in f"{path}/" for path in paths)
    return outcome.job_id == job_id and all(inside)


def _expect(value: object, kind: Any) -> None:
    """Raise TypeError unless a part from outside has returned what its protocol says."""
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind.__name__ if isinstance(kind, type) else kind}, found {safe_repr(value)}")
