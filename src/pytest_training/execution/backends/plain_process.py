"""A plain subprocess for each attempt, watched through psutil: all there is where fork is missing or unsafe."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from pytest_training.execution.attempt.environment import job_environment
from pytest_training.execution.attempt.messages import AT_ONCE, AttemptRequest, Reply
from pytest_training.execution.outcome import Ending
from pytest_training.processes import signal_name

KEEPER_S = 3.0  # for a keeper to end its tree


@dataclass(frozen=True)
class SubprocessLauncher:
    """Starts a fresh interpreter for each attempt: slower, and all there is where fork is missing or unsafe."""

    poll_s: float = 0.05
    owner: int | None = None
    """In an xdist worker the pid of its parent, which owns the run: when it dies, so do the jobs."""
    interrupted: Path | None = None
    """The file in which the owner says that the run is interrupted."""

    def launch(self, request: AttemptRequest) -> Reply:
        """Start, watch the limits, end the tree."""
        folder = request.files
        environment = dict(os.environ) | job_environment(
            request.job, folder=str(folder.artifacts), seed=request.seed, threads=request.threads
        )
        watched = _Watched(request, self)
        with folder.log.open("ab") as log:
            watched.process = psutil.Popen(
                [sys.executable, "-m", "pytest_training.execution.attempt.child"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        # By a pipe, which then stays open as lifeline: a request may hold secrets, which no file may.
        with contextlib.suppress(BrokenPipeError):
            watched.process.stdin.write(msgspec.json.encode(request) + b"\n")
            watched.process.stdin.flush()
        try:
            watched.wait(self.poll_s)
        except KeyboardInterrupt:
            watched.end("interrupted")
            try:
                watched.wait(self.poll_s)
            except KeyboardInterrupt:
                watched.kill_at = time.monotonic()
                watched.wait(self.poll_s)
        return Reply(ending=watched.ending())

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


@dataclass
class _Watched:
    """A plain subprocess with limits, watched through psutil."""

    request: AttemptRequest
    launcher: SubprocessLauncher
    process: psutil.Popen = field(init=False)
    started: float = field(default_factory=time.monotonic)
    ended_by: Literal["timeout", "memory", "interrupted"] | None = None
    kill_at: float = 0.0
    peak_mb: float = 0.0
    cpu_s: float = 0.0
    status: int = 0

    def wait(self, poll_s: float) -> None:
        job = self.request.job
        known: set[psutil.Process] = set()
        before = _cpu_of_children_s()
        while True:
            known.update(self._measure())
            try:
                self.status = self.process.wait(poll_s)
                break
            except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
                pass
            now = time.monotonic()
            self._listen(now)
            if self.ended_by:
                if now >= self.kill_at:
                    self._kill(known)
            elif job.timeout_s is not None and now - self.started > job.timeout_s:
                self.end("timeout")
            elif job.memory_mb is not None and self.peak_mb > job.memory_mb:
                self.end("memory")
        _signal(known, "kill")
        self.cpu_s = max(self.cpu_s, _cpu_of_children_s() - before)  # what ran between two looks, too
        with contextlib.suppress(BrokenPipeError):  # a request that was never read
            self.process.stdin.close()

    def _listen(self, now: float) -> None:
        said = self.launcher.said()
        if said and self.ended_by is None:
            self.end("interrupted")
        if self.ended_by is None and self.launcher.is_orphan():
            self.ended_by, self.kill_at = "interrupted", now
        if said == AT_ONCE and not self.process.stdin.closed:
            self.kill_at = now

    def _kill(self, known: set[psutil.Process]) -> None:
        if sys.platform == "linux" and not self.process.stdin.closed:
            self.process.stdin.close()  # its keeper knows all that belongs to it
            self.kill_at = time.monotonic() + KEEPER_S
        else:
            _signal(known, "kill")

    def end(self, ended_by: Literal["timeout", "memory", "interrupted"]) -> None:
        self.ended_by = ended_by
        self.kill_at = time.monotonic() + self.request.grace_s
        with contextlib.suppress(psutil.Error):
            _signal({self.process, *self.process.children(recursive=True)}, "terminate")

    def _measure(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            members = [psutil.Process(self.process.pid), *self.process.children(recursive=True)]
            memory = 0
            for member in members[sys.platform == "linux" :]:  # the first is the keeper
                with contextlib.suppress(psutil.Error):
                    memory += member.memory_info().rss
            self.peak_mb = max(self.peak_mb, memory / 2**20)
            times = members[0].cpu_times()
            self.cpu_s = sum(times[:4])
            return members
        return []

    def ending(self) -> Ending:
        failed_by_signal = self.status < 0
        return Ending(
            exit_status=None if failed_by_signal else self.status,
            signal=signal_name(-self.status) if failed_by_signal else None,
            ended_by=self.ended_by,
            wall_s=round(time.monotonic() - self.started, 4),
            cpu_s=round(self.cpu_s, 4),
            peak_memory_mb=round(self.peak_mb, 1) or None,
        )


def _cpu_of_children_s() -> float:
    """Return the CPU seconds of all children that have ended, with all that they waited for; 0 on Windows."""
    times = os.times()
    return times.children_user + times.children_system


def _signal(members: set[psutil.Process], method: str) -> None:
    for member in members:
        with contextlib.suppress(psutil.Error):
            getattr(member, method)()
