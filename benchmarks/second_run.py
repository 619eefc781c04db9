"""Jobs whose first run waited for imports: the second is ordered by what the jobs themselves take."""

from __future__ import annotations

import json
from functools import partial
from itertools import combinations
from pathlib import Path

from measuring import PYTEST, WORKERS, Measurement, measure, medians
from order import SLEEP, UNEQUAL
from projects import forget_runs, training_project
from shared_imports import IMPORTS
from tables import Answer

QUESTION = f"{len(UNEQUAL)} unequal sleeps that import scikit-learn and pandas: is the second run in the right order?"
REPEATS = 1
CLEAR_S = 0.5
"""Sleeps that differ by less may start in any order."""
SHORTEST = 1.0


def answer(folder: Path, repeats: int) -> Answer:
    """Measure a first and a second run, and count the pairs that the second starts in the wrong order."""
    project = training_project(folder / "ours", [IMPORTS + SLEEP.format(seconds=each) for each in UNEQUAL])
    wrong: list[int] = []
    longest_over: list[float] = []
    runs = {"first run": partial(_first, project), "second run": partial(_second, project, wrong, longest_over)}
    middle = medians(runs, repeats, warm_up=False)
    bound = max(sum(UNEQUAL) / WORKERS, *UNEQUAL)
    result = Answer(QUESTION, ["run", "s", "over the bound of the sleeps"])
    for name, each in middle.items():
        result.rows.append([name, f"{each.wall_s:.2f}", f"{each.wall_s / bound:.2f}"])
    result.limit("pairs of jobs in the wrong order", max(wrong), 0, "pairs")
    result.limit("a job's expected seconds above its sleep", max(longest_over), SHORTEST)
    return result


def _first(project: Path) -> Measurement:
    forget_runs(project)
    return measure([*PYTEST, "-n", str(WORKERS)], project)


def _second(project: Path, wrong: list[int], over: list[float]) -> Measurement:
    measured = measure([*PYTEST, "-n", str(WORKERS)], project)
    report = json.loads((project / "reports" / "report.json").read_text(encoding="utf-8"))
    plan = report["training"]["plan"]
    slept = [UNEQUAL[int(job["id"])] for job in plan]
    wrong.append(sum(later > earlier + CLEAR_S for earlier, later in combinations(slept, 2)))
    over.append(max(job["expected_s"] - seconds for job, seconds in zip(plan, slept, strict=True)))
    return measured
