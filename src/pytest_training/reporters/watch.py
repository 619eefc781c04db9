"""The state of the running jobs, from their files and processes; polled a few times a second."""

import heapq
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from statistics import fmean
from typing import Any

from msgspec import Struct, field

from pytest_training.errors import ResultError
from pytest_training.execution.attempt.messages import Loading, Usage
from pytest_training.execution.backends import BACKENDS
from pytest_training.execution.folder import AttemptFolder, RunFolder
from pytest_training.execution.job_files import read_json
from pytest_training.execution.outcome import Attempt, Outcome, Status
from pytest_training.execution.readers.findings import Followed, readers_of
from pytest_training.execution.readers.protocol import Reader, RunningAttempt
from pytest_training.jobs.directions import direction
from pytest_training.jobs.model import Job, PlannedJob, Source
from pytest_training.limits.own_memory import OwnMemory
from pytest_training.limits.tree import Stillness, stalled
from pytest_training.machine import other_host
from pytest_training.processes import tree
from pytest_training.records.events import EventTail
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.registry import Registry
from pytest_training.text import one_line
from pytest_training.units import duration, number
from pytest_training.wording import located

MEMORY_EVERY_S = 1.0
LONGEST_SLOT = 24  # characters of a slot's name and its host
SILENT_AFTER_S = 10.0  # usage.json is new every 2 s
CERTAIN = 0.03  # share of the work after which its own pace is a better guide than history
ELSEWHERE: Source = "durations.json"  # where an expectation is from that another machine measured
HIDDEN = frozenset(["t", "time", "step_time"])
FIRST = ("repeat", "fold", "epoch", "step", "iteration")
"""Logged names that say where the job is: before the measurements, without decimals."""


