"""Answers about runs from their files, one function a verb. An answer goes to stdout, everything else to stderr."""

import argparse
import contextlib
import fnmatch
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from pytest_training.errors import DeclarationError, TrainingError
from pytest_training.execution import job_files, slot
from pytest_training.execution.folder import ReportsFolder, RunFolder
from pytest_training.execution.unfinished import begun_attempt
from pytest_training.jobs import lookup, model
from pytest_training.jobs.plan_file import read_plan
from pytest_training.project import Project
from pytest_training.records.history import History, Recorded
from pytest_training.records.recorded_run import find_run, is_going_on, read_run, run_ids, running_run
from pytest_training.records.strict_json import encode
from pytest_training.reporters.console import main_metric, sentence, status_word
from pytest_training.text import clean_line, fit, one_line, table
from pytest_training.units import duration
from pytest_training.wording import one_of

GUIDE = Path(__file__).with_name("guide.txt")
PAST_OF_ONE, PAST_OF_ALL = 30, 3
FOLLOW_S = 0.2
AT_FIRST = 40_000  # bytes of a log that is already long when somebody begins to follow it
CHUNK = 2**20
LINE_LIMIT = 2_000


def logs(arguments: argparse.Namespace, project: Project) -> None:
    """Print the log of a job; until the job ends if the run is in progress."""
    running = running_run(project.reports) or running_run(ReportsFolder(project.reports).smoke)
    folder = running or readable_run(project.reports, "last")
    jobs, job_id = {planned.job.id: planned.job for planned in read_plan(folder.plan).jobs}, arguments.job
    check_job(job_id, jobs, f"run {folder.run_id}")
    remark(f"log of {job_id} in run {folder.run_id} ({'ended' if running is None else 'running'})")
    for line in JobLog(folder, jobs[job_id], is_followed=running is not None, remark=remark).lines():
        say(line)


def history(arguments: argparse.Namespace, project: Project) -> None:
    """Print the last outcomes of a job or of all jobs, the oldest of each job first; the job that ran last is last."""
    file = History(ReportsFolder(project.reports).history)
    recent = _recent(file, file.job_ids(), arguments.job)
    by_newest = sorted(filter(None, recent.values()), key=lambda newest_first: newest_first[0].run_id)
    recorded = [each for newest_first in by_newest for each in reversed(newest_first)]
    note_problems(file)
    rows = table(("job", "when", "status", "metric", "duration", "commit", "run"), map(_row, recorded))
    answer(arguments, recorded, rows if recorded else [f"no history: no run is recorded in {file.path}"])


def _recent(file: History, job_ids: Sequence[str], wanted: str | None) -> dict[str, list[Recorded]]:
    """Return outcomes by job, newest first: of all jobs but trials, or of the named ones with their trials."""
    if not wanted:
        recent = file.recent(job_ids, PAST_OF_ALL)
        return {job_id: each for job_id, each in recent.items() if not each or each[0].outcome.trial_of not in recent}
    own = fnmatch.filter(job_ids, wanted) or [wanted]
    if job_ids:
        check_job(own[0], job_ids, "the history")
    trials = {each for each in job_ids if each.startswith(tuple(f"{job_id}-" for job_id in own))}.difference(own)
    recent = file.recent(sorted(trials), PAST_OF_ALL)
    of_studies = {job_id: each for job_id, each in recent.items() if each and each[0].outcome.trial_of in own}
    return of_studies | file.recent(own, PAST_OF_ONE)  # a study last, where a terminal shows it


def report(arguments: argparse.Namespace, project: Project) -> None:
    """Write page and summary of an earlier run from what is on disk, and print where they are."""
    from pytest_training.reporters.html.page import write_page  # noqa: PLC0415  (imports jinja2)
    from pytest_training.reporters.markdown import write_summary  # noqa: PLC0415  (only needed here)

    folder = readable_run(project.reports, arguments.run)
    if is_going_on(folder):
        raise TrainingError(f"run {folder.run_id} is still running and writes its page itself: report again at its end")
    is_latest = arguments.run == "last" or run_ids(project.reports)[-1:] == [folder.run_id]
    code = lookup.project_of(project.training_root, project.root)
    run = read_run(folder, model.RunSettings(compare=arguments.compare, project=str(code)))
    write_page(run, is_latest=is_latest)
    write_summary(run, is_latest=is_latest)
    written = [folder.page, folder.summary, *([folder.stable.copy_of(folder.page)] if is_latest else [])]
    for problem in run.comparison.problems:
        remark(f"warning: {problem}")
    lines = [f"run {folder.run_id}: {len(run.outcomes)} jobs"]
    lines += [] if run.is_finished else ["this run did not finish: the report shows what is on disk"]
    facts = {"run_id": folder.run_id, "is_finished": run.is_finished, "outcomes": run.outcomes, "written": written}
    answer(arguments, facts, [*lines, *(f"wrote {path}" for path in written)])


