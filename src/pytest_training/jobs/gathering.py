"""The jobs of the training folder, then those of further folders and catalogues, under ids of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.jobs.discovery import absolute, discover
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.model import Dataset, Job
from pytest_training.jobs.search import FileFilter, Search, project_of

DEFAULT_CATALOGUE = "jobs.yaml"


class Loaded(NamedTuple):
    """Jobs, and the datasets that catalogues declare."""

    jobs: list[Job]
    datasets: list[Dataset]


def gather(
    training_root: Path, project_root: Path, catalogue: Path | None, search: Search, kinds: Kinds = KINDS
) -> Loaded:
    """Return the jobs and datasets of a project; a catalogue that is named must exist."""
    loaded = _load_folder(training_root, project_root, catalogue, search.own_files if search.is_on else None, kinds)
    for folder in search.folders:
        found = _load_folder(folder, project_of(folder, project_root), None, search.files, kinds)
        loaded = _joined(loaded, found, folder, search)
    for path in search.catalogues:
        loaded = _apply(path, loaded, training_root, project_root, kinds)
    return Loaded(_with_options(loaded.jobs, search, kinds), loaded.datasets)


def _load_folder(folder: Path, project: Path, catalogue: Path | None, files: FileFilter | None, kinds: Kinds) -> Loaded:
    jobs = [] if files is None else discover(folder, project, files, kinds)
    path = absolute(catalogue) if catalogue else absolute(folder) / DEFAULT_CATALOGUE
    if catalogue is None and (files is None or not path.is_file()):
        return Loaded(jobs, [])
    return _apply(path, Loaded(jobs, []), folder, project, kinds)


def _apply(path: Path, loaded: Loaded, folder: Path, project: Path, kinds: Kinds) -> Loaded:
    if not path.is_file():
        raise DeclarationError(f"{path}: no such catalogue: expected a YAML file like training/jobs.yaml")
    from pytest_training.jobs.catalogue.load import apply_catalogue, load_catalogue  # noqa: PLC0415 - spares its import

    read = load_catalogue(path, training_root=folder, project_root=project)
    jobs = apply_catalogue(loaded.jobs, read, kinds)
    return Loaded(jobs, _all_datasets(loaded.datasets, read.datasets))


def _all_datasets(known: Sequence[Dataset], new: Sequence[Dataset]) -> list[Dataset]:
    names = {dataset.name: dataset for dataset in known}
    for dataset in new:
        if dataset.name in names:
            first, second = names[dataset.name], dataset
            raise DeclarationError(f"{second.declared}: the dataset {dataset.name!r} is declared at {first.declared}")
    return [*known, *new]


def _joined(loaded: Loaded, found: Loaded, folder: Path, search: Search) -> Loaded:
    """Add the jobs of a further folder; a file that is a job already adds none, and no id stands for two jobs."""
    files = {os.path.realpath(job.path) for job in loaded.jobs if job.path}
    new = [job for job in found.jobs if job.path is None or os.path.realpath(job.path) not in files]
    if search.optional:
        new = [msgspec.structs.replace(job, optional=True) for job in new]
    kept = loaded.jobs
    if search.overrides:
        replaced = {job.id for job in new}
        kept = [job for job in loaded.jobs if job.id not in replaced]
    renamed = _unique_ids(new, {job.id for job in kept}, absolute(folder).name)
    return Loaded([*kept, *renamed], _all_datasets(loaded.datasets, found.datasets))


def _unique_ids(jobs: Sequence[Job], taken: set[str], folder: str) -> Iterator[Job]:
    """Put the folder's name, and where that is not enough a number, before ids that are taken."""
    taken = set(taken)
    names: dict[str, str] = {}
    for job in jobs:
        candidates = (job.id, f"{folder}/{job.id}", *(f"{folder}-{number}/{job.id}" for number in range(2, 10_000)))
        names[job.id] = next(name for name in candidates if name not in taken)
        taken.add(names[job.id])
    for job in jobs:
        needs = tuple(names.get(needed, needed) for needed in job.needs)
        yield msgspec.structs.replace(job, id=names[job.id], needs=needs)


def _with_options(jobs: list[Job], search: Search, kinds: Kinds) -> list[Job]:
    if search.arguments:
        scripts = [job for job in jobs if kinds[job.kind].is_program]
        if not scripts:
            raise DeclarationError("an extra argument goes to scripts and commands, and there is none of these")
        extended = {job.id: (*job.arguments, *search.arguments) for job in scripts}
        jobs = [msgspec.structs.replace(job, arguments=extended.get(job.id, job.arguments)) for job in jobs]
    if search.retries is not None:
        jobs = [msgspec.structs.replace(job, retries=search.retries) for job in jobs]
    return jobs
