"""What the command line names: tests, or files and folders of jobs, in whose place a test that trains is collected.

`pytest training/train_als.py` has the node ids of `pytest`: job files are never collected, let alone imported.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from pytest_training.fixture import FIXTURE, SHIPPED_TEST
from pytest_training.jobs.discovery import absolute, suffixes_of
from pytest_training.jobs.model import Job
from pytest_training.jobs.search import FileFilter
from pytest_training.option_values import read_search
from pytest_training.options import (
    REGISTRY,
    folder_of,
    holds_jobs,
    is_asked_for,
    named_path,
    project_folder,
    shown_path,
)
from pytest_training.pytest_adapter import matches
from pytest_training.wording import one_of

NAMED = pytest.StashKey[tuple[list[str], set[Path]]]()
"""On config, if the command line names files or folders of jobs: these, and the tests that are collected for them."""
PLACES = pytest.StashKey[Sequence[tuple[Path, FileFilter]]]()


def settle_arguments(config: pytest.Config) -> None:
    """Collect the test that trains where the command line names jobs, but no test for them."""
    is_typed = config.args_source == pytest.Config.ArgsSource.ARGS
    if not is_typed and (is_asked_for(config) or config.known_args_namespace.training_root):
        config.args[:] = training_tests(config)
        return
    named = [argument for argument in config.args if _names_jobs(config, named_path(config, argument))]
    if not named:
        return
    tests = training_tests(config)
    others = [argument for argument in config.args if argument not in named]
    folders = [argument for argument in named if named_path(config, argument).is_dir()]  # with tests of their own
    beside = [each for each in others if any(Path(test).is_relative_to(named_path(config, each)) for test in tests)]
    if both := next((each for each in beside if "::" in each), None):
        raise pytest.UsageError(f"{named[0]} and {both}: expected jobs either by their files or by node ids")
    config.args[:] = [*others, *folders, *(tests if not beside else ())]
    if not beside:
        config.stash[NAMED] = named, {*map(Path, tests)}


def _names_jobs(config: pytest.Config, path: Path) -> bool:
    """Return True for a job's file, the catalogue, or a folder with jobs that is not a project's."""
    roots = [root for root, _ in _places(config)]
    if path.is_dir():
        is_below = any(path.is_relative_to(root) and root != project_folder(config) for root in roots)
        return is_below and holds_jobs(config, path)
    return is_job_file(config, path) or (path == roots[0] / "jobs.yaml" and path.is_file())


def is_job_file(config: pytest.Config, path: Path) -> bool:
    """Return True for a file that is a job: pytest must not import it."""
    roots = [(root, files) for root, files in _places(config) if path.is_relative_to(root)]
    if not roots or not path.name.endswith(suffixes_of(config.stash[REGISTRY].kinds)) or not path.is_file():
        return False
    return any(files.takes(path.relative_to(root).as_posix()) for root, files in roots)


def _places(config: pytest.Config) -> Sequence[tuple[Path, FileFilter]]:
    """Return the training folder and the further folders with jobs, each with its filter of files."""
    if PLACES not in config.stash:  # asked for every file that pytest collects
        search = read_search(config)
        further = ((absolute(folder), search.files) for folder in search.folders)
        config.stash[PLACES] = ((absolute(folder_of(config, "root")), search.own_files), *further)
    return config.stash[PLACES]


def training_tests(config: pytest.Config) -> list[str]:
    """Return the project's own tests that train, of `testpaths` or of its folder, else the plugin's.

    No other folder is searched: `--training-root DIR` may come from a home folder.
    """
    conftest = str(project_folder(config) / "conftest.py")
    return [each for each in own_tests(config) if each != conftest] or [str(SHIPPED_TEST.parent)]


def own_tests(config: pytest.Config) -> list[str]:
    """Return the project's own tests that train, and its conftest.py if it has such tests or names the plugin."""
    project, patterns = project_folder(config), config.getini("python_files")
    paths = [project / each for each in config.getini("testpaths")]
    files = _files(config, paths) if paths else sorted(project.glob("*.py"))
    own = [str(path) for path in files if matches(path, patterns) and _names_fixture(path)]
    conftest = project / "conftest.py"
    return [
        *own,
        *([str(conftest)] if conftest.is_file() and (own or b"pytest_training" in conftest.read_bytes()) else []),
    ]


def named_jobs(config: pytest.Config, jobs: Sequence[Job]) -> Sequence[Job]:
    """Return the jobs that the command line names, or all; raise UsageError for a name without a job."""
    if (named := config.stash.get(NAMED, None)) is None:
        return jobs
    chosen = {job.id for argument in named[0] for job in _jobs_of(config, argument, jobs)}
    return [job for job in jobs if job.id in chosen]


def _jobs_of(config: pytest.Config, argument: str, jobs: Sequence[Job]) -> list[Job]:
    path, (_, _, job_id) = named_path(config, argument), argument.partition("::")
    root, _ = _places(config)[0]
    everything = path in {root, root / "jobs.yaml"}
    below = [job for job in jobs if everything or (job.path is not None and Path(job.path).is_relative_to(path))]
    chosen = [job for job in below if job_id in {"", job.id}]
    if job_id and not chosen:
        ids = [job.id for job in below]
        raise pytest.UsageError(f"{shown_path(path, config)}: no job has the id {job_id!r}: {one_of(job_id, ids)}")
    if not chosen:
        raise pytest.UsageError(f"{shown_path(path, config)}: expected a file or folder of training jobs")
    return chosen


def leave_out_others(config: pytest.Config, items: list[pytest.Item], jobs: Iterable[pytest.Item]) -> None:
    """Remove the ordinary tests from files that are collected for the sake of jobs alone."""
    if named := config.stash.get(NAMED, None):
        kept = set(jobs)
        others = [item for item in items if item not in kept and item.path in named[1]]
        items[:] = [item for item in items if item not in others]
        config.hook.pytest_deselected(items=others)


def has_training_test(config: pytest.Config) -> bool:
    """Return True if a test file or conftest.py of this session names the fixture: cheaper than to collect."""
    paths = [named_path(config, argument) for argument in config.args]
    above = (folder / "conftest.py" for path in paths for folder in path.parents)
    return any(map(_names_fixture, above)) or any(map(_names_fixture, _files(config, paths)))


def nobody_asks(config: pytest.Config) -> str:
    """Return the sentence for a session that has collected nothing although there are jobs."""
    root = shown_path(folder_of(config, "root"), config)
    return (
        f"no test asks for the jobs in {root}: pytest {root} trains them, pytest-training init writes a test that does"
    )


def _names_fixture(path: Path) -> bool:
    return path.is_file() and FIXTURE.encode() in path.read_bytes()


def _files(config: pytest.Config, paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that pytest would import as tests or conftest.py."""
    included = [*config.getini("python_files"), "conftest.py"]
    excluded = [*config.getini("norecursedirs"), "__pycache__"]
    for path in paths:
        if not path.is_dir():
            yield path
        for folder, folders, names in os.walk(path):
            folders[:] = [name for name in folders if not matches(Path(folder, name), excluded)]
            yield from (file for name in names if matches(file := Path(folder, name), included))
