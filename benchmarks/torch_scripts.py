"""Scripts that import PyTorch: the saving if the job server imports it once, and whether results are equal."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measuring import PYTEST, WORKERS, Measurement, check_accounting, measure, medians
from projects import forget_runs, program_project, training_project
from tables import Answer

COUNT = 12
QUESTION = f"{COUNT} scripts that import PyTorch, 4 at a time"
REPEATS = 3
THREADS = max(1, len(os.sched_getaffinity(0)) // WORKERS)
"""What the plugin gives each of them: with more, sums are rounded otherwise."""

SCRIPT = """import json
import os
import pathlib

import torch

torch.manual_seed({seed})
inputs = torch.randn(256, 16)
net = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
for _ in range(50):
    net.zero_grad()
    loss = (net(inputs).squeeze() - inputs.sum(1)).square().mean()
    loss.backward()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter -= 0.01 * parameter.grad
folder = pathlib.Path(os.environ.get("TRAINING_FOLDER", "result{seed}"))
folder.mkdir(exist_ok=True)
(folder / "metrics.json").write_text(json.dumps({{"loss": loss.item()}}))
"""
SHARED, APART = "pytest-training, one job server", "a subprocess per script, ThreadPool(4)"
FRESH = "pytest-training, `fresh: true`"


def answer(folder: Path, repeats: int) -> Answer:
    """Measure in forks, in interpreters of their own, and without the plugin; compare the results."""
    result = Answer(QUESTION, ["runner", "s", "CPU s", "CPU against one server"])
    if importlib.util.find_spec("torch") is None:
        result.notes.append("Not measured: needs the extra `torch`.")
        return result
    folder.mkdir(parents=True, exist_ok=True)
    check_accounting(folder)
    sources = [SCRIPT.format(seed=number) for number in range(COUNT)]
    ours, fresh = (training_project(folder / name, sources) for name in ("ours", "fresh"))
    jobs = "".join(f"  '{number:04}': {{fresh: true}}\n" for number in range(COUNT))
    (fresh / "training" / "jobs.yaml").write_text(f"jobs:\n{jobs}", encoding="utf-8")
    programs = program_project(folder / "programs", sources)
    alternatives: dict[str, Callable[[], Measurement]] = {
        SHARED: partial(_train, ours),
        FRESH: partial(_train, fresh),
        APART: partial(measure, ["env", f"OMP_NUM_THREADS={THREADS}", sys.executable, "pool.py"], programs),
    }
    middle = medians(alternatives, repeats, warm_up=False)
    shared = middle[SHARED].cpu_s
    for name, each in middle.items():
        result.rows.append([name, f"{each.wall_s:.1f}", f"{each.cpu_s:.1f}", f"{each.cpu_s / shared:.2f} x"])
    losses = [
        json.loads((programs / f"result{number}" / "metrics.json").read_text())["loss"] for number in range(COUNT)
    ]
    for project in (ours, fresh):
        if (ones := _losses(project)) != losses:
            sys.exit(f"{project.name} computed {ones}, plain scripts {losses}")
    result.notes.append(f"The {COUNT} losses are the same numbers in all three ways.")
    return result


def _train(project: Path) -> Measurement:
    forget_runs(project)
    return measure([*PYTEST, "-n", str(WORKERS)], project)


def _losses(project: Path) -> list[float]:
    report = json.loads((project / "reports" / "report.json").read_text(encoding="utf-8"))
    jobs = sorted((test["metadata"] for test in report["tests"]), key=lambda job: job["id"])
    return [job["metrics"]["loss"] for job in jobs]
