"""A plain subprocess for each attempt, watched through psutil: all there is where fork is missing or unsafe."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil

from pytest_training.execution.attempt.environment import job_environment
from pytest_training.execution.attempt.messages import AT_ONCE, AttemptRequest, Reply
from pytest_training.execution.backends.ending import reply_of
from pytest_training.limits import LIMITS, Limits
from pytest_training.limits.ladder import Ladder

KEEPER_S = 3.0  # for a keeper to end its tree


@dataclass(frozen=True)
class SubprocessLauncher:
    """Starts a fresh interpreter for each attempt: slower, and all there is where fork is missing or unsafe."""

    poll_s: float = 0.05
    owner: int | None = None
    """In an xdist worker the pid of its parent, which owns the run: when it dies, so do the jobs."""
    interrupted: Path | None = None
    """The file in which the owner says that the run is interrupted."""
    limits: Limits = field(default_factory=lambda: LIMITS)

    def launch(self, request: AttemptRequest) -> Reply:
        """Start, watch the limits, end the tree."""
        before = _cpu_of_children_s()
        tree = PolledTree(_begin(request))
        ladder = Ladder(tree=tree, limits=self.limits, most=request.job.limits, grace_s=request.grace_s)
        exit_code = self._wait_through_signals(tree, ladder)
        _signal(tree.seen, "kill")
        with contextlib.suppress(BrokenPipeError):  # a request that was never read
            tree.process.stdin.close()
        cpu_s = max(tree.cpu_s, _cpu_of_children_s() - before)  # what ran between two looks, too
        return reply_of(exit_code, ladder, wall_s=tree.age_s, cpu_s=cpu_s, peak_mb=tree.peak_mb)

    def _wait_through_signals(self, tree: PolledTree, ladder: Ladder) -> int:
        try:
            return self._wait(tree, ladder)
        except KeyboardInterrupt:
            ladder.end("interrupted")
        try:
            return self._wait(tree, ladder)
        except KeyboardInterrupt:
            ladder.end_now()
        return self._wait(tree, ladder)

    def _wait(self, tree: PolledTree, ladder: Ladder) -> int:
        while True:
            tree.look()
            with contextlib.suppress(psutil.TimeoutExpired, subprocess.TimeoutExpired):
                return int(tree.process.wait(self.poll_s))
            if order := self.said():
                ladder.end("interrupted")
            if self.is_orphan():
                ladder.end("interrupted", grace_s=0.0)
            if order == AT_ONCE:
                ladder.end_now()
            ladder.watch()

    def pause(self, seconds: float) -> bool:
        """Wait, and look meanwhile whether the run is interrupted."""
        give_up = time.monotonic() + seconds
        try:
            while (rest_s := give_up - time.monotonic()) > 0:
                if self.said() or self.is_orphan():
                    return False
                time.sleep(min(rest_s, self.poll_s))
        except KeyboardInterrupt:
            return False
        return True

    def said(self) -> str:
        """Return how the owner wants jobs to end; nothing while the run goes on."""
        with contextlib.suppress(OSError):
            return self.interrupted.read_text() if self.interrupted else ""
        return ""

    def is_orphan(self) -> bool:
        """Whether the owner has died."""
        return self.owner not in {None, os.getppid()}


def _begin(request: AttemptRequest) -> psutil.Popen:
    folder = request.files
    environment = dict(os.environ) | job_environment(
        request.job, folder=str(folder.artifacts), seed=request.seed, threads=request.threads
    )
    with folder.log.open("ab") as log:
        process = psutil.Popen(
            [sys.executable, "-m", "pytest_training.execution.attempt.child"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    # By a pipe, which then stays open as lifeline: a request may hold secrets, which no file may.
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(msgspec.json.encode(request) + b"\n")
        process.stdin.flush()
    return process


@dataclass
class PolledTree:
    """The processes of a running attempt, as psutil measures them."""

    process: psutil.Popen
    started: float = field(default_factory=time.monotonic)
    members: list[psutil.Process] = field(default_factory=list)
    """Those that run now; on Linux without the keeper, which is `process`."""
    seen: set[psutil.Process] = field(default_factory=set)
    kept_until: float = 0.0
    """When the keeper should have ended them."""
    memory_mb: float = 0.0
    peak_mb: float = 0.0
    cpu_s: float = 0.0

    def look(self) -> None:
        """Measure what they use now."""
        with contextlib.suppress(psutil.Error):
            first = psutil.Process(self.process.pid)
            everybody = [first, *first.children(recursive=True)]
            self.seen.update(everybody)
            self.members = everybody[sys.platform == "linux" :]
            self.memory_mb = sum(map(_memory_mb, self.members))
            self.peak_mb = max(self.peak_mb, self.memory_mb)
            self.cpu_s = sum(first.cpu_times()[:4])

    @property
    def age_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def pids(self) -> list[int]:
        """Ids of the processes, parents first."""
        return [member.pid for member in self.members]

    def terminate(self) -> None:
        """Send SIGTERM to all of them, or what the system has for it."""
        with contextlib.suppress(psutil.Error):
            _signal({self.process, *self.process.children(recursive=True)}, "terminate")

    def kill(self) -> None:
        """Have the keeper end all that belongs to the job; where there is none, or it does not, kill all."""
        if sys.platform == "linux" and not self.process.stdin.closed:
            self.process.stdin.close()
            self.kept_until = time.monotonic() + KEEPER_S
        elif time.monotonic() >= self.kept_until:
            _signal(self.seen, "kill")


def _memory_mb(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return float(process.memory_info().rss) / 2**20
    return 0.0


def _cpu_of_children_s() -> float:
    """Return the CPU seconds of all children that have ended, with all that they waited for; 0 on Windows."""
    times = os.times()
    return times.children_user + times.children_system


def _signal(members: set[psutil.Process], method: str) -> None:
    for member in members:
        with contextlib.suppress(psutil.Error):
            getattr(member, method)()
