"""Every path that a run touches, in one place, and how files are written so that none is ever half there."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pytest_training.errors import TrainingError


def new_run_id() -> str:
    """Return an id that sorts by time and is not shared by two runs that start at once."""
    # To the microsecond: "the last run" must be the last also where two begin within a second.
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{os.urandom(2).hex()}"


def utc_now() -> str:
    """Return the present time as ISO 8601 in UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def seconds_between(start: str, end: str) -> float:
    """Return the seconds between two times as `utc_now` writes them; 0 where the clock was set back."""
    try:
        return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
    except (ValueError, TypeError):  # not as utc_now writes them: a job has changed the file
        return 0.0


class HasPath(Protocol):
    """A folder."""

    @property
    def path(self) -> Path:
        """Where it is."""


class Inside:
    """A file or folder with a fixed name in a folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: HasPath, _: type) -> Path:
        return folder.path / self._name


@dataclass(frozen=True)
class AttemptFolder:
    """The files of one attempt."""

    path: Path
    private: Path | None = None
    """Folder of what only the attempt's process and slot may read until it has ended; None: all lies in `path`."""

    @property
    def log(self) -> Path:
        """What the job printed, stdout and stderr."""
        return (self.private or self.path) / "log.txt"

    @property
    def events(self) -> Path:
        """What the job reported with `run.log` and `run.progress`, one JSON object a line."""
        return (self.private or self.path) / "events.jsonl"

    @property
    def result(self) -> Path:
        """What the job returned, as JSON."""
        return (self.private or self.path) / "result.json"

    started = Inside("started.json")
    """When and where the attempt began and, once it has ended, how: so it is known if its slot dies."""
    artifacts = Inside("artifacts")
    """The folder that the job sees as `run.folder`."""

    def create(self) -> None:
        """Make the folder; it must be new."""
        self.path.mkdir(parents=True)
        self.artifacts.mkdir()


@dataclass(frozen=True)
class JobFolder:
    """What one job leaves in a run."""

    path: Path

    outcome = Inside("outcome.json")
    """The job's outcome as JSON."""
    checkpoint = Inside("checkpoint")
    """The folder of the job's state, common to its attempts."""

    def attempt(self, number: int) -> AttemptFolder:
        """Return the folder of the attempt with that number, counted from 1."""
        return AttemptFolder(self.path / f"attempt-{number}")

    def next_attempt(self) -> int:
        """Return the first number that no attempt has taken."""
        number = 1
        while self.attempt(number).path.exists():
            number += 1
        return number

    def begin_attempt(self) -> tuple[int, AttemptFolder]:
        """Make the folder of the next attempt; two slots that train one job at once get two."""
        while True:
            number = self.next_attempt()
            with contextlib.suppress(FileExistsError):
                self.attempt(number).create()
                return number, self.attempt(number)


@dataclass(frozen=True)
class ReportsFolder:
    """`reports/`: every run's folder, their history, and the latest run's reports under stable names."""

    path: Path

    runs = Inside("runs")
    """The folder of the runs' folders."""
    history = Inside("history.sqlite")
    """Every outcome of every run."""

    def copy_of(self, report: Path) -> Path:
        """Return where a copy of a run's report stands while that run is the latest."""
        return self.path / report.name


@dataclass(frozen=True)
class RunFolder:
    """What one run leaves below `reports/runs/`."""

    reports: Path
    run_id: str

    @property
    def path(self) -> Path:
        """The run's own folder."""
        return self.stable.runs / self.run_id

    @property
    def stable(self) -> ReportsFolder:
        """The folder that this run has in common with the others."""
        return ReportsFolder(self.reports)

    plan = Inside("plan.json")
    """The plan, written before anything trains."""
    provenance = Inside("provenance.json")
    """Commit, versions and machine."""
    begun = Inside("begun.json")
    """What is known of the run from its start on: process, command line, node ids."""
    record = Inside("run.json")
    """The run as a whole, written at its end: a run without it did not finish, or has not yet."""
    page = Inside("index.html")
    """This run's report for people; the copy in `reports/` is the latest run's."""
    summary = Inside("summary.md")
    """This run's summary in Markdown; the copy in `reports/` is the latest run's."""
    report = Inside("report.json")
    """This run's report.json; the copy in `reports/` is the latest run's."""
    junit = Inside("junit.xml")
    """This run's junit.xml; the copy in `reports/` is the latest run's."""
    interrupted = Inside("interrupted.txt")
    """How running jobs are to end, for slots without a job server; there once the run is interrupted."""
    server_log = Inside("server.log")
    """What the job server printed: normally nothing."""

    def job(self, job_id: str) -> JobFolder:
        """Return the folder of a job; an id that would leave the run folder is refused."""
        jobs = str(self.path / "jobs")
        folder = os.path.normpath(os.path.join(jobs, job_id))  # noqa: PTH118  (asked several times for each job)
        if not folder.startswith(jobs + os.sep):
            raise TrainingError(f"job id {job_id!r}: expected a name inside the run folder")
        return JobFolder(Path(folder))
