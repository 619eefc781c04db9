"""A job with two OpenMP threads where other processes keep the cores busy, beside the same job with one thread."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from measuring import LEFT_OUT, PYTEST
from projects import forget_runs, training_project
from tables import Answer

QUESTION = "One job that fits trees with OpenMP, while two other processes compute"
REPEATS = 3
TIMES = 1.5
BUSY = 2

JOB = """from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier


def train(run):
    \"\"\"Fit trees.\"\"\"
    features, target = make_classification(100_000, 20, random_state=run.seed)
    trees = HistGradientBoostingClassifier(max_iter=60, early_stopping=False, random_state=run.seed)
    return {"accuracy": trees.fit(features, target).score(features, target)}
"""


def answer(folder: Path, repeats: int) -> Answer:
    """Measure both in turns; the times are the job's own."""
    result = Answer(QUESTION, ["threads", "s", "CPU s", "accuracy"])
    projects = {threads: training_project(folder / str(threads), [JOB]) for threads in (1, 2)}
    for threads, project in projects.items():
        jobs = f"jobs:\n  '0000': {{cpus: {threads}}}\n"
        (project / "training" / "jobs.yaml").write_text(jobs, encoding="utf-8")
    several: dict[int, list[dict[str, float]]] = {threads: [] for threads in projects}
    with busy_cores():
        for _ in range(repeats):
            for threads, project in projects.items():
                several[threads].append(_train(project))
    walls = {threads: median(each["wall_s"] for each in times) for threads, times in several.items()}
    for threads, times in several.items():
        cpu_s = median(each["cpu_s"] for each in times)
        result.rows.append([str(threads), f"{walls[threads]:.1f}", f"{cpu_s:.1f}", f"{times[0]['accuracy']:.4f}"])
    result.limit(f"two threads, {TIMES} x one", walls[2], TIMES * walls[1])
    result.notes.append(f"{len(os.sched_getaffinity(0))} cores, {BUSY} processes beside the job that always compute.")
    return result


@contextmanager
def busy_cores() -> Iterator[None]:
    """Keep cores busy for the length of a with block."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def _train(project: Path) -> dict[str, float]:
    forget_runs(project)
    environment = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    ended = subprocess.run(PYTEST, cwd=project, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(ended.stdout)
    report = json.loads((project / "reports" / "report.json").read_text(encoding="utf-8"))
    job = report["tests"][0]["metadata"]
    return {"wall_s": job["wall_s"], "cpu_s": job["cpu_s"], "accuracy": job["metrics"]["accuracy"]}
