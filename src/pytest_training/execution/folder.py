"""Every path that a run touches, in one place."""

import contextlib
import itertools
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pytest_training import errors, places


def new_run_id() -> str:
    """Return an id that sorts by time, also within a second, and that no two runs share."""
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


class Inside:
    """A file or folder with a fixed name in a folder."""

    def __init__(self, name: str, folder: str = "path") -> None:
        self.name = name
        self._folder = folder

    def __get__(self, owner: Any, _: type) -> Path:
        path: Path = getattr(owner, self._folder)
        return path / self.name


class AttemptFolder(Struct, frozen=True):
    """The files of one attempt."""

    path: Path
    private: Path | None = None  # what only the attempt and its slot may read until it has ended; None for `path`
    below: Path | None = None  # the last folder above it that may be a link; None if all may be
    began: tuple[int, ...] = ()  # its marks as it was made

    log = Inside("log.txt", "own")  # output of the job, stdout and stderr
    events = Inside("events.jsonl", "own")  # calls of `run.log` and `run.progress`, one JSON object a line
    result = Inside("result.json", "own")  # the job's metrics or its failure, as JSON
    printed = Inside("printed.txt", "own")  # what each call of `print` in a script's files has printed
    started = Inside("started.json")  # the attempt as it began, or as it failed: a slot that dies leaves it
    usage = Inside("usage.json")  # what the attempt uses now, if another machine may execute it
    pruned = Inside("pruned.json")  # why a search gives the attempt up; the attempt ends once it is there
    needed = Inside("needed.json")  # the outcomes of the jobs that it needs, for programs; only if it needs any
    artifacts = Inside("artifacts")  # the folder that the job sees as `run.folder`

    @property
    def own(self) -> Path:
        """The folder of log, events and result."""
        return self.private or self.path

    @property
    def own_below(self) -> Path | None:
        """The last folder above log, events and result that may be a link."""
        return self.private.parent if self.private else self.below

    def create(self) -> None:
        """Make the folder; it must be new."""
        with places.entered(self.path.parent, self.below) as above:
            above.make(self.path.name)
            above.make(f"{self.path.name}/{self.artifacts.name}")

    def marks(self) -> tuple[int, ...]:
        """Return what tells the folder from others at its place, with its permissions and those of the artifacts."""
        own, artifacts = os.lstat(self.path), os.lstat(self.artifacts)
        return own.st_dev, own.st_ino, own.st_mode, artifacts.st_mode

    def settle(self) -> None:
        """Make sure, once the attempt has ended, that the folder and that of the artifacts are ours again."""
        with contextlib.suppress(OSError):
            if self.marks() == self.began:
                return
        with places.entered(self.path, self.below) as place:
            place.settle(self.artifacts.name)

    @property
    def was_replaced(self) -> bool:
        """True if the folder is not the one that was made."""
        status = os.lstat(self.path)
        return bool(self.began) and (status.st_dev, status.st_ino) != self.began[:2]


class JobFolder(Struct, frozen=True):
    """What one job leaves in a run."""

    path: Path
    below: Path | None = None  # the last folder above it that may be a link; None if all may be

    outcome = Inside("outcome.json")  # the job's outcome as JSON

    @property
    def checkpoint(self) -> Path:
        """The folder of the job's state, common to its attempts until one was given up that may still write to it."""
        newer = self.newer_checkpoint
        number = int(newer.name.removeprefix("checkpoint-")) - 1
        return self.path / "checkpoint" if number == 1 else newer.with_name(f"checkpoint-{number}")

    @property
    def newer_checkpoint(self) -> Path:
        """The folder that would take the place of the checkpoint's."""
        folders = (self.path / f"checkpoint-{number}" for number in itertools.count(2))
        return next(folder for folder in folders if not folder.is_dir())

    def attempt(self, number: int) -> AttemptFolder:
        """Return the folder of the attempt with that number, counted from 1."""
        return AttemptFolder(self.path / f"attempt-{number}", below=self.below)

    def next_attempt(self) -> int:
        """Return the first number that no attempt has taken."""
        folders = ((number, self.attempt(number).path) for number in itertools.count(1))
        return next(number for number, path in folders if path.is_symlink() or not path.is_dir())

    def begin_attempt(self) -> tuple[int, AttemptFolder]:
        """Make the folder of the next attempt; two slots that train one job at once get two."""
        number = self.next_attempt()
        while True:
            folder = self.attempt(number)
            try:
                folder.create()
            except FileExistsError:
                if not folder.path.is_dir():
                    raise
                number += 1
            else:
                return number, replace(folder, began=folder.marks())


OURS = (
    *(".gitignore", "audit.*", "history.sqlite*", "index.html", "junit.xml", "report.json", "runs", "smoke"),
    *("summary.md", "threads.json"),
)
"""What the plugin writes to the folder of the reports, as patterns: a user may have other files there."""


class ReportsFolder(Struct, frozen=True):
    """`reports/`: every run's folder, their history, and the latest run's reports under stable names."""

    path: Path

    runs = Inside("runs")  # the folder of the runs' folders
    history = Inside("history.sqlite")  # every outcome of every run
    smoke = Inside("smoke")  # the reports folder of smoke runs: nothing of theirs is in that of whole runs
    threads = Inside("threads.json")  # packages that start threads when imported, as job servers have learned

    def copy_of(self, report: Path) -> Path:
        """Return the path of a report's copy while its run is the latest."""
        return self.path / report.name


class RunFolder(Struct, frozen=True):
    """What one run leaves below `reports/runs/`."""

    reports: Path
    run_id: str

    @property
    def path(self) -> Path:
        """The run's own folder."""
        return self.stable.runs / self.run_id

    @property
    def stable(self) -> ReportsFolder:
        """The folder of all runs."""
        return ReportsFolder(self.reports)

    plan = Inside("plan.json")  # the plan, written before anything trains
    provenance = Inside("provenance.json")  # commit, versions and machine
    begun = Inside("begun.json")  # process, command line and node ids of the run, written at its start
    record = Inside("run.json")  # the run as a whole, written at its end: a run without it has not finished
    page = Inside("index.html")
    summary = Inside("summary.md")
    report = Inside("report.json")
    junit = Inside("junit.xml")  # this run's reports; `reports/` has a copy of the latest run's
    audit = Inside("audit.md")  # findings of `--training-audit`, for people
    audit_json = Inside("audit.json")  # the same for programs
    interrupted = Inside("interrupted.txt")  # how jobs without a job server must end, once the run is interrupted
    journal = Inside("optuna.journal")  # the run's searches, in Optuna's own storage
    journal_lock = Inside("optuna.journal.lock")  # of the process that writes it
    gpus = Inside("gpus")  # a lock for each GPU that an attempt has been given
    loading = Inside("loading.json")  # what the job server imports for all jobs, and how long each package took
    server_log = Inside("server.log")  # output of the job server: normally nothing

    def job(self, job_id: str) -> JobFolder:
        """Return the folder of a job; raise TrainingError if the id would leave the run folder."""
        jobs = str(self.path / "jobs")
        folder = os.path.normpath(os.path.join(jobs, job_id))  # noqa: PTH118  (called several times for each job)
        if not folder.startswith(jobs + os.sep):
            raise errors.TrainingError(f"job id {job_id!r}: expected a name inside the run folder")
        return JobFolder(Path(folder), below=self.stable.runs)
