"""`pytest-training init`: what an existing repository needs to train its scripts; overwrites nothing."""

import argparse
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_training.commands.answers import say
from pytest_training.errors import TrainingError
from pytest_training.fixture import SHIPPED_TEST
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.model import Job
from pytest_training.jobs.search import PATTERNS, FileFilter, Search, checked_folders, checked_pattern
from pytest_training.project import Project, find_settings
from pytest_training.records.strict_json import encode

SETTINGS = """\
# The folder with train_*.py and jobs.yaml.
training_root = {root}
# Where report.json, junit.xml, history.sqlite and the run folders go.
training_reports = reports
"""
HEAD = """\
# What discovery cannot know, or what should be other than in the files. Every key is optional.
# Remove the # before a job and before what you want to state.
#
# defaults: {timeout: 30m, memory: 4GB}
jobs:"""


def init(arguments: argparse.Namespace, project: Project) -> None:
    """Write what is missing, say what was written and what was left alone."""
    here = Path.cwd()
    exclude = arguments.exclude or project.exclude
    files = FileFilter(
        include=tuple(arguments.include or project.include or PATTERNS),
        exclude=tuple(checked_pattern(pattern, "--exclude") for pattern in exclude),
    )
    search = Search(files=files)
    root = checked_folders([here / arguments.root], "--root")[0] if arguments.root else _find_root(here, search)
    jobs, _ = load_jobs(root, here, None, search)
    if not jobs:
        raise TrainingError(f"found no files like train_als.py below {root}; --root names another folder")
    relative = os.path.relpath(root, here)
    say(f"{len(jobs)} job{'s' if len(jobs) > 1 else ''} found below {relative}: {', '.join(job.id for job in jobs)}")
    _write(here / "test_training_jobs.py", SHIPPED_TEST.read_text(encoding="utf-8"), here)
    _write(root / "jobs.yaml", commented_catalogue(jobs), here)
    _settle(SETTINGS.format(root=relative), here)
    say("dry run: pytest test_training_jobs.py --collect-only    train: pytest test_training_jobs.py -n 4")


def _settle(settings: str, here: Path) -> None:
    """Write the settings, or say where to add them."""
    file, _ = find_settings(here)
    if file is None:
        _write(here / "pytest.ini", f"[pytest]\n{settings}", here)
    elif "training_root" not in file.read_text(encoding="utf-8"):
        section = "the section of pytest"
        if file.suffix == ".toml":
            section, settings = "[tool.pytest.ini_options]", re.sub(" = (.+)", r' = "\1"', settings)
        say(f"add to {section} of {file.name}:\n{settings}")


def _find_root(here: Path, search: Search) -> Path:
    """Return the deepest folder that has all the jobs below it."""
    jobs, _ = load_jobs(here, here, None, search)
    folders = [str(Path(job.path).parent) for job in jobs if job.path]
    return Path(os.path.commonpath(folders)) if folders else here


def _write(path: Path, text: str, here: Path) -> None:
    name = os.path.relpath(path, here)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        say(f"left as it is: {name}")
    except OSError as error:
        raise TrainingError(f"cannot write {name}: {error.strerror}") from None
    else:
        say(f"written: {name}")


def commented_catalogue(jobs: Sequence[Job]) -> str:
    """Return a catalogue that changes nothing: what discovery found, as comments to uncomment."""
    return "\n".join([HEAD, *(line for job in jobs for line in _comments(job))]) + "\n"


def _comments(job: Job) -> Iterator[str]:
    yield f"  # {job.id}:"
    yield f"  #   # {job.source}: {job.problem or job.title or job.kind}"
    if job.declared:
        names = [each.name for each in job.declared if each.option is None or each.option != job.output_option]
        values = ", ".join(f"{name}: {encode(job.parameters.get(name)).decode()}" for name in names)
        yield f"  #   parameters: {{{values}}}"
    yield '  #   gates: {accuracy: ">= 0.8"}'
    if KINDS[job.kind].is_program:
        yield "  #   metrics: {file: metrics.json}"
    if job.fresh:
        yield f"  #   # gets an interpreter of its own: {job.fresh}"
    yield "  #   timeout: 30m"
