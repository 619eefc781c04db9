"""The pytest command that does what a command line asks for."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from pytest_training.project import Project
from pytest_training.run_all.arguments import Arguments
from pytest_training.run_all.selection import Selection

TEST_NAME = "test_training_job"


def workers(arguments: Arguments, selection: Selection) -> int:
    """Return how many jobs are trained at a time."""
    return min(arguments.max_workers, len(selection.selected)) if arguments.parallel else 1


def pytest_arguments(arguments: Arguments, project: Project, selection: Selection, here: Path) -> list[str]:
    """Return pytest's arguments."""
    return [
        *_place(project, here),
        *_distribution(arguments, project, selection),
        *_parameters(arguments, selection),
        *_discovery(arguments, project, here),
        *(["-v"] if arguments.verbose else []),
        *_selected(project, selection, here),
    ]


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


def _parameters(arguments: Arguments, selection: Selection) -> Iterator[str]:
    for name in ("epochs", "folds"):
        if (number := getattr(arguments, name)) is not None:
            yield from (f"--{name}", str(number))
    for setting in selection.settings:
        yield from ("--set", setting)
    if arguments.retries is not None:
        yield from ("--training-retries", str(arguments.retries))
    yield from (f"--training-argument={text}" for text in arguments.extra_arg)


def _discovery(arguments: Arguments, project: Project, here: Path) -> Iterator[str]:
    further = [] if arguments.no_auto_discover else list(arguments.discover_root)
    config = str(arguments.config) if arguments.config else None
    if not arguments.no_default_jobs:
        if project.test is None:  # named on the command line, the folder is trained by the plugin's own test
            yield f"--training-root={os.path.relpath(project.training_root, here)}"
    elif further:
        yield f"--training-root={further.pop(0)}"
    else:
        yield "--training-no-discovery"
        if config:
            yield f"--training-catalogue={config}"
            config = None
    if config:
        yield f"--training-add-catalogue={config}"
    yield from (f"--training-discover={folder}" for folder in further)
    yield from (f"--training-include={glob}" for glob in arguments.include_pattern)
    yield from (f"--training-exclude={regex}" for regex in arguments.exclude_regex)
    if arguments.discovery_limit is not None:
        yield f"--training-limit={arguments.discovery_limit}"
    if arguments.allow_discovery_overrides:
        yield "--training-overrides"
    if arguments.mark_discovered_optional:
        yield "--training-optional"


def _selected(project: Project, selection: Selection, here: Path) -> Iterator[str]:
    if project.test is None:
        chosen = () if selection.is_everything else selection.selected
        yield from (f"--training-job={job.id}" for job in chosen)
        return
    name = os.path.relpath(project.test, here)
    if selection.is_everything:
        yield name
    else:
        yield from (f"{name}::{_item(job.id)}" for job in selection.selected)


def _item(job_id: str) -> str:
    """Return the item's name: pytest escapes what is not ASCII."""
    return f"{TEST_NAME}[{job_id.encode('unicode_escape').decode('ascii')}]"
