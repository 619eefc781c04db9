"""Finds what a program leaves in its working directory: files that its code names, and that of no other job."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pytest_training.errors import TrainingError
from pytest_training.execution.folder import JobFolder
from pytest_training.execution.job_files import open_own
from pytest_training.execution.readers.protocol import EndedAttempt
from pytest_training.execution.strays import changed
from pytest_training.jobs.model import Job
from pytest_training.jobs.plan_file import read_plan

LONGEST_SOURCE = 2**20


def written_beside(attempt: EndedAttempt) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the files that changed while a job ran, if its code names them, and that of no other job that ran then."""
    job, jobs = attempt.job, attempt.folder.path.parents[attempt.job.id.count("/") + 1]
    own, others = _words(job), None
    for relative, entry in changed(job, jobs.parents[2], attempt.started):
        parts = Path(relative).relative_to(job.cwd).parts if Path(relative).is_relative_to(job.cwd) else ()
        if named := _named(own, parts):
            others = [*_meanwhile(attempt, jobs)] if others is None else others
            if all(_named(words, parts) < named for words in others):
                yield relative, entry


def _named(words: set[str], parts: tuple[str, ...]) -> int:
    """Return 2 if the end of a file's name is a word of the code, 1 if the top folder of its path is one, else 0."""
    endings = (word for word in words if "." in word.lstrip("._-"))
    return 0 if not parts else 2 if any(map(parts[-1].endswith, endings)) else int(parts[0] in words)


def _words(job: Job) -> set[str]:
    text = " ".join(job.command)
    for path in map(Path, job.files):
        with suppress(OSError), open_own(path) as file:
            text += file.read(LONGEST_SOURCE).decode("utf-8", "replace")
    return {*re.findall(r"[\w.-]+", text)}


def _meanwhile(attempt: EndedAttempt, jobs: Path) -> Iterator[set[str]]:
    """Yield the words of the other jobs that ran at the same time."""
    with suppress(TrainingError):
        for job in (planned.job for planned in read_plan(jobs.parent / "plan.json").jobs):
            folder = JobFolder(jobs / job.id)
            with suppress(OSError):
                if job.id != attempt.job.id and folder.outcome.stat().st_mtime < attempt.started:
                    continue
            if job.id != attempt.job.id and folder.path.is_dir():
                yield _words(job)
