"""Jobs that log, up to 100,000 events a second: the cost to the jobs, and to the controller that shows them.

Both are CPU seconds. The first compares the same work with and without `run.log`, in turns of a millisecond within one
process, and takes the median of the turns' differences: turns that a neighbour disturbed do not count, nor those in
which the first 500 events of a second are kept (0.1 % more). The second compares the controller with and without the
live view, over the time of the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import sys
import time
from pathlib import Path
from statistics import median
from subprocess import Popen

from measuring import LEFT_OUT, PYTEST, WORKERS
from projects import forget_runs, training_project
from tables import Answer

QUESTION = "Jobs that log 100,000 events a second"
REPEATS = 5
EVENTS = 500_000
PIECE_S = 10e-6
TURNS = 5_000
LARGEST_SLOWDOWN, LARGEST_SHARE = 5.0, 3.0  # percent

JOB = '''
import time
from statistics import median


def work(count):
    for _ in range(count):
        pass


def nothing(**values):
    pass


def train(run, *, events={events}, turns={turns}):
    """Do the same work without logging, with a call of a function that does nothing, and with logging, in turns."""
    begun = time.process_time()
    for step in range(50_000):
        work(1_000)
    count = round(1_000 * {piece_s} * 50_000 / (time.process_time() - begun))
    quiet, calling, talkative = 0.0, [], []
    for _ in range(turns):
        times = [time.process_time()]
        for step in range(events // turns):
            work(count)
        times.append(time.process_time())
        for step in range(events // turns):
            work(count)
            nothing(fold=0, step=step, loss=0.5)
        times.append(time.process_time())
        for step in range(events // turns):
            work(count)
            run.log(fold=0, step=step, loss=0.5)
        times.append(time.process_time())
        quiet += times[1] - times[0]
        calling.append(times[2] - times[1] - times[1] + times[0])
        talkative.append(times[3] - times[2] - times[1] + times[0])
    costs = {{"calling_s": turns * median(calling), "talkative_s": turns * median(talkative)}}
    return {{"quiet_s": quiet, **{{name: quiet + cost for name, cost in costs.items()}}}}
'''
NORMAL = '''
import time


def train(run, *, seconds={seconds}):
    """Log as a training with short epochs does: ten times a second."""
    for step in range(10 * seconds):
        time.sleep(0.1)
        run.log(fold=step // 50, epoch=step % 50, loss=0.5, roc_auc=0.8)
        run.progress(step + 1, 10 * seconds)
    return {{"events": float(step)}}
'''
SHOWN = '''
import time


def train(run, *, seconds={seconds}):
    """Log nearly as often for a while, and nothing else: the rest of the time is the others'."""
    end, step = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for _ in range(1_000):
            run.log(fold=0, step=step, loss=0.5)
            step += 1
        run.progress(time.monotonic() - end + seconds, seconds)
        time.sleep(0.01)
    return {{"events": float(step)}}
'''
SECONDS = 20
MANY = 200


def answer(folder: Path, repeats: int) -> Answer:
    """Measure both costs."""
    result = Answer(QUESTION, ["what", "without, CPU s", "with, CPU s", "cost"])
    project = training_project(folder / "logging", [JOB.format(events=EVENTS, turns=TURNS, piece_s=PIECE_S)])
    measured = [_logged(project) for _ in range(repeats)]
    for index, name in ((1, "calls of an empty function"), (2, "calls of run.log")):
        without, with_ = (median(each[which] for each in measured) for which in (0, index))
        each_s = median(each[index] - each[0] for each in measured) / EVENTS
        slowdown = 100 * each_s * 100_000  # not by the work's own duration: it is only about 10 microseconds
        cost = f"{1e6 * each_s:.2f} µs each"
        result.rows.append([f"{EVENTS:,} {name} between other work", f"{without:.2f}", f"{with_:.2f}", cost])
    shares = {
        f"the live view of {WORKERS} jobs that log 10 events a second, {SECONDS} s": (
            [NORMAL.format(seconds=SECONDS)] * WORKERS,
            repeats,
        ),
        f"the live view of {WORKERS} jobs that log 100,000 events a second, {SECONDS} s": (
            [SHOWN.format(seconds=SECONDS)] * WORKERS,
            repeats,
        ),
        f"the live view of {MANY} such jobs, {MANY // WORKERS * 0.4:.0f} s": (
            [SHOWN.format(seconds=0.4)] * MANY,
            repeats,
        ),
    }
    for name, (sources, times) in shares.items():
        shown = training_project(folder / name.replace(" ", "-"), sources)
        pairs = [(_watched(shown, "off"), _watched(shown, "live")) for _ in range(times)]
        off, live = median(pair[0][0] for pair in pairs), median(pair[1][0] for pair in pairs)
        share = 100 * median((pair[1][0] - pair[0][0]) / pair[1][1] for pair in pairs)
        result.rows.append([name, f"{off:.2f}", f"{live:.2f}", f"{share:.1f} % of a core"])
        result.limit(name, share, LARGEST_SHARE, "% of a core")
    result.limit("Logging slows a job of 100,000 events a second", slowdown, LARGEST_SLOWDOWN, "%")
    return result


def _logged(project: Path) -> tuple[float, float, float]:
    forget_runs(project)
    _watched(project, "off")
    report = json.loads((project / "reports" / "report.json").read_bytes())
    metrics = report["tests"][0]["metadata"]["metrics"]
    return metrics["quiet_s"], metrics["calling_s"], metrics["talkative_s"]


def _watched(project: Path, progress: str) -> tuple[float, float]:
    """Train on a terminal; return the CPU seconds of the controller itself, and how long the run took."""
    controller, terminal = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in LEFT_OUT} | {"TERM": "xterm"}
    command = [*PYTEST, "-n", str(WORKERS), f"--training-progress={progress}"]
    begun, used, printed = time.monotonic(), 0.0, b""
    with Popen(command, cwd=project, env=environment, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        os.set_blocking(controller, False)
        while process.poll() is None:
            used = max(used, _own_cpu_s(process.pid))
            with contextlib.suppress(BlockingIOError, OSError):
                printed += os.read(controller, 2**20)
            time.sleep(0.02)
    took = time.monotonic() - begun
    os.close(controller)
    if process.returncode:
        sys.exit(f"{' '.join(command)} in {project} ended with {process.returncode}:\n{printed[-4000:].decode()}")
    return used, took


def _own_cpu_s(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
