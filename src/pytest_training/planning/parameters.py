"""Parameters from the command line: `--epochs 50`, `--set als.epochs=80`, `--set '*.folds=3'`."""

import contextlib
import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Kind, Kinds
from pytest_training.jobs.kinds.script.arguments import outputs
from pytest_training.jobs.model import STUDY, Job
from pytest_training.jobs.values import check_minimum, convert_text, find_parameter, meant, seed_option, with_value
from pytest_training.wording import listing, one_of, printable

SHOWN_JOBS = 6
FORM = "JOB.PARAMETER=VALUE, like als.epochs=80"
SAID = re.compile(
    "not passed: it is an option of|^trained whole:|: it has a search$"
)  # in notes that the console shows


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


def unreached(
    jobs: Sequence[Job],
    places: Mapping[str, str] | None = None,
    *,
    epochs: int | None = None,
    folds: int | None = None,
    settings: Sequence[str] = (),
) -> list[str]:
    """Return a sentence for each option that misses selected jobs, and each value that a subcommand does not take.

    Raise DeclarationError for an option that sets what a study sets; `places` say by its id where it is declared.
    """
    values = {"epochs": epochs, "folds": folds}
    numbers = ((f"--{name}", "*", name) for name, number in values.items() if number is not None)
    sentences: list[str] = []
    for option, pattern, name in dict.fromkeys((*numbers, *(_target(each, jobs) for each in settings))):
        asked = [job for job in jobs if not job.problem and is_meant(job, pattern)]
        for job, own in ((job, own) for job in asked if (own := varied(job, name))):
            place = (places or {}).get(job.trial_of or "")
            raise DeclarationError(f"{option}: the study {job.trial_of} sets {own} itself ({place}): leave one")
        without = [job.id for job in asked if not _has(job, name)]
        names = listing("", without, limit=SHOWN_JOBS)
        jobs_have = f"of {len(asked)} jobs have" if len(asked) > 1 else "of 1 job has"
        if without:
            sentences.append(f"{option}: {len(without)} {jobs_have} no such parameter: {names}")
    unpassed: dict[str, list[str]] = {}
    for job_id, note in ((job.trial_of or job.id, note) for job in jobs for note in job.notes if SAID.search(note)):
        unpassed.setdefault(note, []).append(job_id)
    return sentences + [f"{listing('', ids, limit=SHOWN_JOBS)}: {note}" for note, ids in unpassed.items()]


def _apply_setting(jobs: list[Job], setting: str, kinds: Kinds) -> list[Job]:
    where, name, matching = target_jobs(jobs, setting, "--set", FORM, kinds)
    ids, text = {job.id for job in matching}, setting.partition("=")[2]
    return [_set(job, name, text, where, kinds) if job.id in ids else job for job in jobs]


def target_jobs(
    jobs: Sequence[Job], setting: str, option: str, form: str, kinds: Kinds
) -> tuple[str, str, Sequence[Job]]:
    """Return how messages name a setting like `als.epochs=80`, its parameter, and the jobs that it means."""
    where, pattern, name = _target(setting, jobs, option)
    target, equals, _ = setting.partition("=")
    if not equals or not pattern or not name:
        hint = f"; for all jobs: '*.{target}=…'" if equals and target and "." not in target else ""
        raise DeclarationError(f"{where}: expected {form}{hint}")
    exact = [job for job in jobs if pattern in {job.id, job.trial_of} and job.kind != STUDY]
    if not (matching := exact or [job for job in jobs if is_meant(job, pattern)]):
        raise DeclarationError(f"{where}: no job {pattern!r}: {one_of(pattern, (job.id for job in jobs))}")
    if len(matching) == 1 and not matching[0].problem:
        find_parameter(matching[0], name, where, kinds[matching[0].kind])
    elif not any(_has(job, name) for job in matching) and not all(job.problem for job in matching):
        expected = _one_of(name, matching)
        raise DeclarationError(f"{where}: no job that matches {pattern!r} has a parameter {name!r}: {expected}")
    return where, name, matching


def varied(job: Job, name: str) -> str | None:
    """Return the name of a parameter if the job's study sets it, else None."""
    parameter = meant(job.declared, name)
    is_seed = parameter is not None and job.seed is not None and parameter == meant(job.declared, "seed")
    return parameter.name if parameter and (parameter.name in job.varied or is_seed) else None


def refuse_averaging(jobs: Sequence[Job], settings: Sequence[str]) -> None:
    """Raise DeclarationError for a `--set` that trials of one combination differ in: their numbers are averaged."""
    for where, _, name in (_target(each, jobs) for each in settings):
        firsts: dict[str, Job] = {}
        for job in (each for each in jobs if each.seed is not None and not varied(each, name)):
            parameter, combination = meant(job.declared, name), job.id.removesuffix(f"-seed-{job.seed}")
            first = firsts.setdefault(combination, job)
            if parameter and first.parameters.get(parameter.name) != job.parameters.get(parameter.name):
                both = f"{first.id} and {job.id}, which {job.trial_of} averages, would differ in {name}"
                raise DeclarationError(f"{where}: {both}: set it for all seeds: --set '{combination}-seed-*.{name}=…'")


