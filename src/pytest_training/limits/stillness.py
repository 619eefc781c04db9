"""Whether an attempt still does something: what neither prints nor computes for long is called stalled, not ended."""

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_training.units import duration

LEAST_CPU = 0.01  # part of a core below which a job does not compute: what waits looks around now and then
PER_STALL = 20  # measurements in the time after which an attempt is stalled


@dataclass
class Stillness:
    """How long the processes of an attempt have neither written to some files nor computed."""

    files: tuple[Path, ...] = ()
    after_s: float = 600.0
    measured: float = -1e9
    moved: float = field(default_factory=time.monotonic)
    longest_s: float = 0.0  # the longest time that it was stalled, 0 if it never was
    state: tuple[int, float] = (-1, 0.0)  # bytes of the files and CPU seconds of the processes, when they were measured

    def sample(self, pids: Sequence[int], now: float | None = None) -> None:
        """Measure, if it is time."""
        now = time.monotonic() if now is None else now
        if now - self.measured < self.after_s / PER_STALL or sys.platform != "linux":
            return
        size, cpu_s = sum(map(_size, self.files)), sum(map(_cpu_s, pids))
        if size != self.state[0] or abs(cpu_s - self.state[1]) > LEAST_CPU * (now - self.measured):
            self.moved = now
        self.measured, self.state = now, (size, cpu_s)
        self.longest_s = max(self.longest_s, self.still_s)

    @property
    def still_s(self) -> float:
        """Seconds for which it has been stalled now, 0 if it is not."""
        return self.measured - self.moved if self.measured - self.moved >= self.after_s else 0.0


def stalled(seconds: float) -> str:
    """Say for how long an attempt is or was stalled, or nothing if it was not."""
    return f"stalled: no output and no CPU for {duration(seconds)}" if seconds else ""


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def _cpu_s(pid: int) -> float:
    with contextlib.suppress(OSError, ValueError):
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # with the children that it waited for
    return 0.0
