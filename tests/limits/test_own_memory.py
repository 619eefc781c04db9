"""Tests of limits/own_memory.py: what an attempt holds of its own, beside a large job server and beside others."""

from __future__ import annotations

import mmap
import multiprocessing.shared_memory
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_training.limits.own_memory import OwnMemory, proc_fields
from pytest_training.processes import reset_own_peak_memory, signal_tree, tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures in /proc")
MB = 2**20
NEAR_MB = 25
"""What a process writes to of the pages that it shares, and what an interpreter needs."""
SHM = Path("/dev/shm") / f"own-memory-{os.getpid()}"


def fat(size: int = 50) -> Any:
    return bytearray(b"x") * (size * MB)


def forked_family() -> Any:
    """Share what one process holds with three that it forks."""
    kept, ready = fat(), os.pipe()
    for _ in range(3):
        if os.fork() == 0:
            os.write(ready[1], b"x")
            signal.pause()
    for _ in range(3):
        os.read(ready[0], 1)
    return kept


def started() -> Any:
    """Hold it in a fresh interpreter."""
    code = f"x = bytearray(b'x') * (50 * {MB}); print(flush=True); import signal; signal.pause()"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def written(descriptor: int, size: int = 50) -> int:
    for _ in range(size):
        os.write(descriptor, b"x" * MB)
    return descriptor


def mapped_from_disk() -> Any:
    """Read a file of 50 MB through a mapping."""
    with tempfile.TemporaryFile() as file:
        written(file.fileno())
        pages = mmap.mmap(file.fileno(), 50 * MB, prot=mmap.PROT_READ)
        return pages, pages[:: mmap.PAGESIZE]


def deleted_file() -> int:
    descriptor = written(os.open(SHM, os.O_CREAT | os.O_RDWR))
    SHM.unlink()
    return descriptor


def foreign_file() -> Any:
    """Open and map a file that was there before."""
    descriptor = written(os.open(SHM, os.O_CREAT | os.O_RDWR))
    os.utime(SHM, (0, 0))
    pages = mmap.mmap(descriptor, 50 * MB, prot=mmap.PROT_READ)
    return pages, pages[:: mmap.PAGESIZE]


def array_of_workers() -> Any:
    """Have memory that workers share by inheritance, as multiprocessing.Array has."""
    pages = mmap.mmap(-1, 50 * MB)
    for begin in range(0, 50 * MB, MB):
        pages[begin : begin + MB] = b"x" * MB
    return pages


def shared_block() -> Any:
    block = multiprocessing.shared_memory.SharedMemory(create=True, size=50 * MB)
    assert block.buf is not None
    for begin in range(0, 50 * MB, MB):
        block.buf[begin : begin + MB] = b"x" * MB
    block.unlink()
    return block


HELD: dict[str, tuple[Callable[[], Any], float]] = {
    "nothing": (lambda: None, 0),
    "memory": (fat, 50),
    "a family": (forked_family, 50),
    "another program": (started, 50),
    "memfd": (lambda: written(os.memfd_create("x")), 50),
    "a file in /dev/shm": (lambda: written(os.open(SHM, os.O_CREAT | os.O_RDWR)), 50),
    "a deleted file in /dev/shm": (deleted_file, 50),
    "shared memory": (shared_block, 50),
    "anonymous shared memory": (array_of_workers, 50),
    "a dataset in /dev/shm": (foreign_file, 0),
    "a file on disk": (mapped_from_disk, 0),
}


@contextmanager
def child(hold: Callable[[], Any]) -> Iterator[int]:
    """Fork a process that holds something until the block ends, and give its pid."""
    ready, bell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            reset_own_peak_memory()
            _held = hold()
            os.write(bell, b"x")
            signal.pause()
        finally:
            os._exit(1)
    os.close(bell)
    try:
        assert os.read(ready, 1) == b"x"
        yield pid
    finally:
        os.close(ready)
        signal_tree(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        SHM.unlink(missing_ok=True)


def measured(pid: int, **fields: Any) -> OwnMemory:
    memory = OwnMemory(inherited_mb=proc_fields("self", "status")["RssAnon"], server="self", **fields)
    memory.sample(tree(pid))
    return memory


@pytest.mark.parametrize("name", HELD)
def test_what_an_attempt_holds_is_its_own_whatever_the_server_has(name: str) -> None:
    """Measured in a fresh interpreter: a child of a pytest worker with 500 MB writes to more of the pages it shares."""
    code = f"from limits.test_own_memory import check; check({name!r})"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=True)


def check(name: str) -> None:
    """Measure what a child of this process holds, beside another one."""
    hold, expected = HELD[name]
    server = fat(80)
    with child(lambda: None), child(hold) as pid:
        memory = measured(pid)
        slack = 5 + memory.inherited_mb / 50  # of a family only the kernel's share of what it inherits is known
        assert expected <= memory.peak_mb + slack <= expected + NEAR_MB + slack
        memory.exact_from = 0
        assert memory.sample(tree(pid)) == pytest.approx(memory.peak_mb, abs=slack)
    assert len(server) == 80 * MB


def test_a_file_that_an_attempt_has_closed_still_counts() -> None:
    with child(lambda: None) as pid:
        memory = measured(pid)
    assert memory.unmapped_mb == 0
    descriptor = os.open(SHM, os.O_CREAT | os.O_RDWR)
    try:
        written(descriptor, 20)
        own = measured(os.getpid())
        written(descriptor, 20)
        os.close(descriptor)
        own.sample([os.getpid()])
        own.exact_from = 0
        own.sample([os.getpid()])
        assert own.unmapped_mb == pytest.approx(40, abs=1)
    finally:
        SHM.unlink()


def test_a_spike_between_two_measurements_counts_and_a_large_file_does_not() -> None:
    def spike() -> None:
        len(fat())

    with child(spike) as pid:
        assert measured(pid).peak_mb >= 49
    memory = OwnMemory(inherited_mb=50, disk_mb=100)
    assert (memory.spike(180), memory.spike(350), memory.peak_mb) == (0, 200, 200)


def test_shared_memory_is_measured_exactly_only_where_that_decides() -> None:
    server, inherited_mb = fat(80), proc_fields("self", "status")["RssAnon"]
    with child(fat) as pid:
        memory = OwnMemory(limit_mb=1000, inherited_mb=inherited_mb + 20, peak_mb=1000)
        assert memory.sample(tree(pid)) >= 25
        assert memory.inherited_mb == inherited_mb + 20
        memory.limit_mb, memory.exact_from = 80, 0  # the sum over the process is above it, its own is not
        assert memory.sample(tree(pid)) < 80
        assert memory.inherited_mb < inherited_mb + 20
    assert len(server) == 80 * MB


def test_processes_that_are_gone_hold_nothing() -> None:
    assert OwnMemory().sample([2**22 + 1]) == 0
