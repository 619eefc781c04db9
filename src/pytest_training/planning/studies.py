"""Studies in a plan: `--training-seeds`, `--training-matrix`, and trials in the place of the jobs that have them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.jobs.catalogue.studies import check_distinct, no_seeds, read_seeds
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.loading import check_ids
from pytest_training.jobs.model import Job, Study
from pytest_training.jobs.trials import MOST_TRIALS, expand, own_job, trial
from pytest_training.jobs.values import convert_text, find_parameter, meant
from pytest_training.planning.parameters import target_jobs
from pytest_training.wording import one_of

SEEDS, MATRIX = "--training-seeds", "--training-matrix"
FORM = "JOB.PARAMETER=VALUE,VALUE, like forest.trees=10,50"
VALUE = re.compile(r'(?:"[^"]*"|\[[^\]]*\]|\{[^}]*\}|[^,])+')  # commas inside lists, mappings and quotes are theirs


def with_options(jobs: Iterable[Job], *, seeds: str | None, matrix: Sequence[str], kinds: Kinds) -> list[Job]:
    """Return the jobs with the studies that the command line asks for."""
    jobs = list(jobs)
    values: dict[str, dict[str, tuple[Any, ...]]] = {}
    for text in matrix:
        where, name, matching = target_jobs(jobs, text, MATRIX, FORM, kinds)
        for job in (job for job in matching if not job.problem and meant(job.declared, name)):
            parameter = find_parameter(job, name, where, kinds[job.kind])
            texts = [each.strip().strip('"') for each in VALUE.findall(text.partition("=")[2])]
            several = [convert_text(parameter, each, where, kinds[job.kind]) for each in texts]
            if not several:
                raise DeclarationError(f"{where}: expected {FORM}")
            check_distinct(parameter.name, several, where)
            values.setdefault(job.id, {})[parameter.name] = tuple(several)
    jobs = [_with_matrix(job, values[job.id]) if job.id in values else job for job in jobs]
    return [_with_seeds(job, seeds) for job in jobs] if seeds else jobs


def _with_matrix(job: Job, values: Mapping[str, tuple[Any, ...]]) -> Job:
    study = job.study or Study()
    if study.search:
        raise DeclarationError(f"{MATRIX}: {job.id} has a search ({study.place}): expected either search or matrix")
    study = replace(study, matrix=study.matrix | dict(values), place=MATRIX)
    if (study.seeds or study.seed_count) and (why := no_seeds(job, study)):
        raise DeclarationError(f"{MATRIX}: {job.id} has seeds: {why}")
    return _checked(job, study)


def _with_seeds(job: Job, text: str) -> Job:
    """Return the job with these seeds, or with a note why they would change nothing in it."""
    numbers = [int(part) if part.strip().isdecimal() else part for part in text.split(",") if part.strip()]
    seeds = read_seeds(numbers[0] if len(numbers) == 1 and "," not in text else numbers, SEEDS)
    study = replace(job.study or Study(), seeds=seeds.seeds, seed_count=seeds.seed_count, place=SEEDS)
    if job.problem:
        return job
    if why := no_seeds(job, study):
        return replace(job, notes=(*job.notes, f"{SEEDS} not applied: {why}"))
    return _checked(job, study)


def _checked(job: Job, study: Study) -> Job:
    if study.size > MOST_TRIALS:
        raise DeclarationError(f"{study.place}: expected at most {MOST_TRIALS} trials of {job.id}, found {study.size}")
    return replace(job, study=study)


def expand_all(jobs: Sequence[Job], seed: int, kinds: Kinds) -> list[Job]:
    """Return the trials and own jobs of studies in the place of their jobs; raise DeclarationError for a bad id."""
    if not any(job.study for job in jobs):
        return list(jobs)
    expanded = [each for job in jobs for each in expand(job, kinds[job.kind], seed)]
    check_ids(expanded)
    ids = {job.id: None for job in expanded}
    for job in expanded:
        if missing := next((each for each in job.needs if each not in ids), None):
            raise DeclarationError(f"{job.source}: {job.id} needs {missing!r}: no such job: {one_of(missing, ids)}")
    return expanded


def as_trained(old: Job, job: Job) -> Job:
    """Return a job as it is now with the parameters of an earlier run, in which it may have been a trial or a study."""
    if old.study:
        return own_job(job, old.study, old.needs)
    job = trial(job, old.id, old.varied, old.seed) if old.trial_of else replace(job, study=None)
    return replace(job, parameters={**job.parameters, **old.parameters}, given=old.given)
