"""How long `pytest-training report` takes, and how large its page is, of few and of very many jobs."""

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

QUESTION = "`pytest-training report`: 100 epochs each, three earlier runs"
REPEATS = 3
COMMAND = (sys.executable, "-m", "pytest_training")
LIMITS = {12: (10.0, 2.0), 1000: (10.0, 15.0)}
"""Seconds and MB by number of jobs."""
EARLIER = ("20260102-100000-abcd", "20260103-100000-abcd", "20260104-100000-abcd")


def answer(folder: Path, repeats: int) -> Answer:
    """Measure with 12 jobs and 1,000."""
    projects = {count: _project(folder / str(count), count) for count in LIMITS}
    alternatives: dict[str, Callable[[], Measurement]] = {
        _name(count): partial(measure, [*COMMAND, "report"], project) for count, project in projects.items()
    }
    middle = medians(alternatives, repeats)
    result = Answer(QUESTION, ["run", "s", "CPU s", "page, MB"])
    for count, project in projects.items():
        each = middle[_name(count)]
        size_mb = (project / "reports" / "index.html").stat().st_size / 1e6
        result.rows.append([_name(count), f"{each.wall_s:.2f}", f"{each.cpu_s:.2f}", f"{size_mb:.1f}"])
        allowed_s, allowed_mb = LIMITS[count]
        result.limit(_name(count), each.wall_s, allowed_s)
        result.limit(f"{_name(count)}, page", size_mb, allowed_mb, "MB")
    return result


def _name(count: int) -> str:
    return f"{count:,} jobs"


def _project(folder: Path, count: int) -> Path:
    project = empty_project(folder)
    for run_id in EARLIER:
        make_run(project / "reports", jobs=count, epochs=1, run_id=run_id)
    make_run(project / "reports", jobs=count, epochs=100)
    return project
