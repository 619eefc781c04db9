"""Jobs that do nothing: the cost of the machinery."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measuring import PYTEST, WORKERS, Measurement, measure, medians
from projects import NOTHING, plain_project, program_project, training_project
from tables import Answer

QUESTION = "Jobs that do nothing, 4 at a time"
REPEATS = 5
COUNTS = (12, 200)
PER_JOB_S = 0.008

OURS, PLAIN = "pytest-training, `pytest -n 4`", "plain empty pytest tests, `pytest -n 4`"


def answer(folder: Path, repeats: int) -> Answer:
    """Measure both counts."""
    result = Answer(QUESTION, ["runner", *(f"{count} jobs, {unit}" for count in COUNTS for unit in ("s", "CPU s"))])
    columns = [_column(folder / str(count), count, repeats) for count in COUNTS]
    for name in columns[0]:
        figures = [f"{value:.2f}" for column in columns for value in (column[name].wall_s, column[name].cpu_s)]
        result.rows.append([name, *figures])
    last, count = columns[-1], COUNTS[-1]
    allowed = last[PLAIN].wall_s + count * PER_JOB_S
    result.limit(f"{count} jobs, plain tests + {PER_JOB_S * 1000:.0f} ms per job", last[OURS].wall_s, allowed)
    return result


def _column(folder: Path, count: int, repeats: int) -> dict[str, Measurement]:
    ours = training_project(folder / "ours", [NOTHING] * count)
    plain = plain_project(folder / "plain", [0.0] * count)
    programs = program_project(folder / "programs", ["pass\n"] * count)
    workers = str(WORKERS)
    alternatives: dict[str, Callable[[], Measurement]] = {
        OURS: partial(measure, [*PYTEST, "-n", workers], ours),
        PLAIN: partial(measure, [*PYTEST, "-n", workers, "-p", "no:training"], plain),
        "a subprocess per job, ThreadPool(4)": partial(measure, [sys.executable, "pool.py"], programs),
        "GNU make -j4": partial(measure, ["make", "-j", workers], programs),
    }
    return medians(alternatives, repeats)
