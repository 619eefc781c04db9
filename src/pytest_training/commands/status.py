"""`pytest-training status`: how far the run in progress is, or what the last one came to, for people and programs."""

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

from pytest_training.commands.answers import answer, readable_run
from pytest_training.execution.folder import ReportsFolder, RunFolder, seconds_between, utc_now
from pytest_training.execution.outcome import Outcome, Tolerated
from pytest_training.execution.unfinished import begun_attempt, final_outcome
from pytest_training.jobs.model import SCHEMA_VERSION, PlannedJob, Value
from pytest_training.project import Project
from pytest_training.records.recorded_run import TrainingRun, is_going_on, read_run, running_run
from pytest_training.registry import Registry
from pytest_training.reporters.console import state_counts
from pytest_training.reporters.watch import Watch, WatchedJob, watch_of
from pytest_training.text import fit, one_line, table
from pytest_training.units import done_about, duration, number

LONGEST_DETAIL, MOST_NUMBERS = 100, 3
OF_OUTCOME = ("status", "trial_of", "optional", "cause", "reason", "metrics", "log")


class JobStatus(Value, frozen=True, kw_only=True):
    """A job of a run. Paths are relative to the run folder."""

    id: str
    status: Literal["waiting", "running", "passed", "failed", "interrupted", "skipped", "not run"]
    optional: bool = False  # True if the run passes although the job fails
    trial_of: str | None = None  # the study that it is a trial of
    cause: str | None = None
    reason: str = ""  # why it did not pass, in one sentence
    metrics: dict[str, float] = {}
    seconds: float = 0.0  # how long it has trained
    expected_s: float | None = None
    remaining_s: float | None = None  # of a running job
    progress: float | None = None  # of a running job that says it: the part that is done, 0 to 1
    values: dict[str, Any] = {}  # the newest numbers that a running job has logged
    memory_mb: float | None = None
    log: str | None = None

    @property
    def word(self) -> str:
        """The status as counts of jobs have it."""
        shown = Tolerated.FAILED.word if self.optional and self.status == "failed" else self.status
        return "pruned" if self.cause == "pruned" else shown


class RunStatus(Value, frozen=True, kw_only=True):
    """The answer of `pytest-training status --json`."""

    run_id: str
    state: Literal["running", "finished", "killed"]  # killed: its session ended without a word
    started: str
    ended: str | None  # None unless it has finished
    exit_code: int | None  # pytest's, None unless it has finished
    remaining_s: float | None  # expected seconds to the end of a running run
    smoke: bool
    folder: str  # absolute path of the run folder
    page: str | None  # absolute path of its page, if it has one
    counts: dict[str, int]  # number of jobs by status; a study with its trials counts once
    jobs: tuple[JobStatus, ...]  # in planned order
    problems: tuple[str, ...]  # what went wrong around the jobs
    schema_version: int = SCHEMA_VERSION


def status(arguments: argparse.Namespace, project: Project) -> None:
    """Print the state of the run in progress, else of the last one, or of the named one."""
    going_on = running_run(project.reports) or running_run(ReportsFolder(project.reports).smoke)
    is_usual = arguments.run == "last" and going_on
    found = status_of(going_on if is_usual and going_on else readable_run(project.reports, arguments.run))
    answer(arguments, found, _lines(found))


def status_of(folder: RunFolder) -> RunStatus:
    """Read the state of a run from its folder."""
    goes_on, run = is_going_on(folder), read_run(folder)
    watch = _watch(run) if goes_on else None
    outcomes = watch.outcomes if watch else {each.job_id: each for each in run.outcomes}
    running = watch.running if watch else {}
    jobs = tuple(_job(each, outcomes.get(each.job.id), running.get(each.job.id), folder) for each in run.plan.jobs)
    ids = {job.id for job in jobs}
    return RunStatus(
        run_id=folder.run_id,
        state="running" if goes_on else "finished" if run.record else "killed",
        started=run.started,
        ended=run.record.ended if run.record else None,
        exit_code=run.record.exit_code if run.record else None,
        remaining_s=watch.remaining_s() if watch else None,
        smoke=run.plan.smoke,
        folder=str(folder.path.absolute()),
        page=str(folder.page.absolute()) if folder.page.exists() else None,
        counts=dict(Counter(str(job.status) for job in jobs if job.trial_of not in ids)),
        jobs=jobs,
        problems=tuple(run.problems),
    )


