"""The jobs that a command line selects: as a table, as commands, and as the pytest command that trains them."""

import contextlib
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct, structs
from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.jobs.kinds.protocol import Call, Command, Kinds
from pytest_training.jobs.loading import DEFAULT_CATALOGUE
from pytest_training.jobs.lookup import FileFilter, Lookup, checked_folders, is_usual_root, project_of
from pytest_training.jobs.model import Job
from pytest_training.jobs.values import meant
from pytest_training.planning import steps
from pytest_training.planning.steps import Draft, Request
from pytest_training.project import Project
from pytest_training.run_all.arguments import PARAMETERS, Arguments
from pytest_training.text import table
from pytest_training.wording import one_of

HOOKS = (b"pytest_training_register", b"pytest_training_jobs")
EVERY_FILE = "."  # what excludes every file: `--no-default-jobs` leaves the jobs of --config alone
PLUGIN = "pytest_training.run_all.pytest_options"
FURTHER = {
    "discovery_limit": "--training-limit",
    "allow_discovery_overrides": "--training-overrides",
    "mark_discovered_optional": "--training-optional",
    "retries": "--training-retries",
    "extra_arg": "--training-argument",
}
"""Flags without an option of pytest: the options that the plugin adds for them."""
TEST_NAME = "test_training_job"
FOLDER = "{folder}"  # stands for the job's own output folder, which has a name only once the run has an id


class NothingFoundError(DeclarationError):
    """Strict discovery found no job."""


class Selection(Struct, frozen=True):
    """The selected jobs and the request that led to them."""

    request: Request
    selected: Sequence[Job]
    is_everything: bool  # True if no job is left out


