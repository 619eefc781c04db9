"""The interface of a kind of job: recognise a file, and start its job."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from pytest_training.jobs.model import Job, Value
from pytest_training.jobs.source.sources import Candidate, Source, Sources
from pytest_training.wording import label


class Call(Value, frozen=True, kw_only=True, tag=True):
    """A function of a Python file, called in the attempt's own process with the run and the job's parameters."""

    path: str
    function: str


class Command(Value, frozen=True, kw_only=True, tag=True):
    """A program that takes the place of the attempt's process."""

    argv: tuple[str, ...]
    environment: dict[str, str] = {}  # variables beyond those that every job gets
    files: dict[str, str] = {}  # texts that are written into the job's folder before it starts, by name
    is_warm: bool = False  # True if `argv` is Python, a file and its arguments, and a fork of the job server may run it
    module: str | None = None  # dotted name of that file where its relative imports make it a part of a package

    @property
    def words(self) -> tuple[str, ...]:
        """The command line of a new process."""
        return (self.argv[0], "-m", self.module, *self.argv[2:]) if self.module else self.argv


class File(Struct, frozen=True, dict=True):
    """A file that may be a job."""

    path: Path
    job_id: str
    home: Path  # the training folder that it belongs to
    sources: Sources

    @functools.cached_property
    def source(self) -> Source:
        """Return the file as parsed Python, or raise Unreadable."""
        source = self.sources.parse(self.path)
        self.sources.remember(source)
        return source

    @property
    def label(self) -> str:
        """Return the path as messages give it."""
        return label(self.path, self.sources.root)

    def job(self, kind: str, **fields: Any) -> Job:
        """Return the job of this file, with these fields."""
        place = {"source": self.label, "path": str(self.path), "home": str(self.home), "root": str(self.sources.root)}
        return Job(**{"id": self.job_id, "kind": kind, "files": (str(self.path),), **place, **fields})


class Kind(Protocol):
    """A kind of job; each inherits these defaults, and has a name and a `start` of its own."""

    name: str  # its name in plans, outcomes and reports
    suffixes: tuple[str, ...] = ()  # endings of the files that it may recognise, like `.py`
    is_program: bool = True
    """True if it takes raw arguments and leaves metrics in files; False if a function is called that returns them."""
    has_options: bool = False
    """True if parameters are options of a foreign command line.

    A text without a declared type is passed on as it is, None leaves an option out, the catalogue may declare options,
    and a required value that is missing fails this job alone.
    """
    readers: tuple[str, ...] = ()  # names of the readers that find its metrics; empty for all

    def recognise(self, file: File) -> Job | None:  # noqa: ARG002  (a kind without files recognises none)
        """Return the file's job, or None if the file is of another kind."""
        return None

    def judge(self, file: File) -> Candidate | None:
        """Return whether a file is a job where files are read to find those that train; None if it is no candidate."""
        name = file.path.name
        return Candidate(is_job=True, why=f"is named {name}") if name.startswith("train_") else None

    def start(self, job: Job, *, folder: str, seed: int) -> Call | Command:
        """Return what executes the job once, with its output in a folder."""
        ...


Kinds = Mapping[str, Kind]  # kinds of job by name; the last one examines a file first
