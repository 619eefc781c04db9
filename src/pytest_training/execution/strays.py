"""What changed in a repository while a program ran there, beside the program's own folder."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from pytest_training.errors import TrainingError
from pytest_training.execution.folder import OURS, JobFolder
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


def _changed(attempt: RunningAttempt) -> Iterator[tuple[str, os.DirEntry[str], int, int]]:
    """Yield the files of the repository that have changed since the start, and how well its code and others' name them.

    Paths are relative to the root.
    """
    job, words = attempt.job, list[_Words]()
    reports = os.path.normpath(_jobs(attempt).parents[2]) + os.sep
    for path, entry in Walk(Path(job.root), MOST_SEARCHED, without=(*LEFT_OUT, *(reports + name for name in OURS))):
        if entry.path.startswith(reports) and any(fnmatch(entry.path[len(reports) :], each) for each in (*OURS, ".*")):
            continue
        with suppress(OSError):  # it is gone
            if entry.stat(follow_symlinks=False).st_ctime >= attempt.started:  # what is unpacked keeps an old mtime
                own, *others = words = words or [_words(job), *_meanwhile(attempt)]
                relative = path.removeprefix(f"{job.cwd}/")
                yield path, entry, _named(own, relative), max((_named(each, relative) for each in others), default=0)


def strays(attempt: RunningAttempt) -> tuple[str, ...]:
    """Return a note that names the files that changed while a job ran, but for those that another's code names."""
    places: Counter[str] = Counter()
    above = f"{attempt.job.cwd}/" if attempt.job.cwd else ""
    for path in (path for path, _, mine, theirs in _changed(attempt) if mine >= theirs):
        name, slash, _ = path.removeprefix(above).partition("/")
        places[printable(in_utf8((above if path.startswith(above) else "") + name + slash))] += 1
    names = (f"{place} ({count} files)" if count > 1 else place for place, count in places.items())
    return (f"files of the repository changed while it ran: {listing('', names, limit=5)}",) if places else ()


def written_beside(attempt: EndedAttempt) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the files that changed while a job ran, if its code names them, and that of no other job that ran then."""
    above = f"{attempt.job.cwd}/" if attempt.job.cwd else ""
    yield from (
        (path, entry) for path, entry, mine, theirs in _changed(attempt) if mine > theirs and path.startswith(above)
    )


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
