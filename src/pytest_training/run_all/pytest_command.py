"""The pytest command that does what a command line asks for."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_training.jobs.loading import DEFAULT_CATALOGUE
from pytest_training.jobs.search import PATTERNS, Search
from pytest_training.planning.request import Request
from pytest_training.project import Project
from pytest_training.run_all.arguments import Arguments

if TYPE_CHECKING:
    from pytest_training.run_all.selection import Selection

PLUGIN = "pytest_training.run_all.pytest_options"
TEST_NAME = "test_training_job"


def workers(arguments: Arguments, selection: Selection) -> int:
    """Return how many jobs are trained at a time."""
    return min(arguments.max_workers, len(selection.selected)) if arguments.parallel else 1


def pytest_arguments(arguments: Arguments, project: Project, selection: Selection, here: Path) -> list[str]:
    """Return pytest's arguments."""
    return [
        *_place(project, here),
        *_distribution(arguments, project, selection),
        *_parameters(selection.request),
        *_search(selection.request, project, here),
        *_further(selection.request.search, arguments),
        *(["-v"] if arguments.verbose else []),
        *_selected(project, selection, here),
    ]


def collecting_arguments(request: Request, arguments: Arguments, project: Project, here: Path) -> list[str]:
    """Return the arguments with which pytest collects every job that is asked for."""
    test = [] if project.test is None else [os.path.relpath(project.test, here)]
    return [*_place(project, here), *_search(request, project, here), *_further(request.search, arguments), *test]


def shown(arguments: list[str]) -> str:
    """Return the command as one types it into a shell."""
    return shlex.join(["pytest", *arguments])


def _place(project: Project, here: Path) -> Iterator[str]:
    if here == project.root:
        return
    if project.settings_file is not None:
        yield from ("-c", os.path.relpath(project.settings_file, here))
    else:
        yield from ("--rootdir", os.path.relpath(project.root, here))


def _distribution(arguments: Arguments, project: Project, selection: Selection) -> Iterator[str]:
    number = workers(arguments, selection)
    if number > 1:
        yield from ("-n", str(number))
    elif any(word.startswith(("-n", "--numprocesses")) for word in project.options):
        yield from ("-n", "0")


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
    if search.files.include != PATTERNS:
        yield from (f"--training-include={glob}" for glob in search.files.include)
    yield from (f"--training-exclude={regex}" for regex in search.files.exclude)


def _further(search: Search, arguments: Arguments) -> Iterator[str]:
    """Yield what pytest takes with a plugin of this folder."""
    words = [
        *([f"--training-limit={search.files.limit}"] if search.files.limit is not None else []),
        *(["--training-overrides"] if search.overrides else []),
        *(["--training-optional"] if search.optional else []),
        *([f"--training-retries={arguments.retries}"] if arguments.retries is not None else []),
        *(f"--training-argument={text}" for text in arguments.extra_arg),
    ]
    if words:
        yield from ("-p", PLUGIN, *words)


def _selected(project: Project, selection: Selection, here: Path) -> Iterator[str]:
    if project.test is None:
        if not selection.is_everything:
            yield from ("-p", PLUGIN, *(f"--training-job={job.id}" for job in selection.selected))
        return
    name = os.path.relpath(project.test, here)
    if selection.is_everything:
        yield name
    else:
        yield from (f"{name}::{_item(job.id)}" for job in selection.selected)


def _item(job_id: str) -> str:
    """Return the item's name: pytest escapes what is not ASCII."""
    return f"{TEST_NAME}[{job_id.encode('unicode_escape').decode('ascii')}]"
