"""Questions about earlier runs that pytest answers in place of a session: report, history, logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pytest_training import options
from pytest_training.errors import TrainingError
from pytest_training.execution.folder import RunFolder
from pytest_training.jobs.names import listing
from pytest_training.jobs.plan import read_plan
from pytest_training.records.events import open_plainly
from pytest_training.records.history import History, Recorded
from pytest_training.records.recorded_run import find_run, run_ids, running_run
from pytest_training.reporting.console import sentence, status_word
from pytest_training.reporting.measures import headline
from pytest_training.reporting.publishing import publish
from pytest_training.reporting.text import clean_line, duration, fit, number, one_line, table

PAST_OF_ONE, PAST_OF_ALL = 30, 3
FOLLOW_S = 0.2
FIRST_LINES = 200  # of a log that is already long when somebody begins to follow it


def answer(config: pytest.Config) -> int:
    """Print the answer; return the exit status."""
    chosen = options.read_options(config)
    given = config.option
    try:
        if given.training_report is not None:
            _report(chosen, str(given.training_report))
        elif given.training_history is not None:
            _history(chosen, str(given.training_history))
        else:
            _follow(chosen, str(given.training_logs))
    except TrainingError as error:
        raise pytest.UsageError(str(error)) from None
    except BrokenPipeError:  # `pytest --training-logs als | head`
        sys.stderr.close()
    except KeyboardInterrupt:
        return int(pytest.ExitCode.INTERRUPTED)
    return int(pytest.ExitCode.OK)


def _report(chosen: options.Options, name: str) -> None:
    folder = find_run(chosen.reports, name)
    is_latest = run_ids(chosen.reports)[-1:] == [folder.run_id]
    published = publish(folder, against=chosen.compare or "last", project=chosen.project, is_latest=is_latest)
    _print(f"run {folder.run_id}: {len(published.run.outcomes)} jobs")
    if not published.run.is_finished:
        _print("this run did not finish: the report shows what is on disk")
    for problem in published.comparison.problems:
        _print(f"warning: {problem}")
    for path in (folder.page, folder.summary, *([folder.reports / "index.html"] if is_latest else [])):
        _print(f"wrote {path}")


def _history(chosen: options.Options, job_id: str) -> None:
    history = History(chosen.reports / "history.sqlite")
    known = history.job_ids()
    if job_id and known and job_id not in known:
        raise TrainingError(f"--training-history: expected one of {listing(job_id, known)}, found {job_id!r}")
    wanted, limit = ([job_id], PAST_OF_ONE) if job_id else (known, PAST_OF_ALL)
    found = history.recent(wanted, limit)
    rows = [_history_row(recorded) for name in wanted for recorded in reversed(found.get(name, []))]
    for problem in history.problems:
        _print(f"warning: {problem}")
    if not rows:
        _print(f"no history: no run is recorded in {history.path}")
        return
    for line in table(("job", "when", "status", "metric", "duration", "commit", "run"), rows):
        _print(line)


def _history_row(recorded: Recorded) -> tuple[str, ...]:
    outcome, found = recorded.outcome, headline(recorded.outcome)
    told = f"{one_line(found.name, 40)} {number(found.value)}" if found else sentence(outcome)
    commit = (recorded.commit or "")[:10] + ("+" if recorded.commit and recorded.dirty else "")
    return (
        one_line(outcome.job_id, 40),
        recorded.started[:16].replace("T", " "),
        status_word(outcome),
        fit(told, 48),
        duration(outcome.wall_s),
        commit,
        recorded.run_id,
    )


def _follow(chosen: options.Options, job_id: str) -> None:
    folder = running_run(chosen.reports)
    is_going_on = folder is not None
    folder = folder or find_run(chosen.reports, "last")
    known = [planned.job.id for planned in read_plan(folder.plan).jobs]
    if job_id not in known:
        raise TrainingError(
            f"--training-logs: run {folder.run_id} has no job {job_id!r}: expected one of {listing(job_id, known)}"
        )
    what = "running" if is_going_on else "ended"
    sys.stderr.write(f"log of {one_line(job_id)} in run {folder.run_id} ({what})\n")
    for line in log_lines(folder, job_id, is_over=lambda: _is_over(chosen.reports, folder, job_id)):
        _print(line)


def _is_over(reports: Path, folder: RunFolder, job_id: str) -> bool:
    return folder.job(job_id).outcome.exists() or running_run(reports) != folder


def log_lines(folder: RunFolder, job_id: str, *, is_over: Callable[[], bool]) -> Iterator[str]:
    """Yield a job's log line by line, of each attempt, until it is over and nothing is left."""
    job, number_of, offset, rest = folder.job(job_id), 1, None, b""
    while True:
        ends = is_over()  # asked before reading: what was written until then is read
        content, offset = _added(job.attempt(number_of).log, offset)
        *lines, rest = (rest + content).split(b"\n")
        yield from _decoded(lines)
        if len(rest) > 2**20:  # no end of the line in sight
            yield from _decoded([rest])
            rest = b""
        if content:
            continue
        if job.attempt(number_of + 1).path.exists():
            yield from _decoded([rest] if rest else [])
            number_of, offset, rest = number_of + 1, None, b""
            yield f"… attempt {number_of} …"
        elif ends:
            yield from _decoded([rest] if rest else [])
            return
        else:
            time.sleep(FOLLOW_S)


def _added(log: Path, offset: int | None) -> tuple[bytes, int | None]:
    """Return what was added to a log, and where it ends; of a long one at first its last part."""
    try:
        with open_plainly(log) as file:
            size = file.seek(0, 2)
            if offset is None:
                offset = max(0, size - FIRST_LINES * 200)
                file.seek(offset)
                if offset:
                    offset += len(file.readline())
            file.seek(min(offset, size))
            content = file.read(2**20)
            return content, min(offset, size) + len(content)
    except OSError:
        return b"", offset


def _decoded(lines: Sequence[bytes]) -> Iterator[str]:
    for line in lines:
        yield clean_line(line.decode("utf-8", "replace"), 2000)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
