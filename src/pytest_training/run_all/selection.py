"""Which jobs a command line selects, with their final parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_training.errors import DeclarationError
from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.model import Job
from pytest_training.jobs.search import PATTERNS, FileFilter, Search, checked_folders, checked_pattern, project_of
from pytest_training.planning.parameters import apply_options, missing_parameters, note_missing
from pytest_training.project import Project
from pytest_training.run_all.arguments import Arguments
from pytest_training.wording import nearest_first

PARAMETERS = {"sample": ("sample", "samples", "sample_size"), "batch": ("batch", "batch_size")}
"""Parameters that `--sample` and `--batch` set, wherever a job has one."""


class NothingFoundError(DeclarationError):
    """Strict discovery found no job."""


@dataclass(frozen=True)
class Selection:
    """The jobs, and which of them are to be trained."""

    jobs: list[Job]
    selected: list[Job]
    settings: tuple[str, ...] = ()
    """What `--set` of pytest sets."""

    @property
    def is_everything(self) -> bool:
        """Whether no job is left out."""
        return len(self.selected) == len(self.jobs)


def search_of(arguments: Arguments, project: Project, here: Path) -> tuple[Path, Path, Path | None, Search]:
    """Return training root, project root, its catalogue and the search, as the plugin reads them from its options."""
    further = [] if arguments.no_auto_discover else [here / folder for folder in arguments.discover_root]
    checked_folders(further, "--discover-root")
    root, own_project, catalogue = project.training_root, project.root, project.catalogue
    catalogues = [here / arguments.config] if arguments.config else []
    is_on = True
    if arguments.no_default_jobs:
        catalogue = None
        if further:
            root = further.pop(0)
            own_project = project_of(root, project.root, known=project.settings_file is not None)
        else:
            is_on = False
            catalogue, catalogues = (catalogues[0], []) if catalogues else (None, [])
    return (
        root,
        own_project,
        catalogue,
        Search(
            files=FileFilter(
                include=tuple(arguments.include_pattern) or PATTERNS,
                exclude=tuple(checked_pattern(regex, "--exclude-regex") for regex in arguments.exclude_regex),
                limit=arguments.discovery_limit,
            ),
            folders=tuple(further),
            is_on=is_on,
            overrides=arguments.allow_discovery_overrides,
            optional=arguments.mark_discovered_optional,
            catalogues=tuple(catalogues),
            arguments=tuple(arguments.extra_arg),
            retries=arguments.retries,
        ),
    )


def select(arguments: Arguments, project: Project, here: Path) -> Selection:
    """Load every job and pick the selected ones; what cannot be is a `DeclarationError`."""
    root, own_project, catalogue, search = search_of(arguments, project, here)
    jobs, _ = load_jobs(root, own_project, catalogue, search)
    if arguments.strict_discovery:
        _check_found(jobs, root, search)
    if not jobs:
        raise DeclarationError(f"no training jobs: expected files like train_als.py in {root}")
    settings = tuple(_settings(arguments, jobs))
    jobs = note_missing(apply_options(jobs, epochs=arguments.epochs, folds=arguments.folds, settings=settings))
    selected = _selected(arguments, jobs)
    if not arguments.list_jobs:
        missing_parameters(selected)
    return Selection(jobs, selected, settings)


def _check_found(jobs: Sequence[Job], root: Path, search: Search) -> None:
    folders = search.folders or ((root,) if search.is_on else ())
    found = [job for job in jobs if job.path and any(Path(job.path).is_relative_to(folder) for folder in folders)]
    if not found:
        raise NothingFoundError(
            f"strict discovery found no job in {', '.join(map(str, folders)) or 'no folder at all'}"
        )


def _settings(arguments: Arguments, jobs: Sequence[Job]) -> list[str]:
    """Return `--set` for `--sample` and `--batch`."""
    settings = []
    known = {parameter.name for job in jobs for parameter in job.declared}
    for flag, names in PARAMETERS.items():
        number = getattr(arguments, flag)
        having = [name for name in names if name in known]
        if number is not None and not having:
            raise DeclarationError(f"--{flag}: no job has a parameter {' or '.join(names)}")
        settings += [f"*.{name}={number}" for name in having if number is not None]
    return settings


def _selected(arguments: Arguments, jobs: list[Job]) -> list[Job]:
    known = {job.id for job in jobs}
    for flag, ids in (("--only", arguments.only), ("--exclude", arguments.exclude)):
        for job_id in ids or ():
            if job_id not in known:
                exist = ", ".join(nearest_first(job_id, [job.id for job in jobs]))
                raise DeclarationError(f"{flag}: no job {job_id!r}: expected some of {exist}")
    only, exclude = set(arguments.only or known), set(arguments.exclude or ())
    selected = [job for job in jobs if job.id in only and job.id not in exclude]
    if not selected:
        raise DeclarationError("--exclude leaves no job to train")
    return selected
