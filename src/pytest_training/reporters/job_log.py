"""Follows the log of a job of a run in progress, or reads that of an earlier one: `pytest-training logs JOB`.

Escape sequences are removed: a job's output must not move the cursor of somebody else's terminal.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_training.execution.folder import JobFolder, RunFolder
from pytest_training.execution.job_files import open_own
from pytest_training.execution.slot import read_outcome
from pytest_training.jobs.model import Job
from pytest_training.records.recorded_run import is_going_on
from pytest_training.reporters.console import sentence
from pytest_training.text import clean_line

FOLLOW_S = 0.2
AT_FIRST = 40_000  # bytes of a log that is already long when somebody begins to follow it
CHUNK = 2**20
LINE_LIMIT = 2_000


@dataclass(frozen=True)
class JobLog:
    """The log of a job: of all its attempts, one after another."""

    folder: RunFolder
    job: Job
    is_followed: bool  # True if the run is in progress, so that there may be more to come
    remark: Callable[[str], object]  # called with what is no part of the log

    def lines(self) -> Iterator[str]:
        """Yield the lines until the job has ended, or its run."""
        self._await_start()
        number = 1
        while self._files.attempt(number).path.exists():
            if number > 1:
                yield f"… attempt {number} …"
            for line in self._lines_of(number):
                yield clean_line(line.decode("utf-8", "replace"), LINE_LIMIT)
            number += 1

    @property
    def _files(self) -> JobFolder:
        return self.folder.job(self.job.id)

    def _is_over(self) -> bool:
        return not self.is_followed or self._files.outcome.exists() or not is_going_on(self.folder)

    def _await_start(self) -> None:
        started = self._files.attempt(1).path.exists
        if not started() and not self._is_over():
            self.remark(f"{self.job.id} has not started yet: waiting")
        while not started() and not self._is_over():
            time.sleep(FOLLOW_S)
        if not started():
            outcome = read_outcome(self.folder, self.job.id)
            why = sentence(outcome) if outcome is not None else "the run ended before this job started"
            self.remark(f"{self.job.id} has no log in run {self.folder.run_id}: {why}")

    def _lines_of(self, number: int) -> Iterator[bytes]:
        log, next_attempt = self._files.attempt(number).log, self._files.attempt(number + 1).path
        offset, rest = self._begin(log), b""
        while True:
            # Asked before reading: what was written until then is read.
            has_ended = self._is_over() or next_attempt.exists()
            content, offset = _added(log, offset)
            *lines, rest = (rest + content).split(b"\n")
            yield from lines
            if len(rest) > CHUNK or (has_ended and rest and not content):  # no end of the line in sight
                yield rest
                rest = b""
            if not content and has_ended:
                return
            time.sleep(0 if content else FOLLOW_S)

    def _begin(self, log: Path) -> int:
        """Return where to begin: at the last part of a log that is followed, else at the first line."""
        try:
            with open_own(log) as file:
                begin = file.seek(0, 2) - AT_FIRST
                if not self.is_followed or begin <= 0:
                    return 0
                file.seek(begin)
                begin += len(file.readline(AT_FIRST))
        except OSError:
            return 0
        self.remark(f"… {begin / 1e6:.1f} MB before this are left out: {log} …")
        return begin


def _added(log: Path, offset: int) -> tuple[bytes, int]:
    """Return what was added to a log, a piece at a time, and where that ends."""
    try:
        with open_own(log) as file:
            file.seek(min(offset, file.seek(0, 2)))
            return file.read(CHUNK), file.tell()
    except OSError:
        return b"", offset