def _watch(run: TrainingRun) -> Watch:
    """Return what the live view knows of a run in progress, made from the run's files."""
    found = {each.job.id: final_outcome(run.folder, each.job.id) for each in run.plan.jobs}
    outcomes = {job_id: outcome for job_id, outcome in found.items() if outcome}
    watch = watch_of(run, outcomes, Registry())
    watch.took_s += [outcome.wall_s for outcome in outcomes.values() if outcome.wall_s > 0]
    for job_id, each in watch.planned.items():
        first = run.folder.job(job_id).attempt(1)
        if job_id not in outcomes and (attempt := begun_attempt(first)):
            since = time.monotonic() - seconds_between(attempt.started, utc_now())
            readers, is_elsewhere = watch.registry.readers, first.usage.exists()
            watch.running[job_id] = WatchedJob(
                each.job, each.expected_s, since=since, readers=readers, is_elsewhere=is_elsewhere
            )
    watch.begun |= {*outcomes, *watch.running}
    watch.poll()
    return watch


def _job(planned: PlannedJob, outcome: Outcome | None, running: WatchedJob | None, folder: RunFolder) -> JobStatus:
    job = planned.job
    known: dict[str, Any] = {"status": "waiting", "trial_of": job.trial_of, "optional": job.optional}
    if outcome is not None:
        known = {name: getattr(outcome, name) for name in OF_OUTCOME}
        known |= {"seconds": outcome.took_s, "memory_mb": outcome.peak_memory_mb}
    elif running is not None:
        log = folder.job(job.id).attempt(max(running.attempt, 1)).log
        known |= {"status": "running", "seconds": round(running.elapsed_s, 3), "progress": running.share}
        known |= {"remaining_s": running.remaining_s, "memory_mb": running.memory_mb, "values": running.logged}
        known |= {"log": log.relative_to(folder.path).as_posix() if log.exists() else None}
    return JobStatus(id=job.id, expected_s=planned.expected_s, **known)


def _lines(found: RunStatus) -> Iterator[str]:
    """Yield the state in words: of trials those that run."""
    words = {"running": "in progress", "finished": "has ended", "killed": "ended without a record"}[found.state]
    counts = state_counts({job.id: (job.trial_of, job.word) for job in found.jobs})
    left = f"; {done_about(found.remaining_s, datetime.now().astimezone())}" if found.remaining_s else ""
    yield f"run {found.run_id} {words}: {counts}{left}"
    shown = [job for job in found.jobs if not job.trial_of or job.status == "running"]
    yield from table(("job", "status", "seconds", ""), (_row(job) for job in shown))
    yield from (f"warning: {one_line(problem)}" for problem in found.problems)
    yield f"page: {found.page}" if found.page else f"folder: {found.folder}"


def _row(job: JobStatus) -> tuple[str, str, str, str]:
    share = f"{100 * job.progress:.0f} %" if job.progress is not None else ""
    left = f"about {duration(job.remaining_s)} left" if job.remaining_s else ""
    numbers = [(name, value) for name, value in (job.values or job.metrics).items() if isinstance(value, int | float)]
    words = [f"{one_line(name, 20)} {number(value)}" for name, value in numbers[:MOST_NUMBERS]]
    detail = job.reason or ", ".join(filter(None, [share, left, *words]))
    took = duration(job.seconds) if job.seconds else ""
    return one_line(job.id, 40), job.word, took, fit(one_line(detail), LONGEST_DETAIL)
