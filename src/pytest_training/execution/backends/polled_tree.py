"""A plain subprocess and its process tree, as psutil watches them: on every system, slower than /proc."""

import contextlib
import os
import select
import subprocess
import sys
import time

import msgspec
import psutil

from pytest_training.execution.attempt import environment, messages
from pytest_training.limits.tree import Tree

HAS_KEEPER = sys.platform == "linux"
KEEPER_S = 3.0  # for a keeper to end its tree


def start_process(request: messages.AttemptRequest) -> psutil.Popen:
    """Start a fresh interpreter for an attempt."""
    files = request.files
    own = environment.job_environment(request.job, str(files.artifacts), seed=request.seed, threads=request.threads)
    with files.log.open("ab") as log:
        process = psutil.Popen(
            [sys.executable, "-m", "pytest_training.execution.attempt.child"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment.inherited_environment() | own,
            start_new_session=True,
        )
    # By a pipe, which then stays open as lifeline: a request may hold secrets, which no file may.
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(msgspec.json.encode(request) + b"\n")
        process.stdin.flush()
    return process


def _cpu_of_children_s() -> float:
    """Return the CPU seconds of all children that have ended, with all that they waited for; 0 on Windows."""
    times = os.times()
    return times.children_user + times.children_system


class PolledTree(Tree, kw_only=True):
    """The processes of a running attempt, as psutil measures them."""

    process: psutil.Popen
    members: list[psutil.Process] = msgspec.field(default_factory=list)  # running now, without the keeper (`process`)
    earlier: set[psutil.Process] = msgspec.field(default_factory=set)  # all that have run at a measurement
    keeper_until: float = 0.0  # time by which the keeper should have ended them
    cpu_s: float = 0.0
    cpu_before_s: float = msgspec.field(default_factory=_cpu_of_children_s)

    def sample(self) -> None:
        """Measure what they use now."""
        with contextlib.suppress(psutil.Error):
            first = psutil.Process(self.process.pid)
            if HAS_KEEPER and first.status() == psutil.STATUS_STOPPED:  # the job has stopped it
                first.resume()
            everybody = [first, *first.children(recursive=True)]
            self.earlier.update(everybody)
            self.members = everybody[HAS_KEEPER:]
            super().sample()
            if sys.platform != "linux":
                self.memory_mb = sum(member.memory_info().rss for member in self.members) / 2**20
                self.memory.peak_mb = max(self.memory.peak_mb, self.memory_mb)
            self.cpu_s = sum(first.cpu_times()[:4])

    def wait(self, seconds: float) -> int | None:
        """Return the exit code of the attempt's process, or None if it still runs after that time."""
        if HAS_KEEPER:
            if not _ends_within(self.process.pid, seconds):
                return None
            self.cpu_s = sum(psutil.Process(self.process.pid).cpu_times()[:4])  # whole, as long as nobody waits for it
        with contextlib.suppress(psutil.TimeoutExpired, subprocess.TimeoutExpired):
            return int(self.process.wait(seconds))
        return None

    def clear(self) -> None:
        """Kill what the attempt has left behind, and let go of its process."""
        _signal(self.earlier, "kill")
        with contextlib.suppress(BrokenPipeError):  # a request that was never read
            self.process.stdin.close()
        if not HAS_KEEPER:  # what ran between two samples counts too; with that of what another thread has waited for
            self.cpu_s = max(self.cpu_s, _cpu_of_children_s() - self.cpu_before_s)

    @property
    def pids(self) -> list[int]:
        """Ids of the processes, parents first."""
        return [member.pid for member in self.members]

    def terminate(self) -> None:
        """Send SIGTERM to all of them, or what the system has for it."""
        with contextlib.suppress(psutil.Error):
            _signal({self.process, *self.process.children(recursive=True)}, "terminate")

    def kill(self) -> None:
        """Let the keeper end all that belongs to the job; kill all if there is no keeper or it takes too long."""
        if HAS_KEEPER and not self.process.stdin.closed:
            self.process.stdin.close()
            self.keeper_until = time.monotonic() + KEEPER_S
        elif time.monotonic() >= self.keeper_until:
            _signal(self.earlier, "kill")


def _ends_within(pid: int, seconds: float) -> bool:
    """Return True if a child has ended by then; it stays to be waited for."""
    ended = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(ended)


def _signal(members: set[psutil.Process], method: str) -> None:
    for member in members:
        with contextlib.suppress(psutil.Error):
            getattr(member, method)()
