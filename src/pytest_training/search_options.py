"""The options that say where jobs are found, for folders that nobody prepared for the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_training.jobs.search import Search


def add_search_options(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("training")
    group.addoption(
        "--training-discover", action="append", metavar="DIR", help="a further folder with jobs (may be repeated)"
    )
    group.addoption(
        "--training-include",
        action="append",
        metavar="PATTERN",
        help="files that are jobs (default: train_*.py); with --training-discover, in the further folders",
    )
    group.addoption(
        "--training-exclude", action="append", metavar="REGEX", help="files that are no jobs, by their path"
    )
    group.addoption("--training-limit", metavar="N", help="at most N jobs of a folder")
    group.addoption(
        "--training-no-discovery", action="store_true", help="take the jobs that catalogues add, and no others"
    )
    group.addoption(
        "--training-overrides",
        action="store_true",
        help="a job of a further folder takes the place of one with its id (default: it gets an id of its own)",
    )
    group.addoption("--training-optional", action="store_true", help="jobs of further folders are optional")
    group.addoption(
        "--training-add-catalogue", action="append", metavar="FILE", help="a catalogue to apply after the project's own"
    )
    group.addoption(
        "--training-argument", action="append", metavar="TEXT", help="an extra argument for every script and command"
    )
    group.addoption(
        "--training-job", action="append", metavar="ID", help="train the job with exactly this id (may be repeated)"
    )
    group.addoption("--training-retries", metavar="N", help="retries of every job")
    parser.addini("training_include", "files that are jobs", type="args", default=[])
    parser.addini("training_exclude", "files that are no jobs, by their path", type="args", default=[])


def is_asked_for(config: pytest.Config) -> bool:
    """Whether the command line names jobs outside the training folder, or other files than usual."""
    given = config.known_args_namespace
    return bool(given.training_discover or given.training_add_catalogue or given.training_include)


def read_search(config: pytest.Config) -> Search:
    """Read the options; a value that cannot be is a `pytest.UsageError`."""
    from pytest_training.errors import DeclarationError  # noqa: PLC0415  (only where there is something to train)
    from pytest_training.jobs.search import PATTERNS, FileFilter, Search, checked_folders, checked_pattern  # noqa: PLC0415

    here = config.invocation_params.dir
    include = config.getoption("--training-include") or config.getini("training_include") or PATTERNS
    exclude = config.getoption("--training-exclude") or config.getini("training_exclude")
    folders = [here / str(folder) for folder in config.getoption("--training-discover") or ()]
    try:
        return Search(
            files=FileFilter(
                include=tuple(include),
                exclude=tuple(checked_pattern(pattern, "--training-exclude") for pattern in exclude),
                limit=_count(config, "--training-limit", minimum=1),
            ),
            folders=checked_folders(folders, "--training-discover"),
            is_on=not config.getoption("--training-no-discovery"),
            overrides=bool(config.getoption("--training-overrides")),
            optional=bool(config.getoption("--training-optional")),
            catalogues=tuple(here / str(file) for file in config.getoption("--training-add-catalogue") or ()),
            arguments=tuple(config.getoption("--training-argument") or ()),
            only=tuple(config.getoption("--training-job") or ()),
            retries=_count(config, "--training-retries", minimum=0),
        )
    except DeclarationError as error:
        raise pytest.UsageError(str(error)) from None


def _count(config: pytest.Config, name: str, *, minimum: int) -> int | None:
    value = config.getoption(name)
    if value is None:
        return None
    if not str(value).isdecimal() or int(value) < minimum:
        raise pytest.UsageError(f"{name}: expected a whole number of at least {minimum}, found {value!r}")
    return int(value)
