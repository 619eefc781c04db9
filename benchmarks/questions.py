"""`pytest-training history` and `logs`: how long until a question about runs is answered."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measuring import Measurement, measure, medians
from projects import empty_project
from tables import Answer

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from made_runs import make_run

QUESTION = "`pytest-training history` and `logs`: 12 jobs, three runs"
REPEATS = 9
LIMIT_S = 0.2
RUNS = ("20260102-100000-abcd", "20260103-100000-abcd", "20260104-100000-abcd")
WORDS = {"history": ["history"], "history of a job": ["history", "job0001"], "logs": ["logs", "job0001"]}


def answer(folder: Path, repeats: int) -> Answer:
    """Measure each question beside a bare start of Python."""
    project = empty_project(folder)
    for run_id in RUNS:
        make_run(project / "reports", jobs=12, epochs=1, run_id=run_id)
    alternatives: dict[str, Callable[[], Measurement]] = {
        "`python -c pass`": partial(measure, [sys.executable, "-c", "pass"], project),
        **{
            name: partial(measure, [sys.executable, "-m", "pytest_training", *words], project)
            for name, words in WORDS.items()
        },
    }
    middle = medians(alternatives, repeats)
    found = Answer(QUESTION, ["what", "s", "CPU s"])
    for name, each in middle.items():
        found.rows.append([name, f"{each.wall_s:.3f}", f"{each.cpu_s:.3f}"])
    for name in WORDS:
        found.limit(name, middle[name].wall_s, LIMIT_S)
    return found