def request_of(arguments: Arguments, project: Project, here: Path) -> Request:
    """Return the request of the flags, without the parameters that depend on the jobs."""
    roots = [here / folder for folder in arguments.discover_root if not arguments.no_auto_discover]
    folders = list(checked_folders(roots, "--discover-root"))
    root, own_project, catalogue = project.training_root, project.root, project.catalogue
    catalogues = [here / arguments.config] if arguments.config else []
    exclude = list(arguments.exclude_regex)
    if arguments.no_default_jobs and folders:
        root, catalogue = folders.pop(0), None
        own_project = project_of(root, project.root, has_settings=project.settings_file is not None)
    elif arguments.no_default_jobs:
        exclude.append(EVERY_FILE)
        catalogue, catalogues = (catalogues[0] if catalogues else None), []
    is_usual, limit = is_usual_root(root, project.root), arguments.discovery_limit
    of_options = (arguments.include_pattern, exclude, "--exclude-regex")
    lookup = Lookup(
        files=FileFilter.of(*of_options, is_usual=is_usual and not roots, limit=limit),
        own=FileFilter.of((), (), "", is_usual=is_usual),
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
        lookup=lookup,
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
    request, conftest = draft.request, b""
    with contextlib.suppress(OSError):
        conftest = (project.root / "conftest.py").read_bytes()
    if any(hook in conftest for hook in HOOKS):  # jobs may be added or changed there: pytest has to collect them
        from pytest_training.run_all.session import collect_jobs  # noqa: PLC0415  (pytest is slow to load)

        everything = Selection(request, selected=(), is_everything=True)
        jobs, kinds = collect_jobs(pytest_arguments(arguments, project, everything, here))
        return replace(draft, request=replace(request, kinds=kinds), jobs=tuple(jobs))
    if EVERY_FILE in request.lookup.files.exclude and request.catalogue is None:
        return draft  # neither a folder nor a catalogue: there is no job
    draft = steps.load(draft)
    return replace(draft, jobs=tuple(with_flags(draft.jobs, request.kinds, arguments.extra_arg, arguments.retries)))


def with_flags(jobs: Sequence[Job], kinds: Kinds, arguments: Sequence[str], retries: int | None) -> list[Job]:
    """Return the jobs with the retries, and each program with the further arguments."""
    if arguments and not any(kinds[job.kind].is_program for job in jobs):
        raise DeclarationError("an extra argument applies to script and command jobs; no such job exists")
    changed = [job if retries is None else structs.replace(job, retries=retries) for job in jobs]
    more = {job.id: (*job.arguments, *arguments) for job in changed if kinds[job.kind].is_program}
    return [structs.replace(job, arguments=more.get(job.id, job.arguments)) for job in changed]


def _check_strictly(draft: Draft) -> None:
    lookup, root = draft.request.lookup, draft.request.root
    folders = lookup.folders or (() if EVERY_FILE in lookup.files.exclude else (root,))
    paths = [Path(job.path) for job in draft.jobs if job.path]
    if not any(path.is_relative_to(folder) for path in paths for folder in folders):
        places = ", ".join(map(str, folders)) or "no folder at all"
        raise NothingFoundError(f"strict discovery found no job in {places}")


def _settings(arguments: Arguments, jobs: Sequence[Job]) -> Iterator[str]:
    """Yield `--sample` and `--batch` as values of `--set`."""
    declared = {parameter.name for job in jobs for parameter in job.declared}
    for flag, names in PARAMETERS.items():
        if (number := getattr(arguments, flag)) is not None:
            reached = [name for name in names if name in declared] or names[:1]
            if not any(meant(job.declared, name) for name in reached for job in jobs):
                raise DeclarationError(f"--{flag}: no job has a parameter {' or '.join(names)}")
            yield from (f"*.{name}={number}" for name in reached)


def checked_ids(named: Sequence[str], jobs: Sequence[Job], flag: str) -> set[str]:
    """Return the ids that a flag names, and ids of a study's trials; raise DeclarationError for an unknown id."""
    ids = [job.id for job in jobs]
    for job_id in sorted({*named}.difference(ids)):
        raise DeclarationError(f"{flag}: no job {job_id!r}: {one_of(job_id, ids, limit=len(ids))}")
    return {job.id for job in jobs if job.id in named or job.trial_of in named}


def _selected(arguments: Arguments, jobs: Sequence[Job]) -> list[str]:
    ids = [job.id for job in jobs]
    only = checked_ids(arguments.only or ids, jobs, "--only")
    exclude = checked_ids(arguments.exclude or (), jobs, "--exclude")
    if not (selected := [job_id for job_id in ids if job_id in only and job_id not in exclude]):
        raise DeclarationError("--exclude leaves no job to train")
    return selected


def pytest_arguments(arguments: Arguments, project: Project, selection: Selection, here: Path) -> list[str]:
    """Return pytest's arguments."""
    request = selection.request
    further = [word for flag, option in FURTHER.items() for word in _words(option, getattr(arguments, flag))]
    return [
        *_place(project, here),
        *_distribution(arguments, project, selection),
        *(["--epochs", str(request.epochs)] if request.epochs is not None else []),
        *(["--folds", str(request.folds)] if request.folds is not None else []),
        *(word for setting in request.settings for word in ("--set", setting)),
        *_search(request, project, here),
        *(["-p", PLUGIN, *further] if further else []),
        *(["-v"] if arguments.verbose else []),
        *_tests(project, selection, here),
    ]


def _words(option: str, value: object) -> list[str]:
    """Return the words for a switch, a number or a list."""
    if isinstance(value, list):
        return [f"{option}={each}" for each in value]
    return [] if value is None or value is False else [option if value is True else f"{option}={value}"]


def _place(project: Project, here: Path) -> list[str]:
    option, place = ("-c", project.settings_file) if project.settings_file else ("--rootdir", project.root)
    return [] if here == project.root else [option, os.path.relpath(place, here)]


def _distribution(arguments: Arguments, project: Project, selection: Selection) -> list[str]:
    number = min(arguments.max_workers, len(selection.selected)) if arguments.parallel else 1
    is_several_by_default = any(word.startswith(("-n", "--numprocesses")) for word in project.options)
    return ["-n", str(number if number > 1 else 0)] if number > 1 or is_several_by_default else []


def _search(request: Request, project: Project, here: Path) -> Iterator[str]:
    if project.test is None or request.root != project.training_root:  # named, it is trained by the plugin's own test
        yield f"--training-root={os.path.relpath(request.root, here)}"
    lookup, catalogues = request.lookup, [request.catalogue]
    if lookup.catalogues:
        usual = request.root / DEFAULT_CATALOGUE
        catalogues = [request.catalogue or (usual if usual.is_file() else None), *lookup.catalogues]
    if catalogues != [project.catalogue]:
        yield from (f"--training-catalogue={os.path.relpath(file, here)}" for file in catalogues if file)
    yield from (f"--training-discover={os.path.relpath(folder, here)}" for folder in lookup.folders)
    is_usual = not lookup.folders and is_usual_root(request.root, project.root)
    if lookup.files.include != FileFilter.of((), (), "", is_usual=is_usual).include:
        yield from (f"--training-include={glob}" for glob in lookup.files.include)
    yield from (f"--training-exclude={regex}" for regex in lookup.files.exclude)


def _tests(project: Project, selection: Selection, here: Path) -> list[str]:
    ids = [] if selection.is_everything else [job.id for job in selection.selected]
    if project.test is None:
        return ["-p", PLUGIN, *(f"--training-job={job_id}" for job_id in ids)] if ids else []
    test = os.path.relpath(project.test, here)
    names = (job_id.encode("unicode_escape").decode("ascii") for job_id in ids)  # pytest escapes what is not ASCII
    return [f"{test}::{TEST_NAME}[{name}]" for name in names] or [test]


def listing(jobs: Sequence[Job], kinds: Kinds) -> Iterator[str]:
    """Yield a table: each job's id, script, and the parameters of the command line that it takes."""
    yield f"{len(jobs)} job{'' if len(jobs) == 1 else 's'}"
    rows = []
    for job in jobs:
        remarks = ["optional" if job.optional else "", f"cannot run: {job.problem}" if job.problem else ""]
        rows.append((job.id, job.source, ", ".join(_takes(job, kinds)) or "-", ", ".join(filter(None, remarks))))
    yield from table(("id", "script", "takes", ""), rows)


def _takes(job: Job, kinds: Kinds) -> Iterator[str]:
    for word, spelled in (("epochs", ("epochs",)), ("folds", ("folds",)), *PARAMETERS.items()):
        if any(meant(job.declared, each) for each in spelled):
            yield word
    start = kinds[job.kind].start(job, folder=FOLDER, seed=0) if not job.study else Command(argv=())
    if isinstance(start, Call) or job.output_option or any(FOLDER in argument for argument in start.argv):
        yield "output"


def dry_run(selected: Sequence[Job], kinds: Kinds) -> Iterator[str]:
    """Yield a line for each job that would be trained."""
    yield f"Selected jobs: {len(selected)}"
    for job in selected:
        yield f"[{job.id}] (dry-run) Command: {command_of(job, kinds, folder=FOLDER, seed=0)}"


def command_of(job: Job, kinds: Kinds, *, folder: str, seed: int) -> str:
    """Return the exact command of a program, or the call of a function."""
    if job.problem or job.study:
        return f"none: {job.problem or 'it is judged from its trials'}"
    start = kinds[job.kind].start(job, folder=folder, seed=seed)
    if isinstance(start, Call):
        values = ", ".join(["run", *(f"{name}={value!r}" for name, value in job.parameters.items())])
        return f"{Path(start.path).stem}.{start.function}({values})"
    return shlex.join(start.argv).replace(f"'{FOLDER}'", FOLDER)
