"""`pytest-training history [JOB]`: the last runs of a job or of all jobs."""

from __future__ import annotations

import argparse

from pytest_training.commands.output import check_job, remark, say, say_json
from pytest_training.execution.folder import ReportsFolder
from pytest_training.project import Project
from pytest_training.records.history import History, Recorded
from pytest_training.reporters.console import main_metric, sentence, status_word
from pytest_training.text import fit, one_line, table
from pytest_training.units import duration

PAST_OF_ONE, PAST_OF_ALL = 30, 3


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
    if job_id and job_ids:
        check_job(job_id, job_ids, "the history")
    recent = history.recent([job_id], PAST_OF_ONE) if job_id else history.recent(job_ids, PAST_OF_ALL)
    return [recorded for newest_first in recent.values() for recorded in reversed(newest_first)]


def _row(recorded: Recorded) -> tuple[str, ...]:
    outcome = recorded.outcome
    return (
        one_line(outcome.job_id, 40),
        recorded.started[:16].replace("T", " "),
        status_word(outcome),
        fit(main_metric(outcome, interval=False) or sentence(outcome), 48),
        duration(outcome.wall_s),
        recorded.short_commit,
        recorded.run_id,
    )
