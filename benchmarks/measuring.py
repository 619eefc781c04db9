"""Run a command and measure it: wall time, CPU seconds of every descendant, peak memory of the first process.

The kernel counts CPU seconds of children that a parent waited for. This process adopts orphans
(`PR_SET_CHILD_SUBREAPER`) and waits for them, so that they count too; `check_accounting` proves it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pytest_training.processes import children

PR_SET_CHILD_SUBREAPER = 36
SAMPLE_S = 0.02
ORPHANS_S = 10.0  # a run that leaves processes for longer is broken

WORKERS = 4
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "-p", "no:timeout")
"""Without the plugins of the extra `test`: who trains has none of them, and they double pytest's own start-up."""
LEFT_OUT = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONDONTWRITEBYTECODE", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")
"""Variables that would change what is measured: without its compiled files every Python start takes far longer."""


@dataclass(frozen=True)
class Measurement:
    """Time and memory of one command."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    """Largest resident memory (VmHWM) of the command's first process, in MiB; of pytest -n, the controller."""


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def measure(
    command: Sequence[str], folder: Path, *, expected: Sequence[int] = (0,), beside: Collection[int] = ()
) -> Measurement:
    """Run a command in a folder until its last process has ended; exit with its output if it fails.

    `beside` are children of this process that were there before and stay.
    """
    environment = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    output = folder / "output.txt"
    before, begun = _cpu_s(), time.monotonic()
    with output.open("wb") as written:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT
        )
    peak_mb = 0.0
    while process.poll() is None:
        peak_mb = max(peak_mb, _peak_memory_mb(process.pid))
        time.sleep(SAMPLE_S)
    wall_s = time.monotonic() - begun
    _wait_for_orphans(beside)
    if process.returncode not in expected:
        printed = output.read_text(encoding="utf-8", errors="replace")[-4000:]
        sys.exit(f"{' '.join(command)} in {folder} ended with {process.returncode}:\n{printed}")
    return Measurement(wall_s, _cpu_s() - before, peak_mb)


def medians(
    alternatives: Mapping[str, Callable[[], Measurement]], repeats: int, *, warm_up: bool = True
) -> dict[str, Measurement]:
    """Measure every alternative `repeats` times, in rounds: a disturbance of the machine then hits them all.

    With `warm_up` the first round does not count: it compiles modules and fills caches.
    """
    measurements: dict[str, list[Measurement]] = {name: [] for name in alternatives}
    for number in range(-1 if warm_up else 0, repeats):
        for name, alternative in alternatives.items():
            measured = alternative()
            if number >= 0:
                measurements[name].append(measured)
    return {name: _median(several) for name, several in measurements.items()}


def _median(several: Sequence[Measurement]) -> Measurement:
    return Measurement(
        median(each.wall_s for each in several),
        median(each.cpu_s for each in several),
        median(each.peak_mb for each in several),
    )


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _peak_memory_mb(pid: int) -> float:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _wait_for_orphans(beside: Collection[int]) -> None:
    give_up = time.monotonic() + ORPHANS_S
    while orphans := [pid for pid in children(os.getpid()) if pid not in beside]:
        if not any(os.waitpid(pid, os.WNOHANG)[0] for pid in orphans):
            time.sleep(SAMPLE_S)
        if time.monotonic() > give_up:
            break
    else:
        return
    sys.exit("processes of the measured command were still running 10 s after its end")


DETACHED = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        end = time.process_time() + 0.5
        while time.process_time() < end: pass
    os._exit(0)
"""


def check_accounting(folder: Path) -> None:
    """Exit unless half a second of CPU counts that a detached grandchild burns after its parents' end."""
    seen = measure([sys.executable, "-c", DETACHED], folder).cpu_s
    if seen < 0.5:
        sys.exit(f"CPU accounting misses orphans on this system: 0.5 s were burnt, {seen:.2f} s seen")
