"""What the command line names: tests, or files and folders of jobs, in whose place a test that trains is collected.

`pytest training/train_als.py` has the node ids of `pytest`: job files are never collected, let alone imported.
And what a selection names that does not exist: a sentence for each such name, with what exists, nearest first.
"""

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import pytest

from pytest_training import options
from pytest_training.fixture import FIXTURE, SHIPPED_TEST
from pytest_training.jobs.discovery import absolute, suffixes_of
from pytest_training.jobs.discovery import is_job_file as takes
from pytest_training.jobs.lookup import FileFilter
from pytest_training.jobs.model import Job
from pytest_training.option_values import read_lookup
from pytest_training.pytest_adapter import matches
from pytest_training.session.training_job import job_of
from pytest_training.wording import listing, one_of, printable

NAMED = pytest.StashKey[tuple[list[str], set[Path]]]()
"""On config, if the command line names files or folders of jobs: these, and the tests that are collected for them."""
PLACES = pytest.StashKey[Sequence[tuple[Path, FileFilter]]]()
TERM = re.compile(r"(?P<negated>\bnot\s+)?(?P<name>[\w:+\-.\[\]\\/]+)")
"""A name in an expression of `-k` or `-m`, as pytest reads it."""
ARGUMENTS = re.compile(r"\([^()]*=[^()]*\)")  # those of a mark: `-m "device(kind='gpu')"`
OPERATORS = {"and", "or", "not"}


def settle_arguments(config: pytest.Config) -> None:
    """Collect the test that trains where the command line names jobs, but no test for them."""
    is_typed = config.args_source == pytest.Config.ArgsSource.ARGS
    typed = config.known_args_namespace
    is_audit = typed.training_audit or typed.training_twice
    if not is_typed and (options.is_asked_for(config) or typed.training_root or is_audit):
        config.args[:] = training_tests(config)
        return
    paths = {each: options.named_path(config, each) for each in config.args}
    if not (named := [each for each, path in paths.items() if _names_jobs(config, path)]):
        return
    tests = training_tests(config)
    others = [argument for argument in config.args if argument not in named]
    folders = [each for each in named if paths[each].is_dir()]  # with tests of their own
    beside = [each for each in others if any(Path(test).is_relative_to(paths[each]) for test in tests)]
    if both := next((each for each in beside if "::" in each), None):
        raise pytest.UsageError(f"{named[0]} and {both}: expected jobs either by their files or by node ids")
    config.args[:] = [*others, *folders, *(tests if not beside else ())]
    if not beside:
        config.stash[NAMED] = named, {*map(Path, tests)}


def _names_jobs(config: pytest.Config, path: Path) -> bool:
    """Return True for a job's file, the catalogue, or a folder with jobs that is not a project's."""
    roots = [root for root, _ in _places(config)]
    if path.is_dir():
        is_below = any(path.is_relative_to(root) and root != options.project_folder(config) for root in roots)
        return is_below and options.holds_jobs(config, path)
    return is_job_file(config, path) or (path == roots[0] / "jobs.yaml" and path.is_file())


def is_job_file(config: pytest.Config, path: Path) -> bool:
    """Return True for a file that is a job: pytest must not import it."""
    roots = [(root, files) for root, files in _places(config) if path.is_relative_to(root)]
    if not roots or not path.name.endswith(suffixes_of(config.stash[options.REGISTRY].kinds)) or not path.is_file():
        return False
    return any(takes(path, root, files, config.stash[options.REGISTRY].kinds) for root, files in roots)


def _places(config: pytest.Config) -> Sequence[tuple[Path, FileFilter]]:
    """Return the training folder and the further folders with jobs, each with its filter of files."""
    if PLACES not in config.stash:  # asked for every file that pytest collects
        lookup, root = read_lookup(config), absolute(options.folder_of(config, "root"))
        config.stash[PLACES] = ((root, lookup.own_files), *((absolute(each), lookup.files) for each in lookup.folders))
    return config.stash[PLACES]


def training_tests(config: pytest.Config) -> list[str]:
    """Return the project's own tests that train, or the plugin's."""
    return _own_tests(config) or [str(SHIPPED_TEST.parent)]


def _own_tests(config: pytest.Config) -> list[str]:
    """Return the tests of `testpaths` or of the project's folder that train; no deeper: it may be a home folder."""
    project, patterns = options.project_folder(config), config.getini("python_files")
    paths = [project / each for each in config.getini("testpaths")]
    files = _files(config, paths) if paths else sorted(project.glob("*.py"))
    return [str(path) for path in files if matches(path, patterns) and _names_fixture(path)]


def initial_paths(config: pytest.Config) -> list[str]:
    """Return the project's own tests that train, and its conftest.py if it has such tests or names the plugin."""
    own, conftest = _own_tests(config), options.project_folder(config) / "conftest.py"
    is_own = conftest.is_file() and (own or b"pytest_training" in conftest.read_bytes())
    return [*own, str(conftest)] if is_own else own


