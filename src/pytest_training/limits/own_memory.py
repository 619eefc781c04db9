"""The memory of an attempt's own, in MiB: what would be free if its processes ended.

That is their anonymous memory without the pages that the job server shares with them, and what they hold in files that
lie in memory (memfd, /dev/shm). Pages of files on disk give way when others need the memory: they are not counted.

/proc/PID/status is an upper bound and takes 0.02 ms. smaps_rollup shows the shared part and takes 12 ms for a GiB. It
is read only if the bound is above the limit or the estimate above the peak, for at most a fiftieth of the time.
"""

import contextlib
import math
import os
import re
import stat
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from msgspec import Struct, field

KIBIBYTES = 1024
PATIENCE = 50  # the next exact measurement comes after so many times what the last one took
GROWTH = 1.1
CLOCK_S = 0.1  # by which the time of a file may lie behind
SHM = "/dev/shm/"  # noqa: S108  (files of jobs are measured there)
FIELD = re.compile(
    rb"^(VmHWM|VmRSS|RssAnon|RssFile|RssShmem|Shmem|Anonymous|Private_Dirty|Pss_\w+):\s+(\d+) kB$", re.MULTILINE
)
MAPPED = re.compile(r"^\S+ \S+ \S+ (\w+):(\w+) (\d+) +(/dev/shm/.*|/memfd:.*)$", re.MULTILINE)
Fields = defaultdict[str, float]  # without a field it has 0
File = tuple[int, int]  # a file's device and inode