class WatchedJob(Struct):
    """One running job."""

    job: Job
    expected_s: float | None
    since: float = field(default_factory=time.monotonic)  # when its slot took it
    is_elsewhere: bool = False  # True if another machine may execute it: a pid is nobody's here
    sees_start: bool = False  # True if a file says when its own process begins; until then it waits
    begun: float | None = None  # when its process was first seen
    waits_for: str = ""  # what is being imported meanwhile: `loading monai, 40 s`
    slot: str = ""
    drawn: Mapping[str, Any] = {}  # of a search's trial: the parameters that it has drawn
    memory_mb: float | None = None
    attempt: int = 0
    tail: EventTail | None = None
    readers: Sequence[Reader] = ()
    followed: Followed | None = None  # what a program says elsewhere: in its log, and in files of other tools
    seen: dict[str, float] = field(default_factory=dict)  # the newest logged number by name
    trends: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """By metric where its number went last, `↑` or `↓`, and True if that is better; of known directions only."""
    memory_measured: float = 0.0
    memory: OwnMemory = field(default_factory=OwnMemory)
    stillness: Stillness = field(default_factory=Stillness)
    usage: Usage | None = None  # as the machine that executes it has measured
    heard: float = 0.0  # when that was new

    @property
    def elapsed_s(self) -> float:
        """Seconds since the job's process began, all attempts together; since its slot took it where it waits."""
        return time.monotonic() - (self.since if self.begun is None else self.begun)

    @property
    def held_s(self) -> float:
        """Seconds since its slot took it, waiting included: what `pytest-training status` says."""
        return time.monotonic() - self.since

    @property
    def trained_s(self) -> float:
        """Seconds of the job's own time so far."""
        return 0.0 if self.is_waiting else self.elapsed_s

    @property
    def is_waiting(self) -> bool:
        """True until the job's process begins: for imports or GPUs."""
        return self.sees_start and self.begun is None

    @property
    def share(self) -> float | None:
        """The part of the work that is done, 0 to 1, or None if the job reports no progress."""
        reported = (self.tail and self.tail.progress) or (self.followed and self.followed.progress)
        return min(max(reported[0] / reported[1], 0.0), 1.0) if reported else None

    @property
    def remaining_s(self) -> float | None:
        """Return the expected seconds to the end; an unknown job takes as long as the others. None if none is known."""
        if (share := self.share or 0.0) >= CERTAIN:
            return self.elapsed_s * (1 - share) / share
        return None if self.expected_s is None else max(self.expected_s - self.trained_s, 0.0)

    @property
    def logged(self) -> dict[str, float | bool | str | None]:
        """The newest logged numbers."""
        return {**(self.followed.values if self.followed else {}), **(self.tail.values if self.tail else {})}

    def values(self) -> str:
        """Return the newest logged numbers, `epoch 12 · loss 0.412`, or what it waits for, or that it is stalled."""
        still_s = self.usage.still_s if self.usage else self.stillness.still_s
        if state := self.silence or (self.waits_for if self.is_waiting else stalled(still_s)):
            return state
        logged = self.logged
        ordered = [(name, logged[name]) for name in dict.fromkeys([*FIRST, *logged]) if name in {*logged} - HIDDEN][:8]
        words = (number(value) if isinstance(value, int | float) else one_line(str(value), 20) for _, value in ordered)
        arrows = (f" {self.trends[name][0]}" if name in self.trends else "" for name, _ in ordered)
        whole = zip(ordered, words, arrows, strict=True)
        return " · ".join(f"{one_line(name, 20)} {word}{arrow}" for (name, _), word, arrow in whole)

    def note_trends(self) -> None:
        """Note which metrics became better or worse."""
        for name, value in self.logged.items():
            if not isinstance(value, int | float) or value == (before := self.seen.get(name)):
                continue
            if before is not None and (better := direction(name, self.job.gates)):
                self.trends[name] = "↑" if value > before else "↓", (value > before) == (better == "higher")
            self.seen[name] = value

    @property
    def name(self) -> tuple[str, dict[str, str]]:
        """Its id, or a trial's study; and the values by parameter that tell the trial from others."""
        job, values = self.job, {**self.job.parameters, **self.drawn}
        varied = {name: values[name] for name in job.varied if name in values}
        varied |= {"seed": job.seed} if job.trial_of and job.seed is not None else {}
        study = job.trial_of if {*job.varied} <= job.parameters.keys() else None  # trials of a search may draw alike
        words = {
            one_line(name, 20): one_line(f"{v:.4g}" if isinstance(v, float) else str(v), 20)
            for name, v in varied.items()
        }
        return one_line(study or job.id), words

    def poll(self, folder: RunFolder) -> None:
        """Read what is new in the job's files, and once a second its memory."""
        files = folder.job(self.job.id)
        while files.attempt(self.attempt + 1).started.exists():
            self.attempt += 1
            self.usage, self.memory_mb, self.seen, self.trends = None, None, {}, {}
            self.memory, own = OwnMemory(inherited_mb=math.inf), files.attempt(self.attempt)
            self.stillness, self.tail = Stillness((own.log, own.events), self.stillness.after_s), EventTail(own.events)
            begun = read_json(own.started, Attempt)
            self.slot, self.drawn = (begun.slot, begun.drawn) if begun else (self.slot, self.drawn)
            with suppress(ResultError, OSError):  # the judge says it
                self.followed = Followed(RunningAttempt(self.job, own, own.started.stat().st_mtime), self.readers)
        if self.tail is None:
            return
        self.tail.poll()
        now = time.monotonic()
        if self.tail.pid is not None and self.begun is None and self.sees_start:
            self.begun = max(self.since, now - max(self.tail.t, 0.0))
        if (self.is_elsewhere or self.tail.pid is not None) and now - self.memory_measured > MEMORY_EVERY_S:
            self.memory_measured = now
            if self.is_elsewhere:
                self._read_usage(files.attempt(self.attempt))
            elif self.tail.pid is not None:
                pids = tree(self.tail.pid)
                self.memory_mb = self.memory.sample(pids) or None
                self.stillness.sample(pids)
            with suppress(ResultError):
                if self.followed:
                    self.followed.poll()
        self.note_trends()

    def _read_usage(self, files: AttemptFolder) -> None:
        """Take over what the machine that executes the attempt has measured."""
        if (usage := read_json(files.usage, Usage)) and usage != self.usage:
            self.usage, self.heard = usage, time.monotonic()
            self.slot = one_line(located(usage.node, other_host(usage.host)), LONGEST_SLOT)
            self.memory_mb = usage.memory_mb or None

    @property
    def silence(self) -> str:
        """Say for how long nothing was heard of the machine that executes it, or nothing if that is not long."""
        silent_s = time.monotonic() - self.heard if self.usage else 0.0
        return f"no word from its node for {duration(silent_s)}" if silent_s > SILENT_AFTER_S else ""


def loading_in_words(loading: Loading | None) -> str:
    """Return what is being imported and for how long, or nothing: `loading monai, 40 s`."""
    if loading is None or not loading.now:
        return ""
    return f"loading {one_line(loading.now, 30)}, {duration(max(time.time() - loading.since, 0.0))}"


