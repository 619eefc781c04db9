"""What changed in a repository while a program ran there, beside the program's own folder."""

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pytest_training.execution.job_files import Walk
from pytest_training.jobs.model import Job
from pytest_training.wording import in_utf8, listing

LEFT_OUT = (".git", ".hg", ".venv", "venv", "env", "node_modules", "site-packages", "__pycache__", ".pytest_cache")
MOST_SEARCHED = 20_000  # files and folders; they take a tenth of a second


def changed(job: Job, reports: Path, since: float) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the files of the repository that have changed since a time, each with its path relative to the root."""
    for path, entry in Walk(Path(job.root), most=MOST_SEARCHED, without=(*LEFT_OUT, os.path.normpath(reports))):
        with contextlib.suppress(OSError):  # it is gone
            if entry.stat(follow_symlinks=False).st_ctime >= since:  # what is unpacked keeps an old time of writing
                yield path, entry


def strays(job: Job, reports: Path, since: float) -> tuple[str, ...]:
    """Return a note that names the files in the repository that have changed since a time, or none."""
    places: Counter[str] = Counter()
    above = f"{job.cwd}/" if job.cwd else ""
    for path, _ in changed(job, reports, since):
        name, slash, _ = path.removeprefix(above).partition("/")
        places[in_utf8((above if path.startswith(above) else "") + name + slash)] += 1
    names = (f"{place} ({count} files)" if count > 1 else place for place, count in places.items())
    return (f"files of the repository changed while it ran: {listing('', names, limit=5)}",) if places else ()