def named_jobs(config: pytest.Config, jobs: Sequence[Job]) -> Sequence[Job]:
    """Return the jobs that the command line names, or all; raise UsageError for a name without a job."""
    if (named := config.stash.get(NAMED, None)) is None:
        return jobs
    root, chosen = _places(config)[0][0], set[str]()
    for argument in named[0]:
        path, (_, _, job_id) = options.named_path(config, argument), argument.partition("::")
        is_all, place = path in {root, root / "jobs.yaml"}, options.shown_path(path, config)
        below = [job.id for job in jobs if is_all or (job.path is not None and Path(job.path).is_relative_to(path))]
        if not below and not job_id:
            raise pytest.UsageError(f"{place}: expected a file or folder of training jobs")
        if job_id and job_id not in below:
            raise pytest.UsageError(f"{place}: no job has the id {job_id!r}: {one_of(job_id, below)}")
        trials = [job.id for job in jobs if job.trial_of == job_id]  # a study's id means all of them
        chosen.update([job_id, *trials] if job_id else below)
    return [job for job in jobs if job.id in chosen]


def leave_out_others(config: pytest.Config, items: list[pytest.Item], jobs: Iterable[pytest.Item]) -> None:
    """Remove the ordinary tests from files that are collected for the sake of jobs alone."""
    if named := config.stash.get(NAMED, None):
        kept = set(jobs)
        others = [item for item in items if item not in kept and item.path in named[1]]
        items[:] = [item for item in items if item not in others]
        config.hook.pytest_deselected(items=others)


def has_training_test(config: pytest.Config) -> bool:
    """Return True if a test file or conftest.py of this session names the fixture: cheaper than to collect."""
    paths = [options.named_path(config, argument) for argument in config.args]
    above = (folder / "conftest.py" for path in paths for folder in path.parents)
    return any(map(_names_fixture, above)) or any(map(_names_fixture, _files(config, paths)))


def nobody_asks(config: pytest.Config) -> str:
    """Return the sentence for a session that has collected nothing although there are jobs."""
    at = options.shown_path(options.folder_of(config, "root"), config)
    return f"no test asks for the jobs in {at}: pytest {at} trains them, pytest-training init writes a test that does"


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


def unknown_names(config: pytest.Config, items: Sequence[pytest.Item], jobs: Sequence[Job]) -> Iterator[str]:
    """Yield a sentence for each name in `-k`, `-m` and `--deselect` that stands for none of the collected tests."""
    if config.option.keyword:
        ids = [job.id for job in jobs]
        words = {word.lower() for item in items for word in chain(item.keywords, item.extra_keyword_matches)}
        for term, _ in _terms(config.option.keyword):
            if not any(term.lower() in word for word in words):
                yield f"-k: no job or test is called {term!r}: {one_of(term, ids)}"
    if config.option.markexpr:
        marks = {mark.name for item in items for mark in item.iter_markers()}
        marks.update(re.split(r"[:(]", line)[0].strip() for line in config.getini("markers"))
        for term, negated in _terms(ARGUMENTS.sub("", config.option.markexpr)):
            if term not in marks and not negated:
                yield f"-m: no job has the tag {term!r}: {one_of(term, _tags(jobs))}"
    nodes = [item.nodeid for item in items if job_of(item) is not None] if config.option.deselect else []
    tests = {node.partition("[")[0] for node in nodes}
    for prefix in config.option.deselect or ():
        if prefix.partition("[")[0] in tests and not any(node.startswith(prefix) for node in nodes):
            yield f"--deselect: no test is called {printable(prefix, 200)!r}: {one_of(prefix, nodes, limit=3)}"


def unknown_arguments(config: pytest.Config, jobs: Sequence[Job]) -> Iterator[str]:
    """Yield a sentence for each argument that names a test of no job, or no file but nearly a job."""
    ids = [job.id for job in jobs]
    escaped = [job_id.encode("unicode_escape").decode() for job_id in ids]  # as pytest writes them in node ids
    for argument in config.args:
        path, is_test, test = argument.partition("::")
        name = test.removesuffix("]").rpartition("[")[2] if is_test else path
        is_known, nearest = is_test and name in {*ids, *escaped}, one_of(name, ids)
        if not is_test and name in ids and not (config.invocation_params.dir / path).exists():
            yield f"{printable(argument, 200)}: no such file; to select a job: pytest -k {shlex.quote(name)}"
            continue
        is_nearly_job = nearest.startswith("did") and not (config.invocation_params.dir / path).exists()
        if name and not is_known and (test.endswith("]") or is_nearly_job):
            yield f"{printable(argument, 200)}: no test trains a job {name!r}: {nearest}"


def nothing_selected(jobs: Sequence[Job]) -> str:
    """Return what there was to select."""
    named = f"; tags: {listing('', tags)}" if (tags := _tags(jobs)) else ""
    return f"no job is selected; jobs: {listing('', [job.id for job in jobs])}{named}"


def _terms(expression: str) -> Iterator[tuple[str, bool]]:
    """Yield each name of an expression, and whether `not` stands before it."""
    for match in TERM.finditer(expression):
        if match["name"] not in OPERATORS:
            yield match["name"], match["negated"] is not None


def _tags(jobs: Iterable[Job]) -> list[str]:
    return sorted({tag for job in jobs for tag in job.tags})
