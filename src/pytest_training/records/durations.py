"""How long a job will take, by how long it took before; and `durations.json`, for machines on which it never ran.

`pytest-training save-durations` writes that file beside the jobs and people commit it: one line a job, sorted, so that
versions merge. A job's duration has a fixed part, and one in proportion to epochs and folds.
"""

import math
import time
import timeit
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, TypeGuard

import msgspec

from pytest_training.atomic import write_atomically
from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import SCHEMA_VERSION, UNDECODABLE, Job, Value
from pytest_training.records.strict_json import encode, plain

FILE = "durations.json"
MOST_SIZES = 3  # sizes (epochs x folds) that are kept of a job: two tell its fixed part
STEADY = 0.1  # a line stays as it is while a duration differs by less than this part: a commit has only what matters
ONE_MACHINE = 1.9  # a busy machine seems so much slower than it is
TRIES, ADDITIONS = 12, 100_000
WEIGHTS = ("epochs", "folds")  # a part of a duration is proportional to these; the product of their values is its size
MEDIAN_OF = 3
FIXED_SHARE = 0.5  # of a duration, as long as one size alone was measured: data, intervals, pictures
# It was 53 %, 64 % and 78 % of the CPU seconds of three jobs of this repository; a job of a large net has hardly any.
LARGEST = 1e9  # seconds beyond 30 years, and sizes beyond this or below its inverse, are no measurements


class Measured(Value, frozen=True, kw_only=True):
    """What one training took."""

    seconds: float
    parameters: dict[str, Any] = {}


def expected_seconds(parameters: Mapping[str, Any], earlier: Iterable[Measured]) -> float | None:
    """Return the seconds to expect with these parameters, or None without earlier ones; the newest come first.

    The median of the last three at equal parameters; else the line through two sizes; else half of it is fixed.
    """
    valid = [each for each in earlier if is_positive(each.seconds)]
    equal = [each.seconds for each in valid if each.parameters == parameters]
    if equal or not valid:
        return median(equal[:MEDIAN_OF]) if equal else None
    sizes = _by_size(parameters, differing_in_size(parameters, valid))
    return sizes.get(1.0) or _on_the_line(sizes)


def is_positive(value: Any) -> TypeGuard[float]:
    """Return True for a number above 0 of a sensible size: SQLite keeps any type in any column."""
    return isinstance(value, float | int) and not isinstance(value, bool) and 1 / LARGEST < value < LARGEST


def differing_in_size(parameters: Mapping[str, Any], earlier: Sequence[Measured]) -> list[Measured]:
    """Return those that differ from these parameters, or else from the newest, in their size alone."""
    for wanted in map(_others, (parameters, earlier[0].parameters)):
        if alike := [each for each in earlier if _others(each.parameters) == wanted]:
            return alike
    return []