def refuse_secrets(jobs: Sequence[Job], settings: Sequence[str]) -> None:
    """Raise DeclarationError for a `--set` of a secret, of any job: reports show the command line."""
    for where, pattern, name in (_target(each, jobs) for each in settings):
        for job in jobs:
            if (parameter := meant(job.declared, name)) and parameter.variable and is_meant(job, pattern):
                find_parameter(job, name, where)


def _target(setting: str, jobs: Iterable[Job], option: str = "--set") -> tuple[str, str, str]:
    """Return how messages name a setting, without the value, which may be secret; its pattern, and its parameter.

    Ids and parameters may have dots: the longest pattern that a job matches counts.
    """
    target = setting.partition("=")[0]
    ends = [match.start() for match in re.finditer(r"\.", target)][::-1] or [0]
    end = next((end for end in ends if any(is_meant(job, target[:end]) for job in jobs)), ends[0])
    return f"{option} {printable(target, 80)}", target[:end], target[end:].removeprefix(".")


def is_meant(job: Job, pattern: str) -> bool:
    """Return True if the id of a job or of its study matches the pattern; a study's own job has no parameters."""
    names = () if job.kind == STUDY else (job.id, job.trial_of) if job.trial_of else (job.id,)
    return any(name == pattern or fnmatch.fnmatchcase(name, pattern) for name in names)


def _has(job: Job, name: str) -> bool:
    return meant(job.declared, name) is not None


def _one_of(name: str, jobs: Sequence[Job]) -> str:
    names = sorted({parameter.name for job in jobs for parameter in job.declared})
    return one_of(name, names) if names else "none has any parameter that its source declares"


def _set(job: Job, name: str, text: str, where: str, kinds: Kinds) -> Job:
    kind = kinds[job.kind]
    if job.kind == STUDY or varied(job, name):  # `unreached` raises once the jobs are selected
        return job
    if not _has(job, name):
        what = "option in its source" if kind.has_options else "parameter"
        note = f"{where.partition(' (')[0]} not passed: no such {what}"
        return job if job.problem else msgspec.structs.replace(job, notes=(*job.notes, note))
    parameter = find_parameter(job, name, where)
    return with_value(job, parameter.name, convert_text(parameter, text, where, kind), kind)


def fill_seeds(jobs: Iterable[Job], seed: int, kinds: Kinds = KINDS) -> list[Job]:
    """Return the jobs; a script that has an option for its seed gets the run's, unless the user has set the option."""
    return [_with_seed(job, seed, kinds[job.kind]) for job in jobs]


def _with_seed(job: Job, seed: int, kind: Kind) -> Job:
    is_own = job.seed is not None  # of a trial: also the parameter of a function, and whatever its choices are
    usual = seed_option(job.declared) if kind.has_options and job.seeded else None
    option = meant(job.declared, "seed") if is_own else usual
    if option is not None and (is_own or not (option.name in job.given or option.variable)):
        with contextlib.suppress(*(() if is_own else (DeclarationError,))):  # not one of its choices, or too large
            text = str(job.seed if is_own else seed)
            return with_value(job, option.name, convert_text(option, text, f"the seed of {job.id}", kind), kind)
    return job


def note_missing(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs; one that lacks a required value has a problem, and the others are trained without it."""
    return [_unpassed(msgspec.structs.replace(job, problem=job.problem or _missing(job))) for job in jobs]


def _missing(job: Job) -> str | None:
    has_value = {*job.parameters, *job.varied, *outputs(job, ".")}
    missing = [each.name for each in job.declared if each.required and each.name not in has_value]
    if not missing:
        return None
    spelled = " ".join(f"--set {job.id}.{name}=VALUE" for name in missing)
    return (
        f"{job.source}: {job.id} needs a value for {', '.join(missing)}: give it with {spelled}, "
        f"or under jobs.{job.id}.parameters in the catalogue"
    )


def _unpassed(job: Job) -> Job:
    """Return the job without the values that it would not be passed: the chosen subcommand does not take them."""
    seed = seed_option(job.declared)  # the run's own is passed where there is a place for it
    for selector in (each for each in job.declared if each.selects):
        chosen = job.parameters.get(selector.name)
        for each in (each for each in job.declared if each.name in job.given and each.subcommands):
            if not {chosen, "*"}.intersection(each.subcommands):
                state = "which is not chosen" if chosen is None else f"{selector.name} is {chosen}"
                note = f"{each.name} not passed: it is an option of {listing('', each.subcommands)}, {state}"
                others = {name: value for name, value in job.parameters.items() if name != each.name}
                job = msgspec.structs.replace(
                    job,
                    parameters=others if each.unread else others | {each.name: each.default},
                    given=tuple(name for name in job.given if name != each.name),
                    notes=(*job.notes, *([note] if each is not seed else ())),
                )
    return job