class OwnMemory(Struct):
    """The memory of one attempt's processes, measured again and again."""

    inherited_mb: float = 0.0  # shared by the first process and the job server; at the fork all that the server has
    server: str = ""  # the job server in /proc, or nothing if it is unknown or there is none
    server_mb: float = 0.0  # resident memory of the server when it forked a program, which had that at first too
    limit_mb: float = math.inf
    peak_mb: float = 0.0
    disk_mb: float = 0.0  # most pages of files on disk at a measurement
    exact_from: float = 0.0
    shm_mb: float = -1.0  # files in memory, on this machine and mapped, when the attempt's were last searched
    unmapped_mb: float = 0.0
    foreign_mb: float = 0.0  # files in memory that it has mapped and that are older: a dataset in /dev/shm
    begun: float = field(default_factory=lambda: time.time() - CLOCK_S)
    paths: set[str] = field(default_factory=set)  # files in /dev/shm that the attempt has had open or mapped
    excess_mb: float = 0.0  # of the sum over processes: the server's pages, and pages counted twice

    def __post_init__(self) -> None:
        self.excess_mb = self.inherited_mb

    @classmethod
    def of_fork(cls, *, is_program: bool) -> Self:
        """Return the memory of a fork of this process, which is the job server."""
        mine = proc_fields("self", "status")
        return cls(server_mb=mine["VmRSS"]) if is_program else cls(inherited_mb=mine["RssAnon"], server="self")

    def sample(self, pids: Sequence[int]) -> float:
        """Return the MiB that are the attempt's own now, or were between two measurements."""
        began = time.monotonic()
        if not (members := {pid: fields for pid in pids if (fields := proc_fields(pid, "status"))}):
            return 0.0
        bound = sum(each["RssAnon"] + each["RssShmem"] for each in members.values())
        self.disk_mb = max(self.disk_mb, sum(each["RssFile"] for each in members.values()))
        is_due = began >= self.exact_from
        if is_due:
            self._look_for_files(members)
        own, limit_mb = bound - self.excess_mb, self.limit_mb - self.unmapped_mb
        if own > limit_mb or (is_due and (own <= 0 or bound > limit_mb or own > GROWTH * self.peak_mb)):
            own = self._measure(members)
            self.excess_mb = bound - own
        self.exact_from = max(self.exact_from, time.monotonic() + PATIENCE * (time.monotonic() - began))
        own += self.unmapped_mb
        self.peak_mb = max(self.peak_mb, own)
        return max(own, *(self.spike(each["VmHWM"]) for each in members.values() if len(members) == 1), 0.0)

    def spike(self, resident_mb: float) -> float:
        """Return the attempt's part of a lone process's peak, and note it; 0 if it may be no more than mapped files."""
        own = resident_mb - self.excess_mb - self.disk_mb
        if own <= self.disk_mb:
            return 0.0
        self.peak_mb = max(self.peak_mb, own)
        return own

    def _measure(self, members: dict[int, Fields]) -> float:
        count = len(members)
        private = proportional = shared = 0.0
        for pid, status in members.items():
            anonymous, exact = status["RssAnon"], proc_fields(pid, "smaps_rollup")
            in_memory = exact.get("Pss_Shmem", status["RssShmem"] / count)
            on_disk = max(exact["Pss_Dirty"] - exact["Pss_Anon"] - in_memory, 0.0)
            dirty = exact.get("Private_Dirty", anonymous - self.inherited_mb + in_memory)  # of files, too
            private += min(max(dirty - in_memory - on_disk, 0.0), anonymous)
            proportional += exact["Pss_Anon"]
            shared += in_memory
        if count == 1:  # never more than before; a process that ends between two readings seems to have less of its own
            self.inherited_mb = min(self.inherited_mb, max(anonymous - private, 0.0))
            private = anonymous - self.inherited_mb
        else:  # processes that a job has forked share its pages with each other, and the server's with the server
            server = proc_fields(self.server, "smaps_rollup") if self.server else Fields(float)
            part = server["Pss_Anon"] / server["Anonymous"] if server["Anonymous"] else 1 / (count + 1)
            private = max(private, proportional - self.inherited_mb * count * part)  # each page is split between all
        return private + max(shared - self.foreign_mb, 0.0)

    def _look_for_files(self, members: dict[int, Fields]) -> None:
        """Add up the files in memory that no process of the attempt has mapped: only what is mapped is in a status."""
        mapped_mb = sum(each["RssShmem"] for each in members.values())
        before, self.shm_mb = self.shm_mb, proc_fields("", "meminfo")["Shmem"] + mapped_mb
        if abs(self.shm_mb - before) < 1:
            return
        held = {key: size for pid in members for key, size in self._open_files(pid)}
        mapped = {key for pid, fields in members.items() if fields["RssShmem"] for key in self._mapped_files(pid)}
        for path in list(self.paths):
            held |= dict(self._file(path))
        self.unmapped_mb = sum(max(size, 0.0) for key, size in held.items() if key not in mapped)
        self.foreign_mb = -sum(min(size, 0.0) for key, size in held.items() if key in mapped)

    def _file(self, path: str) -> Iterator[tuple[File, float]]:
        """Yield a file in memory with its size, which is negative if it was there before the attempt."""
        with contextlib.suppress(OSError):
            status = os.stat(path)  # noqa: PTH116  (of what a descriptor's link in /proc stands for)
            if stat.S_ISREG(status.st_mode):
                size = status.st_blocks * 512 / 2**20
                yield (status.st_dev, status.st_ino), size if status.st_mtime >= self.begun else -size

    def _open_files(self, pid: int) -> Iterator[tuple[File, float]]:
        with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    link = os.readlink(entry.path)  # noqa: PTH115  (a Path for each descriptor costs more than the call)
                    if link.startswith((SHM, "/memfd:")):
                        self.paths.update([link] if link.startswith(SHM) else [])
                        yield from self._file(entry.path)

    def _mapped_files(self, pid: int) -> Iterator[File]:
        with contextlib.suppress(OSError):
            for major, minor, inode, path in MAPPED.findall(Path(f"/proc/{pid}/maps").read_text(errors="replace")):
                self.paths.update([path] if path.startswith(SHM) else [])
                yield os.makedev(int(major, 16), int(minor, 16)), int(inode)


def proc_fields(pid: int | str, name: str) -> Fields:
    """Return the amounts in a file of /proc in MiB; none if the process is gone or may not be read."""
    fields = Fields(float)
    with contextlib.suppress(OSError):
        content = Path("/proc", str(pid), name).read_bytes()
        fields.update((field.decode(), int(amount) / KIBIBYTES) for field, amount in FIELD.findall(content))
    return fields