class Watch(Struct):
    """All running jobs of a run."""

    folder: RunFolder
    planned: Mapping[str, PlannedJob]  # by job id, in planned order
    workers: int
    sees_starts: bool = False  # True if the backend's jobs say when they begin; those with secrets never do
    is_elsewhere: bool = False  # True if the backend may execute jobs on other machines
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    """Outcomes of the jobs that have ended, by id; the session's thread adds to it."""
    running: dict[str, WatchedJob] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    took_s: list[float] = field(default_factory=list)  # durations of the finished jobs
    stalled_s: float = 600.0
    registry: Registry = field(default_factory=Registry)
    loading: Loading | None = None  # what the job server imports, while a job waits for it
    elsewhere: list[tuple[float, float]] = field(default_factory=list)
    """Of those that durations.json knows: what they took, and what was expected."""

    def start(self, job: Job) -> None:
        """Take note that a job starts."""
        self.begun.add(job.id)
        sees_start = self.sees_starts and not any(parameter.variable for parameter in job.declared)
        still, expected_s = Stillness(after_s=self.stalled_s), self._expected_s(job.id)
        readers = readers_of(self.registry.kinds[job.kind], self.registry.readers)
        self.running[job.id] = WatchedJob(
            job, expected_s, is_elsewhere=self.is_elsewhere, sees_start=sees_start, stillness=still, readers=readers
        )

    def poll(self) -> list[WatchedJob]:
        """Forget the jobs that are done, poll the others and return them, the longest running first."""
        for job_id, outcome in list(self.outcomes.items()):
            if self.running.pop(job_id, None) is not None and outcome.wall_s > 0:
                self.took_s.append(outcome.wall_s)
                self._note_machine(job_id, outcome)
        jobs = list(self.running.values())
        for each in jobs:
            each.poll(self.folder)
        waiting = [each for each in jobs if each.is_waiting]
        self.loading = read_json(self.folder.loading, Loading) if waiting or not self.begun else None
        for each in waiting:
            each.waits_for = loading_in_words(self.loading)
        return jobs

    def _note_machine(self, job_id: str, outcome: Outcome) -> None:
        """Note what a whole training took here: what durations.json says of the others is scaled by it."""
        planned, is_whole = self.planned.get(job_id), outcome.status == Status.PASSED or outcome.cause == "gate"
        if is_whole and planned and planned.expected_s and planned.expected_from == ELSEWHERE:
            self.elsewhere.append((outcome.wall_s, planned.expected_s))
            for each in self.running.values():
                each.expected_s = self._expected_s(each.job.id)

    def _expected_s(self, job_id: str) -> float | None:
        planned = self.planned.get(job_id)
        if planned is None or planned.expected_s is None or planned.expected_from != ELSEWHERE:
            return planned.expected_s if planned else None
        took_s, expected_s = map(sum, zip(*self.elsewhere, strict=True)) if self.elsewhere else (1.0, 1.0)
        return planned.expected_s * took_s / expected_s

    def counts(self) -> Counter[str]:
        """Return the number of jobs by state: done, failed, running, waiting."""
        outcomes = list(self.outcomes.values())
        failed = sum(outcome.shown is Status.FAILED for outcome in outcomes)
        waiting = max(len(self.planned) - len(outcomes) - len(self.running), 0)
        return Counter(done=len(outcomes) - failed, failed=failed, running=len(self.running), waiting=waiting)

    def remaining_s(self) -> float | None:
        """Return the expected seconds to the end of the run, or None while no job's duration is known.

        An unknown job is expected to take as long as the others of this run on average.
        """
        waiting = [self._expected_s(job_id) for job_id in self.planned if job_id not in self.begun]
        running = [(each.trained_s, each.remaining_s) for each in list(self.running.values())]
        durations = self.took_s + [trained_s + left for trained_s, left in running if left is not None]
        if not durations and None in (*waiting, *(left for _, left in running)):
            return None
        typical = fmean(durations) if durations else 0.0
        ends = [max(typical - trained_s, 0.0) if left is None else left for trained_s, left in running]
        ends += [0.0] * (self.workers - len(running))
        heapq.heapify(ends)
        for expected_s in waiting:
            heapq.heappush(ends, heapq.heappop(ends) + (typical if expected_s is None else expected_s))
        return max(ends, default=0.0)


def watch_of(run: TrainingRun, outcomes: Mapping[str, Outcome], registry: Registry) -> Watch:
    """Return a watch over a run; `outcomes` are those of the jobs that have ended, by id."""
    backend = run.settings.backend
    return Watch(
        run.folder,
        {each.job.id: each for each in run.plan.jobs},
        run.workers,
        sees_starts=backend in BACKENDS,  # one from outside may copy the files at the end
        is_elsewhere=registry.backends[backend].is_elsewhere,
        outcomes=outcomes,
        stalled_s=run.settings.stalled_s,
        registry=registry,
    )
