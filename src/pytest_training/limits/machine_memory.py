"""What the machine or its container has left of memory, and whether its kernel has killed for lack of it."""

import contextlib
import re
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FILES = {
    "": ("memory.max", "memory.current", "memory.events"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.oom_control"),
}  # files of a control group with its limit, its use and its kills, by controllers: of version 2, and of version 1
ROOT = Path("/")
EVERY_S = 1.0
MOMENTS = 6  # measurements, of which the oldest is the number of kills before an attempt's last seconds


@dataclass
class Pressure:
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

    def has_killed(self) -> bool:
        """Return True if the kernel has killed for lack of memory in the last seconds."""
        return bool(self.kills) and oom_kills() > self.kills[0]


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
    counts = (_number(file, r"^oom_kill (\d+)") for file in files)
    return next((count for count in counts if count is not None), 0)


def _groups(root: Path) -> Iterator[Iterator[Path]]:
    """Yield the files of this process's control groups for memory, the innermost first."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in FILES:
            hierarchy = root / "sys/fs/cgroup" / controllers
            inside = hierarchy / path.strip("/")
            for group in (inside, *inside.parents[: len(inside.parts) - len(hierarchy.parts)]):
                yield (group / name for name in FILES[controllers])


def _number(path: Path, pattern: str = r"^(\d+)") -> int | None:
    match = re.search(pattern, _read(path), re.MULTILINE)
    return int(match[1]) if match else None


def _read(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""
