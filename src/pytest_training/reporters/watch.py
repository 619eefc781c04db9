"""The state of the running jobs, from their files and processes; polled a few times a second."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pytest_training.execution.folder import RunFolder
from pytest_training.execution.job_files import read_json
from pytest_training.execution.outcome import Attempt
from pytest_training.jobs.model import Job, PlannedJob
from pytest_training.processes import tree_memory_mb
from pytest_training.records.events import EventTail
from pytest_training.text import one_line
from pytest_training.units import number

MEMORY_EVERY_S = 1.0
CERTAIN = 0.03  # share of the work after which its own pace is a better guide than history
HIDDEN = frozenset(["t", "time", "step_time"])
FIRST = ("repeat", "fold", "epoch", "step", "iteration")
"""Logged names that say where the job is: before the measurements, without decimals."""


@dataclass
class WatchedJob:
    """One running job."""

    job: Job
    expected_s: float | None
    since: float = field(default_factory=time.monotonic)
    slot: str = ""
    memory_mb: float | None = None
    attempt: int = 0
    tail: EventTail | None = None
    looked_at_memory: float = 0.0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the job started, all attempts together."""
        return time.monotonic() - self.since

    @property
    def share(self) -> float | None:
        """How much is done, 0 to 1, by the job's own word; None where it says nothing."""
        if self.tail is None or self.tail.progress is None:
            return None
        done, total = self.tail.progress
        return min(max(done / total, 0.0), 1.0)

    @property
    def remaining_s(self) -> float | None:
        """Expected seconds to the end, by the job's own pace, else by history; or None if neither is known."""
        share = self.share
        if share is not None and share >= CERTAIN:
            return self.elapsed_s * (1 - share) / share
        return None if self.expected_s is None else max(self.expected_s - self.elapsed_s, 0.0)

    def values(self) -> str:
        """Return the newest logged numbers in words: `fold 3 · epoch 12 · loss 0.412`."""
        logged = self.tail.values if self.tail else {}
        names = [name for name in FIRST if name in logged]
        names += [name for name in logged if name not in names and name not in HIDDEN]
        words = []
        for name in names[:8]:
            value = logged[name]
            shown = number(value) if isinstance(value, int | float) else one_line(str(value), 20)
            words.append(f"{one_line(name, 20)} {shown}")
        return " · ".join(words)

    def poll(self, folder: RunFolder) -> None:
        """Look at the job's files, once a second also at its memory."""
        files = folder.job(self.job.id)
        while files.attempt(self.attempt + 1).started.exists():
            self.attempt += 1
            self.tail = EventTail(files.attempt(self.attempt).events)
            begun = read_json(files.attempt(self.attempt).started, Attempt)
            self.slot = begun.slot if begun else self.slot
        if self.tail is None:
            return
        self.tail.poll()
        now = time.monotonic()
        if self.tail.pid is not None and now - self.looked_at_memory > MEMORY_EVERY_S:
            self.looked_at_memory = now
            self.memory_mb = tree_memory_mb(self.tail.pid) or None


@dataclass
class Watch:
    """All running jobs of a run."""

    folder: RunFolder
    planned: Mapping[str, PlannedJob]
    """By job id, in planned order."""
    workers: int
    running: dict[str, WatchedJob] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    took_s: list[float] = field(default_factory=list)
    """How long each finished job took."""

    def start(self, job: Job) -> None:
        """Take note that a job starts."""
        planned = self.planned.get(job.id)
        self.begun.add(job.id)
        self.running[job.id] = WatchedJob(job, planned.expected_s if planned else None)

    def poll(self, done: Iterable[str]) -> list[WatchedJob]:
        """Forget the jobs that are done, poll the others and return them, the longest running first."""
        for job_id in done:
            if (ended := self.running.pop(job_id, None)) is not None:
                self.took_s.append(ended.elapsed_s)
        jobs = list(self.running.values())
        for each in jobs:
            each.poll(self.folder)
        return jobs

    def remaining_s(self) -> float | None:
        """Return the expected seconds to the end of the run; or None while no job's duration is known.

        An unknown job is expected to take as long as the others of this run on average.
        """
        running = list(self.running.values())
        durations = self.took_s + [each.elapsed_s + left for each in running if (left := each.remaining_s) is not None]
        typical = sum(durations) / len(durations) if durations else None
        slots = [_or(each.remaining_s, typical, less=each.elapsed_s) for each in running]
        waiting = [_or(each.expected_s, typical) for job_id, each in self.planned.items() if job_id not in self.begun]
        if None in slots or None in waiting:
            return None
        ends = [seconds or 0.0 for seconds in slots] + [0.0] * (self.workers - len(slots))
        heapq.heapify(ends)
        for seconds in waiting:
            heapq.heappush(ends, heapq.heappop(ends) + (seconds or 0.0))
        return max(ends, default=0.0)


def _or(expected: float | None, typical: float | None, *, less: float = 0.0) -> float | None:
    if expected is not None:
        return expected
    return None if typical is None else max(typical - less, 0.0)
