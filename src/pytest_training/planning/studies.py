"""Studies in a plan: `--training-seeds`, `--training-matrix`, and trials in the place of the jobs that have them."""

import re
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.jobs.catalogue.studies import read_seeds
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.loading import check_ids
from pytest_training.jobs.model import Job, Study
from pytest_training.jobs.trials import check_distinct, checked, expand, no_seeds, own_job, trial
from pytest_training.jobs.values import convert_text, find_parameter, meant
from pytest_training.planning.parameters import target_jobs
from pytest_training.wording import one_of, printable

SEEDS, MATRIX = "--training-seeds", "--training-matrix"
FORM = "JOB.PARAMETER=VALUE,VALUE, like forest.trees=10,50"
VALUE = re.compile(r'(?:"[^"]*"|\[[^\]]*\]|\{[^}]*\}|[^,])+')  # commas inside lists, mappings and quotes are theirs


def with_options(jobs: Iterable[Job], *, seeds: str | None, matrix: Sequence[str], kinds: Kinds) -> list[Job]:
    """Return the jobs with the studies of the command line."""
    by_id, texts_by_target = {job.id: job for job in jobs}, dict[tuple[str, str], str]()
    for text in matrix:
        where, name, matching = target_jobs(list(by_id.values()), text, MATRIX, FORM, kinds)
        several = text.partition("=")[2]
        texts = [each.strip().strip('"') for each in VALUE.findall(several)]
        if several and VALUE.sub("", several) != "," * (len(texts) - 1):
            raise DeclarationError(f"{where}: expected {FORM}, found no value beside a comma")
        for job in (job for job in matching if not job.problem and meant(job.declared, name)):
            parameter, kind, study = find_parameter(job, name, where), kinds[job.kind], job.study or Study()
            values = tuple(convert_text(parameter, each, where, kind) for each in texts or [""])
            check_distinct(parameter.name, values, where)
            if (earlier := texts_by_target.setdefault((job.id, parameter.name), text)) != text:
                both = f"{MATRIX} {printable(earlier, 80)} and {MATRIX} {printable(text, 80)}"
                raise DeclarationError(f"{both}: both set {parameter.name} of {job.id}: give all values in one")
            study = replace(study, matrix=study.matrix | {parameter.name: values}, place=where)
            by_id[job.id] = checked(job, study, where)
    return [_with_seeds(job, seeds) for job in by_id.values()] if seeds is not None else list(by_id.values())


def _with_seeds(job: Job, text: str) -> Job:
    """Return the job with these seeds, or with a note why they would change nothing in it."""
    numbers = [int(part) if part.strip().isdecimal() else part for part in text.split(",")]
    seeds, study = read_seeds(numbers if len(numbers) > 1 else numbers[0], SEEDS), job.study or Study()
    why = no_seeds(job, study) or ("it has a search" if study.search else "")
    if why or job.problem:
        return replace(job, notes=(*job.notes, *([f"{SEEDS} not applied: {why}"] if why else [])))
    return checked(job, replace(study, seeds=seeds.seeds, seed_count=seeds.seed_count, place=SEEDS), SEEDS)


def expand_all(jobs: Sequence[Job], seed: int, kinds: Kinds, further: Iterable[str] = ()) -> list[Job]:
    """Return the trials and own jobs of studies in the place of their jobs; raise DeclarationError for a bad id.

    `further` are ids of jobs that exist besides.
    """
    expanded = [each for job in jobs for each in expand(job, kinds[job.kind], seed)]
    check_ids(expanded)
    ids = dict.fromkeys([*further, *(job.id for job in expanded)])
    for job in expanded:
        if missing := next((each for each in job.needs if each not in ids), None):
            raise DeclarationError(f"{job.source}: {job.id} needs {missing!r}: no such job: {one_of(missing, ids)}")
    return expanded


def as_trained(old: Job, job: Job) -> Job:
    """Return a job as it is now with the parameters of an earlier run, in which it may have been a trial or a study."""
    if old.study:
        return own_job(job, old.study, old.needs)
    job = trial(job, old.id, old.varied, old.seed) if old.trial_of else replace(job, study=None)
    values = {name: value for name, value in job.parameters.items() if name not in old.varied}
    return replace(job, parameters={**values, **old.parameters}, given=old.given)
