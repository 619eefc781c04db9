"""The jobs that a command line selects, with their final parameters."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.model import Job
from pytest_training.jobs.search import (
    DEFAULT_ROOT,
    FileFilter,
    Search,
    checked_folders,
    checked_pattern,
    included,
    project_of,
)
from pytest_training.planning import steps
from pytest_training.planning.steps import Draft, Request
from pytest_training.project import Project
from pytest_training.run_all.arguments import PARAMETERS, Arguments
from pytest_training.run_all.pytest_command import pytest_arguments
from pytest_training.wording import one_of

HOOKS = (b"pytest_training_register", b"pytest_training_jobs")
EVERY_FILE = "."  # what excludes every file: `--no-default-jobs` leaves the jobs of --config alone


class NothingFoundError(DeclarationError):
    """Strict discovery found no job."""


@dataclass(frozen=True)
class Selection:
    """The selected jobs and the request that led to them."""

    request: Request
    selected: Sequence[Job]
    is_everything: bool
    """True if no job is left out."""


def request_of(arguments: Arguments, project: Project, here: Path) -> Request:
    """Return the request of the flags, without the parameters that depend on the jobs."""
    roots = [here / folder for folder in arguments.discover_root if not arguments.no_auto_discover]
    folders = list(checked_folders(roots, "--discover-root"))
    root, own_project, catalogue = project.training_root, project.root, project.catalogue
    catalogues = [here / arguments.config] if arguments.config else []
    exclude = [checked_pattern(regex, "--exclude-regex") for regex in arguments.exclude_regex]
    if arguments.no_default_jobs and folders:
        root, catalogue = folders.pop(0), None
        own_project = project_of(root, project.root, has_settings=project.settings_file is not None)
    elif arguments.no_default_jobs:
        exclude.append(EVERY_FILE)
        catalogue, catalogues = (catalogues[0] if catalogues else None), []
    is_usual = not roots and project.training_root == project.root / DEFAULT_ROOT
    include = included(arguments.include_pattern, is_default=is_usual)
    search = Search(
        files=FileFilter(include=include, exclude=tuple(exclude), limit=arguments.discovery_limit),
        folders=tuple(folders),
        overrides=arguments.allow_discovery_overrides,
        optional=arguments.mark_discovered_optional,
        catalogues=tuple(catalogues),
    )
    return Request(
        project=own_project,
        root=root,
        catalogue=catalogue,
        reports=project.reports,
        epochs=arguments.epochs,
        folds=arguments.folds,
        search=search,
    )


def select(arguments: Arguments, project: Project, here: Path) -> Selection:
    """Load every job and select; raise DeclarationError for a mistake."""
    draft = _load(Draft(request=request_of(arguments, project, here)), arguments, project, here)
    if arguments.strict_discovery:
        _check_strictly(draft)
    settings = tuple(_settings(arguments, draft.jobs))
    draft = steps.advance(replace(draft, request=replace(draft.request, settings=settings)), steps.PREPARE)
    selected = steps.select(replace(draft, selected=tuple(_selected(arguments, draft.jobs)))).jobs
    return Selection(draft.request, selected, len(selected) == len(draft.jobs))


def _load(draft: Draft, arguments: Arguments, project: Project, here: Path) -> Draft:
    request = draft.request
    if _has_hooks(project):
        from pytest_training.run_all.session import collect_jobs  # noqa: PLC0415  (pytest is slow to load)

        everything = Selection(request, selected=(), is_everything=True)
        jobs, kinds = collect_jobs(pytest_arguments(arguments, project, everything, here))
        return replace(draft, request=replace(request, kinds=kinds), jobs=tuple(jobs))
    if EVERY_FILE in request.search.files.exclude and request.catalogue is None:
        return draft  # neither a folder nor a catalogue: there is no job
    draft = steps.load(draft)
    return replace(draft, jobs=tuple(with_flags(draft.jobs, request.kinds, arguments.extra_arg, arguments.retries)))


def with_flags(jobs: Sequence[Job], kinds: Kinds, arguments: Sequence[str], retries: int | None) -> list[Job]:
    """Return the jobs with the retries, and each program with the further arguments."""
    if arguments and not any(kinds[job.kind].is_program for job in jobs):
        raise DeclarationError("an extra argument applies to script and command jobs; no such job exists")
    changed = [job if retries is None else msgspec.structs.replace(job, retries=retries) for job in jobs]
    return [
        msgspec.structs.replace(job, arguments=(*job.arguments, *arguments)) if kinds[job.kind].is_program else job
        for job in changed
    ]


def _has_hooks(project: Project) -> bool:
    """Return True if the project's conftest.py may add or change jobs, so that pytest has to collect them."""
    with contextlib.suppress(OSError):
        text = (project.root / "conftest.py").read_bytes()
        return any(hook in text for hook in HOOKS)
    return False


def _check_strictly(draft: Draft) -> None:
    search, root = draft.request.search, draft.request.root
    folders = search.folders or (() if EVERY_FILE in search.files.exclude else (root,))
    paths = [Path(job.path) for job in draft.jobs if job.path]
    if not any(path.is_relative_to(folder) for path in paths for folder in folders):
        places = ", ".join(map(str, folders)) or "no folder at all"
        raise NothingFoundError(f"strict discovery found no job in {places}")


def _settings(arguments: Arguments, jobs: Sequence[Job]) -> Iterator[str]:
    """Yield `--sample` and `--batch` as values of `--set`."""
    declared = {parameter.name for job in jobs for parameter in job.declared}
    for flag, names in PARAMETERS.items():
        if (number := getattr(arguments, flag)) is not None:
            if not declared.intersection(names):
                raise DeclarationError(f"--{flag}: no job has a parameter {' or '.join(names)}")
            yield from (f"*.{name}={number}" for name in names if name in declared)


def checked_ids(named: Sequence[str], ids: Sequence[str], flag: str) -> set[str]:
    """Return the ids that a flag names, or raise DeclarationError if there is no such job."""
    for job_id in sorted({*named}.difference(ids)):
        raise DeclarationError(f"{flag}: no job {job_id!r}: {one_of(job_id, ids, limit=len(ids))}")
    return set(named)


def _selected(arguments: Arguments, jobs: Sequence[Job]) -> list[str]:
    ids = [job.id for job in jobs]
    only = checked_ids(arguments.only or ids, ids, "--only")
    exclude = checked_ids(arguments.exclude or (), ids, "--exclude")
    selected = [job_id for job_id in ids if job_id in only and job_id not in exclude]
    if not selected:
        raise DeclarationError("--exclude leaves no job to train")
    return selected
