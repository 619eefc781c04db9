"""The processes of an attempt: what ends them, what memory they leave to others, whether they still do something."""

import contextlib
import os
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct, field

from pytest_training import machine, processes, units
from pytest_training.limits.own_memory import OwnMemory

FILES = (
    ("memory.max", "memory.current", "memory.events"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.oom_control"),
)  # files of a control group with its limit, its use and its kills: of version 2, and of version 1
ROOT = Path("/")
EVERY_S = 1.0
MOMENTS = 6  # measurements, of which the oldest is the number of kills before an attempt's last seconds
LEAST_CPU = 0.01  # part of a core below which a job does not compute: what waits looks around now and then
PER_STALL = 20  # measurements in the time after which an attempt is stalled


class Pressure(Struct):
    """What was left of memory while an attempt ran, measured once a second."""

    free_mb: float | None = None
    kills: deque[int] = field(default_factory=lambda: deque(maxlen=MOMENTS))
    due: float = 0.0

    def sample(self) -> None:
        """Measure, if it is time."""
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + EVERY_S
            self.free_mb = available_mb()
            self.kills.append(oom_kills())


def available_mb(root: Path = ROOT) -> float | None:
    """Return the MiB that new allocations may take before something must go, or None if the system does not say."""
    kibibytes = _number(root / "proc/meminfo", r"^MemAvailable:\s+(\d+)")
    rooms = [] if kibibytes is None else [kibibytes * 1024]
    for limit, usage, _ in _groups(root):
        most, used = _number(limit), _number(usage)
        if most is not None and used is not None:  # pages of files that nobody used lately give way
            idle = _number(limit.with_name("memory.stat"), r"^(?:total_)?inactive_file (\d+)") or 0
            rooms.append(max(most - used + idle, 0))
    return min((room / 2**20 for room in rooms), default=None)


def oom_kills(root: Path = ROOT) -> int:
    """Return how many processes the kernel has killed for lack of memory: in this container, else on this machine."""
    files = [*(kills for *_, kills in _groups(root)), root / "proc/vmstat"]
    return next((count for file in files if (count := _number(file, r"^oom_kill (\d+)")) is not None), 0)


def _groups(root: Path) -> Iterator[Iterator[Path]]:
    """Yield the files of this process's control groups for memory, the innermost first."""
    for is_first, group in machine.control_groups(root, "memory"):
        yield (group / name for name in FILES[is_first])


def _number(path: Path, pattern: str = r"^(\d+)") -> int | None:
    match = None
    with contextlib.suppress(OSError, ValueError):
        match = re.search(pattern, path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return int(match[1]) if match else None


class Stillness(Struct):
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
    return f"stalled: no output and no CPU for {units.duration(seconds)}" if seconds else ""


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def _cpu_s(pid: int) -> float:
    with contextlib.suppress(OSError, ValueError):
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # with the children that it waited for
    return 0.0


class Tree(Struct):
    """The processes of a running attempt, as a limit measures them and a backend ends them."""

    pid: int
    started: float = field(default_factory=time.monotonic)
    memory_mb: float = 0.0  # memory of their own, all together, in MiB
    memory: OwnMemory = field(default_factory=OwnMemory)
    pressure: Pressure = field(default_factory=Pressure)
    stillness: Stillness = field(default_factory=Stillness)

    def sample(self) -> None:
        """Measure the memory that they hold now, and what the machine has left."""
        pids = self.pids
        self.memory_mb = self.memory.sample(pids)
        self.pressure.sample()
        self.stillness.sample(pids)

    @property
    def age_s(self) -> float:
        """Seconds since the attempt's start."""
        return time.monotonic() - self.started

    @property
    def pids(self) -> Sequence[int]:
        """Ids of the processes that run now, parents first."""
        return processes.tree(self.pid)

    def terminate(self) -> None:
        """Send SIGTERM to all of them, or what the system has for it."""
        processes.signal_tree(self.pid, signal.SIGTERM)
        processes.signal_tree(self.pid, signal.SIGCONT)  # a stopped process would not get it

    def kill(self) -> None:
        """End all of them now."""
        processes.signal_tree(self.pid, signal.SIGKILL)
