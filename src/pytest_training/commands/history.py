"""`pytest-training history [JOB]`: the last runs of a job or of all jobs."""

from __future__ import annotations

import argparse

from pytest_training.commands.output import remark, say, say_json
from pytest_training.errors import TrainingError
from pytest_training.execution.folder import ReportsFolder
from pytest_training.project import Project
from pytest_training.records.history import History, Recorded
from pytest_training.records.measures import headline
from pytest_training.reporters.console import sentence, status_word
from pytest_training.text import fit, one_line, table
from pytest_training.units import duration, number
from pytest_training.wording import did_you_mean, listing

PAST_OF_ONE, PAST_OF_ALL = 30, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("job", metavar="JOB", nargs="?", help="the job's id (default: all jobs)")
    parser.add_argument("--json", action="store_true", help="print a list of outcomes as JSON")


def answer(arguments: argparse.Namespace, project: Project) -> None:
    """Print the outcomes, the oldest of each job first."""
    history = History(ReportsFolder(project.reports).history)
    recorded = _outcomes(history, arguments.job)
    for problem in history.problems:
        remark(f"warning: {problem}")
    if arguments.json:
        say_json(recorded)
    elif recorded:
        for line in table(("job", "when", "status", "metric", "duration", "commit", "run"), map(_row, recorded)):
            say(line)
    else:
        say(f"no history: no run is recorded in {history.path}")


def _outcomes(history: History, job_id: str | None) -> list[Recorded]:
    job_ids = history.job_ids()
    if job_id and job_ids and job_id not in job_ids:
        suggestion = did_you_mean(job_id, job_ids)
        raise TrainingError(f"expected one of {listing(job_id, job_ids)}, found {job_id!r}{suggestion}")
    recent = history.recent([job_id], PAST_OF_ONE) if job_id else history.recent(job_ids, PAST_OF_ALL)
    return [recorded for newest_first in recent.values() for recorded in reversed(newest_first)]


def _row(recorded: Recorded) -> tuple[str, ...]:
    outcome, metric = recorded.outcome, headline(recorded.outcome)
    result = f"{one_line(metric.name, 40)} {number(metric.value)}" if metric else sentence(outcome)
    return (
        one_line(outcome.job_id, 40),
        recorded.started[:16].replace("T", " "),
        status_word(outcome),
        fit(result, 48),
        duration(outcome.wall_s),
        recorded.short_commit,
        recorded.run_id,
    )
