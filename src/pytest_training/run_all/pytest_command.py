"""The pytest command that is equivalent to a command line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_training.jobs.loading import DEFAULT_CATALOGUE
from pytest_training.jobs.search import PATTERNS
from pytest_training.planning.request import Request
from pytest_training.project import Project
from pytest_training.run_all.arguments import Arguments

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
    if search.files.include != PATTERNS:
        yield from (f"--training-include={glob}" for glob in search.files.include)
    yield from (f"--training-exclude={regex}" for regex in search.files.exclude)


def _selected(project: Project, selection: Selection, here: Path) -> list[str]:
    ids = [] if selection.is_everything else [job.id for job in selection.selected]
    if project.test is None:
        return ["-p", PLUGIN, *(f"--training-job={job_id}" for job_id in ids)] if ids else []
    test = os.path.relpath(project.test, here)
    names = (job_id.encode("unicode_escape").decode("ascii") for job_id in ids)  # pytest escapes what is not ASCII
    return [f"{test}::{TEST_NAME}[{name}]" for name in names] or [test]
