"""Every path that a run touches, in one place, and how files are written so that none is ever half there."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

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

    @property
    def started(self) -> Path:
        """When and where the attempt began and, once it has ended, how: so it is known if its slot dies."""
        return self.path / "started.json"

    @property
    def artifacts(self) -> Path:
        """The folder that the job sees as `run.folder`."""
        return self.path / "artifacts"

    def create(self) -> None:
        """Make the folder; it must be new."""
        self.path.mkdir(parents=True)
        self.artifacts.mkdir()


@dataclass(frozen=True)
class JobFolder:
    """What one job leaves in a run."""

    path: Path

    @property
    def outcome(self) -> Path:
        """The job's outcome as JSON."""
        return self.path / "outcome.json"

    @property
    def checkpoint(self) -> Path:
        """The folder of the job's state, common to its attempts."""
        return self.path / "checkpoint"

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

    @property
    def runs(self) -> Path:
        """The folder of the runs' folders."""
        return self.path / "runs"

    @property
    def history(self) -> Path:
        """Every outcome of every run."""
        return self.path / "history.sqlite"

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

    @property
    def plan(self) -> Path:
        """The plan, written before anything trains."""
        return self.path / "plan.json"

    @property
    def provenance(self) -> Path:
        """Commit, versions and machine."""
        return self.path / "provenance.json"

    @property
    def begun(self) -> Path:
        """What is known of the run from its start on: process, command line, node ids."""
        return self.path / "begun.json"

    @property
    def record(self) -> Path:
        """The run as a whole, written at its end: a run without it did not finish, or has not yet."""
        return self.path / "run.json"

    @property
    def page(self) -> Path:
        """This run's report for people; the copy in `reports/` is the latest run's."""
        return self.path / "index.html"

    @property
    def summary(self) -> Path:
        """This run's summary in Markdown; the copy in `reports/` is the latest run's."""
        return self.path / "summary.md"

    @property
    def report(self) -> Path:
        """This run's report.json; the copy in `reports/` is the latest run's."""
        return self.path / "report.json"

    @property
    def junit(self) -> Path:
        """This run's junit.xml; the copy in `reports/` is the latest run's."""
        return self.path / "junit.xml"

    @property
    def interrupted(self) -> Path:
        """How running jobs are to end, for slots without a job server; there once the run is interrupted."""
        return self.path / "interrupted.txt"

    @property
    def server_log(self) -> Path:
        """What the job server printed: normally nothing."""
        return self.path / "server.log"

    def job(self, job_id: str) -> JobFolder:
        """Return the folder of a job; an id that would leave the run folder is refused."""
        jobs = str(self.path / "jobs")
        folder = os.path.normpath(os.path.join(jobs, job_id))  # noqa: PTH118  (asked several times for each job)
        if not folder.startswith(jobs + os.sep):
            raise TrainingError(f"job id {job_id!r}: expected a name inside the run folder")
        return JobFolder(Path(folder))
