"""What a command line stands for: the table of `--list`, the commands of `--dry-run`, the equivalent pytest command."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_training.jobs.kinds.protocol import Call, Kinds
from pytest_training.jobs.loading import DEFAULT_CATALOGUE
from pytest_training.jobs.model import Job
from pytest_training.jobs.search import PATTERNS, READING
from pytest_training.planning.steps import Request
from pytest_training.project import Project
from pytest_training.run_all.arguments import PARAMETERS, Arguments
from pytest_training.text import table

if TYPE_CHECKING:
    from pytest_training.run_all.selection import Selection

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


def pytest_arguments(arguments: Arguments, project: Project, selection: Selection, here: Path) -> list[str]:
    """Return pytest's arguments."""
    further = [word for flag, option in FURTHER.items() for word in _words(option, getattr(arguments, flag))]
    return [
        *_place(project, here),
        *_distribution(arguments, project, selection),
        *_parameters(selection.request),
        *_search(selection.request, project, here),
        *(["-p", PLUGIN, *further] if further else []),
        *(["-v"] if arguments.verbose else []),
        *_selected(project, selection, here),
    ]


def _words(option: str, value: object) -> list[str]:
    """Return the words for a switch, a number or a list."""
    if isinstance(value, list):
        return [f"{option}={each}" for each in value]
    return [] if value is None or value is False else [option if value is True else f"{option}={value}"]


def _place(project: Project, here: Path) -> list[str]:
    if here == project.root:
        return []
    if project.settings_file is not None:
        return ["-c", os.path.relpath(project.settings_file, here)]
    return ["--rootdir", os.path.relpath(project.root, here)]


def _distribution(arguments: Arguments, project: Project, selection: Selection) -> list[str]:
    number = min(arguments.max_workers, len(selection.selected)) if arguments.parallel else 1
    if number > 1:
        return ["-n", str(number)]
    return ["-n", "0"] if any(word.startswith(("-n", "--numprocesses")) for word in project.options) else []


def _parameters(request: Request) -> Iterator[str]:
    for name, number in (("epochs", request.epochs), ("folds", request.folds)):
        if number is not None:
            yield from (f"--{name}", str(number))
    for setting in request.settings:
        yield from ("--set", setting)


def _search(request: Request, project: Project, here: Path) -> Iterator[str]:
    if project.test is None or request.root != project.training_root:  # named, it is trained by the plugin's own test
        yield f"--training-root={os.path.relpath(request.root, here)}"
    search, catalogues = request.search, [request.catalogue]
    if search.catalogues:
        usual = request.root / DEFAULT_CATALOGUE
        catalogues = [request.catalogue or (usual if usual.is_file() else None), *search.catalogues]
    if catalogues != [project.catalogue]:
        yield from (f"--training-catalogue={os.path.relpath(file, here)}" for file in catalogues if file)
    yield from (f"--training-discover={os.path.relpath(folder, here)}" for folder in search.folders)
    if search.files.include not in {PATTERNS, (READING,)}:
        yield from (f"--training-include={glob}" for glob in search.files.include)
    yield from (f"--training-exclude={regex}" for regex in search.files.exclude)


def _selected(project: Project, selection: Selection, here: Path) -> list[str]:
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
        remarks = filter(
            None, ["optional" if job.optional else "", f"cannot run: {job.problem}" if job.problem else ""]
        )
        rows.append((job.id, job.source, ", ".join(_takes(job, kinds)) or "-", ", ".join(remarks)))
    yield from table(("id", "script", "takes", ""), rows)


def _takes(job: Job, kinds: Kinds) -> Iterator[str]:
    names = {parameter.name for parameter in job.declared}
    for word, spelled in (("epochs", ("epochs",)), ("folds", ("folds",)), *PARAMETERS.items()):
        if names.intersection(spelled):
            yield word
    start = kinds[job.kind].start(job, folder=FOLDER, seed=0)
    if isinstance(start, Call) or job.output_option or any(FOLDER in argument for argument in start.argv):
        yield "output"


def dry_run(selected: Sequence[Job], kinds: Kinds) -> Iterator[str]:
    """Yield a line for each job that would be trained."""
    yield f"Selected jobs: {len(selected)}"
    for job in selected:
        yield f"[{job.id}] (dry-run) Command: {command_of(job, kinds, folder=FOLDER, seed=0)}"


def command_of(job: Job, kinds: Kinds, *, folder: str, seed: int) -> str:
    """Return the exact command of a program, or the call of a function."""
    if job.problem:
        return f"none: {job.problem}"
    start = kinds[job.kind].start(job, folder=folder, seed=seed)
    if isinstance(start, Call):
        values = ", ".join(["run", *(f"{name}={value!r}" for name, value in job.parameters.items())])
        return f"{Path(start.path).stem}.{start.function}({values})"
    return shlex.join(start.argv).replace(f"'{FOLDER}'", FOLDER)
