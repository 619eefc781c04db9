"""Very many jobs: whether a run of thousands ends, and what it costs the controller."""

from __future__ import annotations

from pathlib import Path

from measuring import PYTEST, WORKERS, Measurement, measure, medians
from projects import NOTHING, forget_runs, training_project
from tables import Answer

QUESTION = "5,000 jobs that do nothing, `pytest -n 4`"
REPEATS = 1
COUNT = 5_000
LARGEST_MB = 300


def answer(folder: Path, repeats: int) -> Answer:
    """Measure a first run and one that has a history."""
    project = training_project(folder / "ours", [NOTHING] * COUNT)
    command = [*PYTEST, "-q", "-n", str(WORKERS)]

    def first() -> Measurement:
        forget_runs(project)
        return measure(command, project)

    middle = medians({"first run": first, "second run": lambda: measure(command, project)}, repeats, warm_up=False)
    result = Answer(QUESTION, ["run", "s", "ms per job", "CPU s", "controller's peak memory, MiB"])
    for name, each in middle.items():
        per_job = f"{each.wall_s / COUNT * 1000:.1f}"
        result.rows.append([name, f"{each.wall_s:.1f}", per_job, f"{each.cpu_s:.1f}", f"{each.peak_mb:.0f}"])
    result.limit("Controller's peak memory", max(each.peak_mb for each in middle.values()), LARGEST_MB, "MiB")
    return result
