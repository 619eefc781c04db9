"""Parameters from the command line: `--epochs 50`, `--set als.epochs=80`, `--set '*.folds=3'`."""

import contextlib
import fnmatch
from collections.abc import Iterable, Sequence

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.parameters import seed_option
from pytest_training.jobs.kinds.protocol import Kind, Kinds
from pytest_training.jobs.model import Job
from pytest_training.jobs.values import check_minimum, convert_text, find_parameter, with_value
from pytest_training.wording import one_of, printable

FORM = "JOB.PARAMETER=VALUE, like als.epochs=80"


def apply_options(
    jobs: Sequence[Job],
    *,
    epochs: int | None = None,
    folds: int | None = None,
    settings: Sequence[str] = (),
    kinds: Kinds = KINDS,
) -> list[Job]:
    """Return the jobs with the options' values: `--epochs`, `--folds`, then each `--set` in its order."""
    result = list(jobs)
    for name, number in (("epochs", epochs), ("folds", folds)):
        if number is not None:
            check_minimum(name, number, f"--{name}")
            if not any(_has(job, name) for job in jobs):
                raise DeclarationError(f"--{name}: no job has a parameter {name!r}: {_one_of(name, jobs)}")
            result = [_set(job, name, str(number), f"--{name} (for {job.id})", kinds) for job in result]
    for setting in settings:
        result = _apply_setting(result, setting, kinds)
    return result


def _apply_setting(jobs: list[Job], setting: str, kinds: Kinds) -> list[Job]:
    target, equals, text = setting.partition("=")
    where = f"--set {printable(target, 80)}"  # without the value: it may be meant for a secret parameter
    pattern, dot, name = target.rpartition(".")
    if not equals or not pattern or not name:
        hint = f"; for all jobs: '*.{target}=…'" if equals and target and not dot else ""
        raise DeclarationError(f"{where}: expected {FORM}{hint}")
    matching = _matching(jobs, pattern, where)
    if len(matching) == 1 and not matching[0].problem:
        find_parameter(matching[0], name, where)
    elif not any(_has(job, name) for job in matching) and not all(job.problem for job in matching):
        expected = _one_of(name, matching)
        raise DeclarationError(f"{where}: no job that matches {pattern!r} has a parameter {name!r}: {expected}")
    ids = {job.id for job in matching}
    return [_set(job, name, text, where, kinds) if job.id in ids else job for job in jobs]


def _matching(jobs: list[Job], pattern: str, where: str) -> list[Job]:
    matching = [job for job in jobs if job.id == pattern]
    matching = matching or [job for job in jobs if fnmatch.fnmatchcase(job.id, pattern)]
    if not matching:
        raise DeclarationError(f"{where}: no job {pattern!r}: {one_of(pattern, (job.id for job in jobs))}")
    return matching


def _has(job: Job, name: str) -> bool:
    return any(parameter.name == name for parameter in job.declared)


def _one_of(name: str, jobs: Sequence[Job]) -> str:
    return one_of(name, sorted({parameter.name for job in jobs for parameter in job.declared}))


def _set(job: Job, name: str, text: str, where: str, kinds: Kinds) -> Job:
    if not _has(job, name):
        return job
    kind = kinds[job.kind]
    return with_value(job, name, convert_text(find_parameter(job, name, where), text, where, kind), kind)


def fill_seeds(jobs: Iterable[Job], seed: int, kinds: Kinds = KINDS) -> list[Job]:
    """Return the jobs; a script that has an option for its seed gets the run's, unless the user has set the option."""
    return [_with_seed(job, seed, kinds[job.kind]) for job in jobs]


def _with_seed(job: Job, seed: int, kind: Kind) -> Job:
    option = seed_option(job.declared) if kind.has_options and job.seeded else None
    if option is not None and option.name not in job.given and option.variable is None:
        with contextlib.suppress(DeclarationError):  # not one of its choices, or too large
            return with_value(job, option.name, convert_text(option, str(seed), "", kind), kind)
    return job


def note_missing(jobs: Sequence[Job], kinds: Kinds = KINDS) -> list[Job]:
    """Return the jobs; a script has a problem if it lacks a required value.

    Scripts are often somebody else's: the others are trained without them.
    """
    missing = {job.id: _missing(job) for job in jobs if kinds[job.kind].has_options}
    return [msgspec.structs.replace(job, problem=missing.get(job.id) or job.problem) for job in jobs]


def missing_parameters(jobs: Sequence[Job]) -> None:
    """Raise DeclarationError for the first job that lacks a required value."""
    for job in jobs:
        if problem := _missing(job):
            raise DeclarationError(problem)


def _missing(job: Job) -> str | None:
    required = [parameter for parameter in job.declared if parameter.required]
    missing = [
        parameter.name
        for parameter in required
        if parameter.name not in job.parameters and (parameter.option is None or parameter.option != job.output_option)
    ]
    if not missing or job.problem is not None:
        return None
    spelled = " ".join(f"--set {job.id}.{name}=VALUE" for name in missing)
    return (
        f"{job.source}: {job.id} needs a value for {', '.join(missing)}: give it with {spelled}, "
        f"or under jobs.{job.id}.parameters in the catalogue"
    )
