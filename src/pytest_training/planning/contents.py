"""The files that decide what a job trains: its code, and what that and the catalogue name."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from pytest_training.execution.data.cache import sha256_of
from pytest_training.execution.job_files import Walk
from pytest_training.execution.readers.metrics_file import USUAL_FILES
from pytest_training.jobs.model import Job
from pytest_training.jobs.source.named import named_paths

MOST_FILES = 10_000
"""Files that one pattern may stand for."""
LARGEST_READ, LARGEST_HASHED = 2**20, 2**28


class Contents:
    """Reads files once each: jobs share modules and settings."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self._named: dict[str, list[str]] = {}

    def read(self, file: str) -> bytes:
        """Return a small file's content, a larger one's digest, or size and time of change of a very large one."""
        if file not in self._contents:
            path, stat = Path(file), Path(file).stat()
            if stat.st_size <= LARGEST_READ:
                self._contents[file] = path.read_bytes()
            else:
                is_hashed = stat.st_size <= LARGEST_HASHED
                self._contents[file] = (sha256_of(path) if is_hashed else f"{stat.st_size} {stat.st_mtime_ns}").encode()
        return self._contents[file]

    def files(self, job: Job) -> Iterator[str]:
        """Yield a job's code and the files that are named; raise OSError if code is missing or files are too many."""
        yield from job.files
        texts = (*job.command, *job.arguments, *(text for text in job.parameters.values() if isinstance(text, str)))
        yield from _existing(Path(job.root), texts)
        for file in job.files:
            if file not in self._named:
                self._named[file] = sorted(named_paths(self.read(file)) - {*USUAL_FILES})
            for folder in dict.fromkeys((Path(job.root), *itertools.islice(Path(file).parents, 2))):
                yield from _existing(folder, self._named[file])
        for path in (path for pattern in job.reads for path in Path(job.root).glob(pattern)):
            yield from _below(path) if path.is_dir() else [str(path)]


def _existing(folder: Path, names: Iterator[str] | tuple[str, ...] | list[str]) -> Iterator[str]:
    for name in names:
        path = os.path.join(folder, name)  # noqa: PTH118  (hundreds in a file)
        if os.path.isfile(path):  # noqa: PTH113  (as above)
            yield path


def _below(folder: Path) -> Iterator[str]:
    walk = Walk(folder, MOST_FILES)
    yield from (str(folder / relative) for relative, entry in walk if entry.is_file(follow_symlinks=False))
    if walk.is_cut or walk.unreadable:
        raise OSError(f"more than {MOST_FILES} files below {folder}, or not all can be read")
