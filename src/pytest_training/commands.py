"""Questions about earlier runs that pytest answers in place of a session: report, history, logs."""

from __future__ import annotations

import sys

import pytest

from pytest_training import option_values
from pytest_training.errors import TrainingError
from pytest_training.execution.folder import ReportsFolder
from pytest_training.jobs.plan_file import read_plan
from pytest_training.records.history import History, Recorded
from pytest_training.records.measures import headline
from pytest_training.records.recorded_run import find_run, run_ids, running_run
from pytest_training.reporters.console import sentence, status_word
from pytest_training.reporters.job_log import JobLog
from pytest_training.reporters.publishing import publish
from pytest_training.text import fit, one_line, table
from pytest_training.units import duration, number
from pytest_training.wording import listing

PAST_OF_ONE, PAST_OF_ALL = 30, 3


def answer(config: pytest.Config) -> int:
    """Print the answer; return the exit status."""
    chosen = option_values.read_options(config)
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


def _report(chosen: option_values.Options, name: str) -> None:
    folder = find_run(chosen.reports, name)
    is_latest = run_ids(chosen.reports)[-1:] == [folder.run_id]
    published = publish(folder, against=chosen.compare or "last", project=chosen.project, is_latest=is_latest)
    _print(f"run {folder.run_id}: {len(published.run.outcomes)} jobs")
    if not published.run.is_finished:
        _print("this run did not finish: the report shows what is on disk")
    for problem in published.comparison.problems:
        _print(f"warning: {problem}")
    for path in (folder.page, folder.summary, *([folder.stable.copy_of(folder.page)] if is_latest else [])):
        _print(f"wrote {path}")


def _history(chosen: option_values.Options, job_id: str) -> None:
    history = History(ReportsFolder(chosen.reports).history)
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


def _follow(chosen: option_values.Options, job_id: str) -> None:
    running = running_run(chosen.reports)
    folder = running or find_run(chosen.reports, "last")
    jobs = {planned.job.id: planned.job for planned in read_plan(folder.plan).jobs}
    if job_id not in jobs:
        raise TrainingError(
            f"--training-logs: run {folder.run_id} has no job {job_id!r}: expected one of {listing(job_id, jobs)}"
        )
    _remark(f"log of {job_id} in run {folder.run_id} ({'ended' if running is None else 'running'})")
    for line in JobLog(folder, jobs[job_id], is_followed=running is not None, remark=_remark).lines():
        _print(line)


def _remark(line: str) -> None:
    sys.stderr.write(f"{one_line(line)}\n")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
