"""Writes the page of a run in progress every few seconds, in a thread of the owner's process, and the last one."""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from pytest_training.execution.outcome import Outcome, Status
from pytest_training.jobs.model import Job
from pytest_training.options import REGISTRY
from pytest_training.records.recorded_run import TrainingRun, running_run
from pytest_training.records.studies import StudyTable, study_table
from pytest_training.reporters.html.page import write_page
from pytest_training.reporters.watch import Watch, WatchedJob, watch_of

PAUSE_S, AFTER_ERROR_S = 3.0, 15.0
SHARE = 20  # of the time at most one part in so many is spent computing the page
MOST_LISTED = 100  # of the jobs that have ended: the last page has all


class Progress(NamedTuple):
    """What the page says of a run in progress."""

    running: Sequence[WatchedJob]  # the longest running first
    waiting: Sequence[str]  # ids of jobs that have not begun, in planned order
    ended: Sequence[Outcome]  # the newest first
    studies: Sequence[StudyTable]  # those that have not ended, with their trials so far
    failed: int
    total: int
    passed_s: float
    share: float | None  # of the expected time
    left_s: float | None
    ends: str  # when the run may end, UTC; empty if nobody knows
    written: str  # UTC
    every_s: float  # the pause until the page is written again


class Reporter:
    """Writes the page while a run goes on, and once more at its end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.outcomes: dict[str, Outcome] = {}
        self.watch: Watch | None = None
        self.over = threading.Event()
        self.thread: threading.Thread | None = None
        self.since = time.monotonic()

    def pytest_training_run_start(self, run: TrainingRun) -> None:
        """Prepare to write the page; the first job that starts begins it: until then the last run's page stays."""
        if run.settings.backend != "in-process":  # a debugger's: there jobs have this process for themselves
            self.watch = watch_of(run, self.outcomes, self.config.stash[REGISTRY])
            self.thread = threading.Thread(target=self._write_all, args=(run,), name="training-page", daemon=True)

    def pytest_training_job_start(self, job: Job) -> None:
        """Watch a job."""
        if self.watch is None or self.thread is None:
            return
        self.watch.start(job)
        if not self.thread.ident:
            self.since = time.monotonic()
            self.thread.start()

    def pytest_training_job_end(self, outcome: Outcome) -> None:
        """Note an outcome."""
        self.outcomes[outcome.job_id] = outcome

    def pytest_training_run_end(self, run: TrainingRun) -> None:
        """Write the page for the last time."""
        self.over.set()
        if self.thread is not None and self.thread.ident:
            self.thread.join()
        if run.record is not None:
            with run.noting_failure(f"{run.folder.page}"):
                write_page(run, is_latest=True)
                run.pages.append(run.folder.stable.copy_of(run.folder.page))

    def _write_all(self, run: TrainingRun) -> None:
        """Write the page again and again; the longer that takes, the less often."""
        pause_s, problem = 0.0, ""
        while not self.over.wait(pause_s):
            start, least_s = time.thread_time(), PAUSE_S  # on a busy machine writing takes long, but costs no more
            try:
                self._write(run, max(pause_s, PAUSE_S))
            except Exception as error:  # noqa: BLE001  (what is shown must never hurt what is trained)
                if not problem:  # the next time it may work
                    problem = f"the page of the run in progress stood still: {type(error).__name__}: {error}"
                    run.problems.append(problem)
                least_s = AFTER_ERROR_S
            pause_s = max(least_s, SHARE * (time.thread_time() - start))

    def _write(self, run: TrainingRun, pause_s: float) -> None:
        if self.watch is None:
            return
        progress = _progress(self.watch, dict(self.outcomes), time.monotonic() - self.since, pause_s)
        folded = {table.id for table in progress.studies}
        several = [each for each in progress.ended if each.trial_of not in folded]
        listed = sorted(several, key=lambda each: each.status.is_good)[:MOST_LISTED]  # of equal ones the newest
        newest = running_run(run.folder.reports)  # of two runs in one folder the newer has the stable name
        is_latest = newest is None or newest.run_id == run.folder.run_id
        write_page(replace(run, outcomes=tuple(listed)), is_latest=is_latest, progress=progress)


def _progress(watch: Watch, outcomes: dict[str, Outcome], passed_s: float, every_s: float) -> Progress:
    """Return how far a run is; what is left is only known once a job's duration is."""
    running, left_s, now = watch.poll(), watch.remaining_s(), datetime.now(UTC)
    ended = [*reversed(outcomes.values())]
    studies = [each.job for each in watch.planned.values() if each.job.study and each.job.id not in outcomes]
    trials = {job.id: [each for each in ended if each.trial_of == job.id] for job in studies}
    return Progress(
        running=running,
        waiting=[job_id for job_id in watch.planned if job_id not in watch.begun | outcomes.keys()],
        ended=ended,
        studies=[study_table(job.id, trials[job.id], job) for job in studies if trials[job.id]],
        failed=sum(each.shown is Status.FAILED for each in ended),
        total=len(watch.planned),
        passed_s=passed_s,
        share=None if left_s is None else passed_s / ((passed_s + left_s) or 1.0),
        left_s=left_s,
        ends="" if left_s is None else (now + timedelta(seconds=left_s)).isoformat(timespec="seconds"),
        written=now.isoformat(timespec="seconds"),
        every_s=every_s,
    )
