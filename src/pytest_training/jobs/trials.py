"""What a study trains: its job for each combination of a matrix, each seed, or each trial of a search.

The id of a trial says what the study sets: `forest-trees-50-seed-3`.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.jobs.directions import direction
from pytest_training.jobs.kinds.protocol import Kind
from pytest_training.jobs.model import STUDY, Job, Study
from pytest_training.jobs.values import meant, with_value

MOST_TRIALS = 5000
FEWEST_DIGITS = 3  # of the number in the id of a search's trial
SHARED = ("id", "title", "source", "path", "home", "root", "gates", "tags", "optional", "files", "statements", "notes")
"""Fields of a study's own job that are those of the job that it trains."""


def expand(job: Job, kind: Kind, seed: int) -> list[Job]:
    """Return a job's trials and its study's own job behind them, or the job alone if it has no study."""
    study = job.study
    if study is None or job.kind == STUDY:
        return [job]
    if job.problem or not study.size:
        return [replace(job, study=None)]
    study = replace(study, seeds=study.seeds or tuple(range(seed, seed + study.seed_count)), seed_count=0)
    trials = [*(_searched(job, study) if study.search else _crossed(job, study, kind))]
    return [*trials, own_job(job, study, [each.id for each in trials])]


def checked(job: Job, study: Study, where: str) -> Job:
    """Return the job with the study; raise DeclarationError if its parts contradict each other."""
    if study.search and (study.matrix or study.seeds or study.seed_count):
        raise DeclarationError(f"{where}: expected either search, or matrix and seeds, of {job.id}")
    if (study.seeds or study.seed_count) and (why := no_seeds(job, study)):
        raise DeclarationError(f"{where}: {job.id} cannot have seeds: {why}")
    is_chosen = study.metric and any(len(values) > 1 for values in study.matrix.values())
    if is_chosen and not (direction(study.metric, job.gates) or direction(study.metric)):
        raise DeclarationError(f"{where}: expected a gate for {study.metric!r}: its name has no direction")
    if study.size > MOST_TRIALS:
        raise DeclarationError(f"{where}: expected at most {MOST_TRIALS} trials of {job.id}, found {study.size}")
    return replace(job, study=study)


def no_seeds(job: Job, study: Study) -> str:
    """Return why seeds would change nothing in a job, or an empty text if they may."""
    option = meant(job.declared, "seed")
    is_set = option is not None and (option.variable or option.name in (*job.given, *study.matrix))
    return f"its {option.name} is set" if option and is_set else "" if job.seeded else "`seed: false` says so"


def check_distinct(name: str, values: Sequence[Any], where: str) -> None:
    """Raise DeclarationError if the ids of two trials would be one."""
    texts = [in_id(value) for value in values]
    for place, text in enumerate(texts):
        if (first := texts.index(text)) < place:
            raise DeclarationError(f"{where}: values {first + 1} and {place + 1} are both '{name}-{text}': leave one")


def own_job(job: Job, study: Study, trials: Sequence[str]) -> Job:
    """Return the own job of a study; `trials` are ids."""
    shared = {name: getattr(job, name) for name in SHARED}
    return Job(kind=STUDY, study=study, varied=varied_by(study), needs=tuple(trials), expected_s=0.0, **shared)


def trial(job: Job, trial_id: str, varied: tuple[str, ...], seed: int | None) -> Job:
    """Return a trial of a job, without the gates, which are the study's, and with an output folder of its own."""
    return replace(job, id=trial_id, trial_of=job.id, varied=varied, seed=seed, study=None, gates=(), output=None)


def varied_by(study: Study) -> tuple[str, ...]:
    """Return the names of the parameters that a study sets."""
    return tuple(study.search.parameters if study.search else study.matrix)


def in_id(value: Any) -> str:
    """Return a parameter's value as ids have it."""
    text = "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, float) and float(f"{value:g}") == value:
        text = f"{value:g}"
    return re.sub(r"[^\w.+-]+", "_", text)


def _searched(job: Job, study: Study) -> Iterator[Job]:
    digits = max(FEWEST_DIGITS, len(str(study.size)))
    parameters = {name: value for name, value in job.parameters.items() if name not in varied_by(study)}
    job = replace(job, parameters=parameters)  # what a trial has drawn is known when it has begun
    for number in range(1, study.size + 1):
        yield trial(job, f"{job.id}-trial-{number:0{digits}}", varied_by(study), None)


def _crossed(job: Job, study: Study, kind: Kind) -> Iterator[Job]:
    for values in itertools.product(*study.matrix.values()):
        variant, trial_id = job, job.id
        for name, value in zip(study.matrix, values, strict=True):
            variant, trial_id = with_value(variant, name, value, kind), f"{trial_id}-{name}-{in_id(value)}"
        for seed in study.seeds or (None,):
            with_seed = trial_id if seed is None else f"{trial_id}-seed-{seed}"
            yield trial(variant, with_seed, varied_by(study), seed)
