"""`durations.json` beside the jobs: how long they took, for machines on which they have never run.

`pytest-training save-durations` writes it and people commit it: one line a job, sorted, so that versions merge.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec

from pytest_training.atomic import write_atomically
from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import SCHEMA_VERSION, UNDECODABLE, Job, Value
from pytest_training.records.expectation import Measured, differing_in_size, expected_seconds, is_positive, weights
from pytest_training.records.strict_json import encode, plain

FILE = "durations.json"
MOST_SIZES = 3
"""Sizes (epochs x folds) that are kept of a job: two tell its fixed part."""
STEADY = 0.1
"""A line stays as it is while a duration differs by less than this part: a commit has only what matters."""
TRIES, ADDITIONS = 12, 100_000


class JobDurations(Value, frozen=True, kw_only=True):
    """What one job took on one machine."""

    speed: float
    """Of that machine, see `machine_speed`."""
    measured: tuple[Measured, ...]
    """The largest size first, with those of the job's parameters that decide its duration."""


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
        raise DeclarationError(
            f"{path}: expected durations as pytest-training save-durations writes them, found {wrong}"
        ) from error
    if durations.schema_version != SCHEMA_VERSION:
        raise DeclarationError(f"{path}: expected version {SCHEMA_VERSION}, found {durations.schema_version}")
    return durations


def expected_here(durations: Durations, jobs: Iterable[Job], history: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds to expect of the jobs that this machine's history does not know.

    Seconds x speed is a job's work, the same on all machines. The jobs of the history tell the seconds for some work
    on this one, else its speed does.
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
    """Return how many millions of numbers this interpreter adds a second: the best of some tries, 20 ms in all."""
    return max(round(ADDITIONS / min(_time_additions() for _ in range(TRIES)) / 1e6, 1), 0.1)


def _time_additions() -> float:
    begun = time.perf_counter()
    sum(range(ADDITIONS))
    return time.perf_counter() - begun


def updated(saved: Durations, measured: Mapping[str, Sequence[Measured]], *, speed: float) -> Durations:
    """Return the durations with what this machine has measured; the lines of other jobs stay as they are."""
    jobs = dict(saved.jobs)
    for job_id, earlier in measured.items():
        entry = JobDurations(speed=speed, measured=_by_size(earlier))
        old = jobs.get(job_id)
        if entry.measured and not (old and _are_alike(old, entry)):
            jobs[job_id] = entry
    return Durations(jobs=dict(sorted(jobs.items())))


def _by_size(earlier: Sequence[Measured]) -> tuple[Measured, ...]:
    """Return the durations at the newest sizes, the largest first, of trainings that differ in their size alone."""
    valid = [each for each in earlier if is_positive(each.seconds)]
    alike = differing_in_size(valid[0].parameters, valid) if valid else []
    sized = [Measured(seconds=each.seconds, parameters=weights(each.parameters)) for each in alike]
    newest = dict.fromkeys(tuple(each.parameters.items()) for each in sized)
    largest_first = sorted(list(newest)[:MOST_SIZES], key=lambda size: -math.prod(value for _, value in size))
    seconds = [(dict(size), expected_seconds(dict(size), sized) or 0.0) for size in largest_first]
    return tuple(Measured(seconds=float(f"{each:.3g}"), parameters=size) for size, each in seconds)


def _are_alike(old: JobDurations, new: JobDurations) -> bool:
    """Return True if both say about the same."""
    if [each.parameters for each in old.measured] != [each.parameters for each in new.measured]:
        return False
    pairs = zip(old.measured, new.measured, strict=True)
    return all(abs(one.seconds * old.speed / (other.seconds * new.speed) - 1) < STEADY for one, other in pairs)


def write_durations(durations: Durations, path: Path) -> None:
    """Write the file, one line a job."""
    lines = (b"%b: %b" % (encode(job_id), encode(entry)) for job_id, entry in durations.jobs.items())
    head = b'{\n"schema_version": %d,\n"jobs": {\n' % durations.schema_version
    write_atomically(path, head + b",\n".join(lines) + b"\n}\n}\n")
