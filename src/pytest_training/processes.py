"""Processes, as Linux shows them in /proc: psutil cannot do this, or is too slow for a job server's samples."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import resource

ONE_THREAD = 3  # links of /proc/PID/task, a folder: itself, its parent, and one for each thread
STOPPED = 0x7F  # a wait status
FIRST_TO_DIE = "500"  # of 1000; the default is 0, and the kernel adds the part of memory that a process holds
ORPHANS_ROUNDS = 6000  # of a millisecond at least; a clock would go on where a busy machine lets nobody work
CLEANERS = (b"resource_tracker import main", b"torch_shm_manager")  # in commands of multiprocessing, loky and PyTorch
CLEANING_ROUNDS = 4000  # it may just have been started
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded once: every child needs it


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent dies, daemons too."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent, with that pid, dies."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has died already
        os._exit(1)


def flush_c_streams() -> None:
    """Write what C libraries have printed and the C library still holds; `os._exit` would lose it."""
    if _LIBC is not None:
        _LIBC.fflush(None)


def thread_count() -> int:
    """Return how many threads this process has; Python's own count misses those of C libraries."""
    return len(list(Path("/proc/self/task").iterdir()))


def children(pid: int) -> list[int]:
    """Return the pids of a process's children; none if it is gone."""
    pids: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                pids += map(int, (task / "children").read_bytes().split())
    return pids


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants but zombies, parents first."""
    members, listed = [pid], {pid}
    for member in members:  # grows while it is read
        living = [child for child in children(member) if child not in listed and not _is_zombie(child)]
        members += living
        listed.update(living)
    return members


def _is_zombie(pid: int) -> bool:
    """Return True if a process is gone but for its entry: a tenth of the cost of a living one; a job had 7,000."""
    try:
        os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115  (pathlib takes three times as long)
    except FileNotFoundError:
        with contextlib.suppress(OSError):
            return os.stat(f"/proc/{pid}/task").st_nlink <= ONE_THREAD  # noqa: PTH116  (as above)
        return True
    except OSError:  # another user's
        pass
    return False


def signal_tree(pid: int, number: int) -> None:
    """Send a signal to a process and all its descendants; SIGKILL spares those that clean up when the rest is gone."""
    for member in tree(pid):
        if number == signal.SIGKILL and _is_cleaner(member):
            continue
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(member, number)


def _is_cleaner(pid: int) -> bool:
    """Return True if a process removes shared memory as soon as all others have ended that may use it."""
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        return not command or any(word in command for word in CLEANERS)  # empty: it is just becoming a program
    return False


def signal_name(number: int) -> str:
    """Return a signal's name; real-time signals have none in Python."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def wait_for_end(pid: int) -> tuple[int, resource.struct_rusage]:
    """Wait for a child's end, not a traced one's stops; return its exit code, negative for a signal, and its usage."""
    status = STOPPED
    while os.WIFSTOPPED(status):
        _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), usage


def has_ended(pid: int) -> bool:
    """Return True if a child has ended; until it is waited for, no other process gets its pid."""
    state = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return state is not None and state.si_code in {os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED}


def kill_orphans(own: Collection[int]) -> None:
    """Kill and reap all children but one's own: daemons of a job become ours when it ends (`adopt_orphans`)."""
    for turn in range(ORPHANS_ROUNDS):  # a process that the kernel cannot end now must not end the run
        if not (orphans := [pid for pid in children(os.getpid()) if pid not in own]):
            break
        for orphan in orphans:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(orphan, os.WNOHANG) != (0, 0):
                    continue
                signal_tree(orphan, signal.SIGKILL)
                if turn > CLEANING_ROUNDS:
                    os.kill(orphan, signal.SIGKILL)  # a cleaner that does not end; nobody has reaped it
        time.sleep(0.001)


def die_before_others() -> None:
    """Offer this process to the kernel's out-of-memory killer, rather than the job server that all jobs share."""
    with contextlib.suppress(OSError):  # only root may lower it
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_DIE)


def reset_own_peak_memory() -> None:
    """Make VmHWM count from now: after a fork it starts with what the parent had."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
