"""A cluster on this machine beside xdist's workers: unequal jobs, the cost of a job, how many are in flight."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import median

from measuring import PYTEST, WORKERS, Measurement, measure, medians
from order import SLEEP, UNEQUAL
from projects import NOTHING, training_project
from shared_imports import JOB
from tables import Answer

from pytest_training.processes import tree

QUESTION = "Jobs on the nodes of a cluster, `--training-cluster`"
REPEATS = 3

NODES = """import sys
from distributed import LocalCluster
if __name__ == "__main__":
    count, threads = map(int, sys.argv[1:])
    options = dict(processes=True, host="127.0.0.1", dashboard_address=None, memory_limit=0)
    with LocalCluster(n_workers=count, threads_per_worker=threads, **options) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""
BOUND_S, SLACK = 8.0, 1.15
ROWS = {  # number of jobs, source, nodes, threads of each, what it may take of the time and CPU of `pytest -n 4`
    "200 jobs that do nothing, 4 nodes of 1 thread": (200, NOTHING, 4, 1, 1.3, 2.2),
    "200 jobs that do nothing, 1 node of 4 threads": (200, NOTHING, 1, 4, 1.3, 2.2),
    "12 jobs that import scikit-learn and pandas, 1 node of 4 threads": (12, JOB, 1, 4, 1.2, 1.2),
}
MANY, IN_FLIGHT, LARGEST_MB = 500, 200, 150


def answer(folder: Path, repeats: int) -> Answer:
    """Measure sleeps, costs and memory."""
    result = Answer(QUESTION, ["jobs", "s", "of `pytest -n 4`", "CPU s", "of `pytest -n 4`", "memory of pytest, MiB"])
    _sleeps(folder / "sleeps", repeats, result)
    for number, name in enumerate(ROWS):
        _beside_workers(folder / f"row-{number}", name, repeats, result)
    _many(folder / "many", result)
    result.notes.append("The nodes are up before; CPU seconds are those of pytest, scheduler, nodes, servers and jobs.")
    return result


def _sleeps(folder: Path, repeats: int, result: Answer) -> None:
    project = training_project(folder, [SLEEP.format(seconds=each) for each in UNEQUAL])
    command = [*PYTEST, "--training-cluster", f"local:{WORKERS}"]
    measure(command, project)  # now the durations are known
    several = [(measure(command, project), _first_to_last_s(project)) for _ in range(repeats)]
    spans = sorted(span for _, span in several)
    name = f"12 sleeps, local:{WORKERS}, from the first start to the last end"
    cpu_s, peak_mb = (median(getattr(each, which) for each, _ in several) for which in ("cpu_s", "peak_mb"))
    result.rows.append([name, f"{median(spans):.2f}", "", f"{cpu_s:.1f}", "", f"{peak_mb:.0f}"])
    result.limit(f"the slowest of {repeats}, {SLACK} x the bound", spans[-1], SLACK * BOUND_S)


def _first_to_last_s(project: Path) -> float:
    report = json.loads((project / "reports" / "report.json").read_text(encoding="utf-8"))
    jobs = [test["metadata"] for test in report["tests"]]
    first, last = min(each["started"] for each in jobs), max(each["ended"] for each in jobs)
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def _beside_workers(folder: Path, name: str, repeats: int, result: Answer) -> None:
    count, source, nodes, threads, times_wall, times_cpu = ROWS[name]
    here, there = (training_project(folder / each, [source] * count) for each in ("here", "there"))
    with started_nodes(folder, nodes, threads) as (address, pid):
        middle = medians(
            {
                "xdist": partial(measure, [*PYTEST, "-n", str(WORKERS)], here, beside=[pid]),
                "cluster": partial(_on_nodes, pid, ["--training-cluster", address], there),
            },
            repeats,
        )
    usual, ours = middle["xdist"], middle["cluster"]
    wall, cpu = f"{ours.wall_s / usual.wall_s:.2f} x", f"{ours.cpu_s / usual.cpu_s:.2f} x"
    result.rows.append([name, f"{ours.wall_s:.2f}", wall, f"{ours.cpu_s:.1f}", cpu, f"{ours.peak_mb:.0f}"])
    result.limit(f"{name}, time, {times_wall} x", ours.wall_s, times_wall * usual.wall_s)
    result.limit(f"{name}, CPU, {times_cpu} x", ours.cpu_s, times_cpu * usual.cpu_s, "CPU s")


def _many(folder: Path, result: Answer) -> None:
    project = training_project(folder / "project", [SLEEP.format(seconds=2)] * MANY)
    with started_nodes(folder, 2, IN_FLIGHT // 2) as (address, pid):
        ours = _on_nodes(pid, ["-q", "--training-cluster", address], project)
    name = f"{MANY} jobs that sleep 2 s, {IN_FLIGHT} at once"
    result.rows.append([name, f"{ours.wall_s:.1f}", "", f"{ours.cpu_s:.1f}", "", f"{ours.peak_mb:.0f}"])
    result.limit(f"{name}, memory of pytest", ours.peak_mb, LARGEST_MB, "MiB")


@contextmanager
def started_nodes(folder: Path, count: int, threads: int) -> Iterator[tuple[str, int]]:
    """Start a scheduler and nodes in processes of their own; yield its address and the pid of the first process."""
    (folder / "nodes.py").write_text(NODES, encoding="utf-8")
    words = [sys.executable, "nodes.py", str(count), str(threads)]
    with subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes")
        yield process.stdout.readline().strip(), process.pid
        process.stdin.close()


def _on_nodes(pid: int, options: Sequence[str], project: Path) -> Measurement:
    before = _cpu_s(pid)
    ours = measure([*PYTEST, *options], project, beside=[pid])
    return Measurement(ours.wall_s, ours.cpu_s + _cpu_s(pid) - before, ours.peak_mb)


def _cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process tree, with those of processes that it has waited for."""
    fields = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in tree(pid)]
    return sum(sum(map(int, each[11:15])) for each in fields) / os.sysconf("SC_CLK_TCK")