def weights(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that decide how long a job takes."""
    return {name: parameters[name] for name in WEIGHTS if is_positive(parameters.get(name))}


def _others(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in WEIGHTS}


def _by_size(parameters: Mapping[str, Any], earlier: Iterable[Measured]) -> dict[float, float]:
    """Return seconds by size, in units of the requested size; the newest size comes first."""
    asked, several = weights(parameters), dict[float, list[float]]()
    for each in earlier:
        used = weights(each.parameters)
        size = math.prod(used[name] / asked[name] for name in WEIGHTS if name in used and name in asked)
        several.setdefault(round(size, 9) if is_positive(size) else 1.0, []).append(each.seconds)
    return {size: median(seconds[:MEDIAN_OF]) for size, seconds in several.items()}


def _on_the_line(sizes: Mapping[float, float]) -> float:
    (size, seconds), *others = sizes.items()
    if not others:
        return seconds * (FIXED_SHARE + (1 - FIXED_SHARE) / size)
    far, far_s = max(others, key=lambda other: abs(math.log(other[0] / size)))
    slope = min(max((far_s - seconds) / (far - size), 0.0), seconds / size)  # neither part is less than nothing
    return max(seconds - slope * size, 0.0) + slope


class JobDurations(Value, frozen=True, kw_only=True):
    """What one job took on one machine."""

    speed: float  # of that machine, see `machine_speed`
    measured: tuple[Measured, ...]  # the largest size first, with the parameters that decide the duration


class Durations(Value, frozen=True, kw_only=True):
    """The file."""

    schema_version: int = SCHEMA_VERSION
    jobs: dict[str, JobDurations] = {}


def read_durations(path: Path) -> Durations:
    """Return the file's content, nothing if there is no file; raise DeclarationError if it is no such file."""
    try:
        content = path.read_bytes()
        durations = msgspec.json.decode(content, type=Durations)
    except FileNotFoundError:
        return Durations()
    except OSError as error:
        raise DeclarationError(f"{path}: cannot be read: {error.strerror}") from error
    except UNDECODABLE as error:
        wrong = "the marks of a merge conflict" if b"\n<<<<<<< " in content else str(error)
        problem = f"{path}: expected durations as pytest-training save-durations writes them, found {wrong}"
        raise DeclarationError(problem) from error
    if durations.schema_version != SCHEMA_VERSION:
        raise DeclarationError(f"{path}: expected version {SCHEMA_VERSION}, found {durations.schema_version}")
    return durations


def expected_here(durations: Durations, jobs: Iterable[Job], history: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds to expect of the jobs that this machine's history does not know.

    Seconds x speed is a job's work, the same on all machines; the jobs of the history show what this one takes for it.
    """
    work = {job.id: amount for job in jobs if (amount := _work(durations.jobs.get(job.id), job))}
    if not work.keys() - history.keys():
        return {}
    scale = median([history[each] / work[each] for each in work if each in history] or [1 / machine_speed()])
    return {job_id: amount * scale for job_id, amount in work.items() if job_id not in history}


def _work(entry: JobDurations | None, job: Job) -> float | None:
    seconds = expected_seconds(weights(plain(job.parameters)), entry.measured) if entry else None
    return seconds * entry.speed if entry and seconds and is_positive(entry.speed) else None


def machine_speed() -> float:
    """Return how many millions of numbers this interpreter adds in a second of its own: the best of some tries."""
    fastest_s = min(timeit.repeat(lambda: sum(range(ADDITIONS)), timer=time.thread_time, number=1, repeat=TRIES))
    return max(round(ADDITIONS / fastest_s / 1e6, 1), 0.1)


def updated(saved: Durations, measured: Mapping[str, Sequence[Measured]], *, speed: float) -> Durations:
    """Return the durations with what this machine has measured; the lines of other jobs stay as they are."""
    jobs = dict(saved.jobs)
    for job_id, earlier in measured.items():
        entry = JobDurations(speed=speed, measured=_newest_sizes(earlier))
        old = jobs.get(job_id)
        if entry.measured and not (old and _are_alike(old, entry)):
            jobs[job_id] = entry
    return Durations(jobs=dict(sorted(jobs.items())))


def _newest_sizes(earlier: Sequence[Measured]) -> tuple[Measured, ...]:
    """Return the durations at the newest sizes, the largest first, of trainings that differ in their size alone."""
    valid = [each for each in earlier if is_positive(each.seconds)]
    alike = differing_in_size(valid[0].parameters, valid) if valid else []
    sized = [Measured(seconds=each.seconds, parameters=weights(each.parameters)) for each in alike]
    newest = dict.fromkeys(tuple(each.parameters.items()) for each in sized)
    largest_first = sorted(list(newest)[:MOST_SIZES], key=lambda size: -math.prod(value for _, value in size))
    seconds = [(dict(size), expected_seconds(dict(size), sized) or 0.0) for size in largest_first]
    return tuple(Measured(seconds=float(f"{each:.3g}"), parameters=size) for size, each in seconds)


def _are_alike(old: JobDurations, new: JobDurations) -> bool:
    """Return True if both say about the same: in work, or in seconds on what may be one machine, now busy."""
    if [each.parameters for each in old.measured] != [each.parameters for each in new.measured]:
        return False
    ratios = [one.seconds / other.seconds for one, other in zip(old.measured, new.measured, strict=True)]
    speed = old.speed / new.speed
    speeds = (1.0, speed) if 1 / ONE_MACHINE < speed < ONE_MACHINE else (speed,)
    return any(all(abs(ratio * each - 1) < STEADY for ratio in ratios) for each in speeds)


def write_durations(durations: Durations, path: Path) -> None:
    """Write the file, one line a job."""
    lines = (b"%b: %b" % (encode(job_id), encode(entry)) for job_id, entry in durations.jobs.items())
    head = b'{\n"schema_version": %d,\n"jobs": {\n' % durations.schema_version
    write_atomically(path, head + b",\n".join(lines) + b"\n}\n}\n")
