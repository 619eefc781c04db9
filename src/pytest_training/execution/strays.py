"""What changed in a repository while a program ran there, beside the program's own folder."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pytest_training.errors import TrainingError
from pytest_training.execution.folder import JobFolder
from pytest_training.execution.job_files import Walk, open_own
from pytest_training.execution.readers.protocol import EndedAttempt, RunningAttempt
from pytest_training.jobs.model import Job
from pytest_training.jobs.plan_file import read_plan
from pytest_training.wording import in_utf8, listing, printable

LEFT_OUT = (".git", ".hg", ".venv", "venv", "env", "node_modules", "site-packages", "__pycache__", ".pytest_cache")
MOST_SEARCHED = 20_000  # files and folders; they take a tenth of a second
LONGEST_SOURCE = 2**20  # bytes of a file of code


class _Words(NamedTuple):
    """The words of a job's code, and those that may end the name of a file."""

    all: frozenset[str]
    endings: tuple[str, ...]


def _changed(attempt: RunningAttempt) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the files of the repository that have changed since the start, each with its path relative to the root."""
    without = (*LEFT_OUT, os.path.normpath(_jobs(attempt).parents[2]))
    for path, entry in Walk(Path(attempt.job.root), most=MOST_SEARCHED, without=without):
        with suppress(OSError):  # it is gone
            if entry.stat(follow_symlinks=False).st_ctime >= attempt.started:  # what is unpacked keeps an old mtime
                yield path, entry


def strays(attempt: RunningAttempt) -> tuple[str, ...]:
    """Return a note that names the files that changed while a job ran, but for those that another's code names."""
    places: Counter[str] = Counter()
    above = f"{attempt.job.cwd}/" if attempt.job.cwd else ""
    files = [path for path, _ in _changed(attempt)]
    own, others = _words(attempt.job), [*_meanwhile(attempt)] if files else []
    for path in files:
        name, slash, _ = path.removeprefix(above).partition("/")
        if all(_named(words, path) <= _named(own, path.removeprefix(above)) for words in others):
            places[printable(in_utf8((above if path.startswith(above) else "") + name + slash))] += 1
    names = (f"{place} ({count} files)" if count > 1 else place for place, count in places.items())
    return (f"files of the repository changed while it ran: {listing('', names, limit=5)}",) if places else ()


def written_beside(attempt: EndedAttempt) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the files that changed while a job ran, if its code names them, and that of no other job that ran then."""
    job, own, others = attempt.job, _words(attempt.job), None
    above = f"{job.cwd}/" if job.cwd else ""
    for path, entry in _changed(attempt):
        relative = path.removeprefix(above)
        if path.startswith(above) and (named := _named(own, relative)):
            others = [*_meanwhile(attempt)] if others is None else others
            if all(_named(words, relative) < named for words in others):
                yield path, entry


def may_be_anothers(attempt: EndedAttempt, name: str) -> bool:
    """Return True if the code of another job that ran at the same time names a file."""
    return any(_named(words, name) > 1 for words in _meanwhile(attempt))


def _named(words: _Words, path: str) -> int:
    """Return 2 if code has the end of a file's name as a word, 1 if the top folder of its path, else 0."""
    return 2 if path.endswith(words.endings) else int(path.partition("/")[0] in words.all)


def _words(job: Job) -> _Words:
    text = " ".join(job.command)
    for path in map(Path, job.files):
        with suppress(OSError), open_own(path) as file:
            text += file.read(LONGEST_SOURCE).decode("utf-8", "replace")
    words = frozenset(re.findall(r"[\w.-]+", text))
    return _Words(words, tuple(word for word in words if "." in word.lstrip("._-")))


def _jobs(attempt: RunningAttempt) -> Path:
    """Return the folder of a run's jobs: RUN/jobs of RUN/jobs/ID/attempt-1."""
    return attempt.folder.path.parents[attempt.job.id.count("/") + 1]


def _meanwhile(attempt: RunningAttempt) -> Iterator[_Words]:
    """Yield the words of the other jobs that ran at the same time."""
    jobs = _jobs(attempt)
    with suppress(TrainingError):
        for job in (planned.job for planned in read_plan(jobs.parent / "plan.json").jobs):
            folder, has_ended = JobFolder(jobs / job.id), False
            with suppress(OSError):
                has_ended = folder.outcome.stat().st_mtime < attempt.started
            if job.id != attempt.job.id and not has_ended and folder.path.is_dir():
                yield _words(job)