def guide(arguments: argparse.Namespace, project: Project) -> None:  # noqa: ARG001  (as every verb)
    """Print one page of commands and files, for a program that drives pytest-training."""
    say(GUIDE.read_text(encoding="utf-8").rstrip("\n"))


def answer(arguments: argparse.Namespace, value: Any, lines: Iterable[str]) -> None:
    """Print the answer: the value as JSON if the command line asks for that, else the lines."""
    for line in [encode(value, indent=2).decode()] if arguments.json else lines:
        say(line)


def readable_run(reports: Path, name: str) -> RunFolder:
    """Return a run by its name; for `last`, name and skip those without a readable plan."""
    for run_id in reversed(run_ids(reports) if name == "last" else ()):
        try:
            read_plan(RunFolder(reports, run_id).plan)
        except DeclarationError as error:
            remark(f"warning: run {run_id} is skipped: {error}")
        else:
            return RunFolder(reports, run_id)
    return find_run(reports, name)


def say(line: str) -> None:
    """Print a line of the answer at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def remark(line: str) -> None:
    """Print a line that is no part of the answer."""
    sys.stderr.write(f"{one_line(line)}\n")


def note_problems(file: History) -> None:
    """Print what is wrong with the history."""
    for problem in dict.fromkeys(file.problems):
        remark(f"warning: {problem}")


def check_job(job_id: str, job_ids: Collection[str], place: str) -> None:
    """Raise TrainingError, with the names that there are, unless the job is one of them."""
    if job_id not in job_ids:
        raise TrainingError(f"{place} has no job {job_id!r}: {one_of(job_id, job_ids)}")


def _row(recorded: Recorded) -> tuple[str, ...]:
    outcome, when = recorded.outcome, recorded.started[:16].replace("T", " ")
    metric = fit(main_metric(outcome, interval=False) or sentence(outcome), 48)
    start = (one_line(outcome.job_id, 40), when, status_word(outcome), metric)
    took = duration(outcome.took_s) + (f" on {one_line(outcome.host, 24)}" if outcome.host else "")
    return (*start, took, recorded.short_commit, recorded.run_id)


class JobLog(Struct, frozen=True):
    """The log of a job, of all its attempts: without escape sequences, which would move somebody else's cursor."""

    folder: RunFolder
    job: model.Job
    is_followed: bool  # True if the run is in progress, so that there may be more to come
    remark: Callable[[str], object]  # called with what is no part of the log

    def lines(self) -> Iterator[str]:
        """Yield the lines until the job has ended, or its run."""
        self._await_start()
        number = 1
        while (files := self.folder.job(self.job.id).attempt(number)).path.exists():
            if number > 1:
                yield f"… attempt {number} …"
            if (attempt := begun_attempt(files)) and attempt.host:
                self.remark(f"attempt {number} is on {attempt.place}")
            for line in self._lines_of(number):
                yield clean_line(line.decode("utf-8", "replace"), LINE_LIMIT)
            number += 1

    def _is_over(self) -> bool:
        return not self.is_followed or self.folder.job(self.job.id).outcome.exists() or not is_going_on(self.folder)

    def _await_start(self) -> None:
        started = self.folder.job(self.job.id).attempt(1).path.exists
        if not started() and not self._is_over():
            self.remark(f"{self.job.id} has not started yet: waiting")
        while not started() and not self._is_over():
            time.sleep(FOLLOW_S)
        if not started():
            outcome = slot.read_outcome(self.folder, self.job.id)
            why = sentence(outcome) if outcome is not None else "the run ended before this job started"
            self.remark(f"{self.job.id} has no log in run {self.folder.run_id}: {why}")

    def _lines_of(self, number: int) -> Iterator[bytes]:
        attempt = self.folder.job(self.job.id).attempt
        log, next_attempt = attempt(number).log, attempt(number + 1).path
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
            with job_files.open_own(log) as file:
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
    with contextlib.suppress(OSError), job_files.open_own(log) as file:
        file.seek(min(offset, file.seek(0, 2)))
        return file.read(CHUNK), file.tell()
    return b"", offset
