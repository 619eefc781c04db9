"""Unequal jobs: how much longer a run takes than the lower bound, max(sum / workers, longest)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from measuring import PYTEST, WORKERS, Measurement, measure, medians
from projects import forget_runs, plain_project, training_project
from tables import Answer

from pytest_training.records.durations import FILE, Durations, JobDurations, Measured, machine_speed, write_durations

QUESTION = "Unequal sleeps on 4 workers: total time over the lower bound"
REPEATS = 3

UNEQUAL = (1, 1, 1, 2, 2, 3, 1, 1, 5, 2, 1, 8)
SLACK = 1.05

FIRST, SECOND = "pytest-training, first run (nothing known)", "pytest-training, durations known"
SAVED = "pytest-training, first run with a durations.json made elsewhere"
SAVED_SLACK = 1.10
TWICE_AS_FAST = 2.0
"""The other machine, by its durations and its speed: a file says what both were."""
START = "pytest-xdist's own start-up (12 empty tests)"

SLEEP = 'import time\n\n\ndef train(run):\n    """Sleep."""\n    time.sleep({seconds})\n    return {{"score": 1.0}}\n'


def lognormal(count: int = 40, total_s: float = 25.0, seed: int = 7) -> list[float]:
    """Return durations as trainings have them: many short, few long."""
    source = random.Random(seed)  # noqa: S311  (durations, no secrets)
    drawn = [source.lognormvariate(0, 1) for _ in range(count)]
    return [round(each * total_s / sum(drawn), 3) for each in drawn]


def answer(folder: Path, repeats: int) -> Answer:
    """Measure both sets."""
    result = Answer(QUESTION, ["runner", "12 sleeps, s", "over bound", "40 lognormal, s", "over bound"])
    several = lognormal()
    columns = [_column(folder / "12", UNEQUAL, repeats), _column(folder / "40", several, repeats)]
    bounds = [_bound(UNEQUAL), _bound(several)]
    result.rows.append(["lower bound", f"{bounds[0]:.2f}", "1.00", f"{bounds[1]:.2f}", "1.00"])
    for name in columns[0]:
        walls = [column[name].wall_s for column in columns]
        over = ["" if name == START else f"{wall / bound:.2f}" for wall, bound in zip(walls, bounds, strict=True)]
        result.rows.append([name, f"{walls[0]:.2f}", over[0], f"{walls[1]:.2f}", over[1]])
    for column, bound, what in zip(columns, bounds, ("12 sleeps", "40 lognormal sleeps"), strict=True):
        allowed = SLACK * (bound + column[START].wall_s)
        allowed_saved = SAVED_SLACK * (bound + column[START].wall_s)
        result.limit(f"{what}, durations.json, {SAVED_SLACK} x (bound + start-up)", column[SAVED].wall_s, allowed_saved)
        result.limit(f"{what}, durations known, {SLACK} x (bound + start-up)", column[SECOND].wall_s, allowed)
    greedy = [_greedy(each) for each in (UNEQUAL, several)]
    result.notes.append(
        f"A first run knows nothing and takes the jobs in file order, each as soon as a worker is free: "
        f"{greedy[0]:.2f} s and {greedy[1]:.2f} s plus start-up, if no job waits on a busy worker."
    )
    return result


def _column(folder: Path, seconds: Sequence[float], repeats: int) -> dict[str, Measurement]:
    plain = plain_project(folder / "plain", seconds)
    empty = plain_project(folder / "empty", [0.0] * 12)
    ours = training_project(folder / "ours", [SLEEP.format(seconds=each) for each in seconds])
    saved = training_project(folder / "saved", [SLEEP.format(seconds=each) for each in seconds])
    _save_durations(saved, seconds)
    alternatives: dict[str, Callable[[], Measurement]] = {
        START: partial(_pytest, empty, "-p", "no:training"),
        "pytest-xdist, --dist load": partial(_pytest, plain, "-p", "no:training", "--dist", "load"),
        "pytest-xdist, --dist worksteal": partial(_pytest, plain, "-p", "no:training", "--dist", "worksteal"),
        FIRST: partial(_first, ours),
        SECOND: partial(_pytest, ours),
        SAVED: partial(_first, saved),
    }
    return medians(alternatives, repeats, warm_up=False)  # FIRST is what KNOWN knows


def _save_durations(project: Path, seconds: Sequence[float]) -> None:
    """Write what a machine twice as fast would have saved."""
    speed = machine_speed() * TWICE_AS_FAST
    jobs = {
        f"{number:04}": JobDurations(speed=speed, measured=(Measured(seconds=each / TWICE_AS_FAST),))
        for number, each in enumerate(seconds)
    }
    write_durations(Durations(jobs=jobs), project / "training" / FILE)


def _pytest(project: Path, *options: str) -> Measurement:
    return measure([*PYTEST, "-n", str(WORKERS), *options], project)


def _first(project: Path) -> Measurement:
    forget_runs(project)
    return _pytest(project)


def _bound(seconds: Sequence[float]) -> float:
    return max(sum(seconds) / WORKERS, *seconds)


def _greedy(seconds: Sequence[float]) -> float:
    free = [0.0] * WORKERS
    for each in seconds:
        free.sort()
        free[0] += each
    return max(free)
