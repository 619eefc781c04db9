"""Writes what people read of a run, index.html and summary.md, from what is on disk: at its end or years later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_training.atomic import write_atomically
from pytest_training.execution.folder import RunFolder
from pytest_training.records.comparison import Comparison, compare
from pytest_training.records.history import History
from pytest_training.records.recorded_run import RecordedRun, read_run
from pytest_training.records.reference import find_earlier
from pytest_training.reporters.html.page import HISTORY, view_page, write_page
from pytest_training.reporters.markdown import summary


@dataclass(frozen=True)
class Published:
    """A run with its comparison, and the summary that was written."""

    run: RecordedRun
    comparison: Comparison
    summary: str


def publish(folder: RunFolder, *, against: str, project: Path, is_latest: bool) -> Published:
    """Write the run's page and summary into its folder and, for the latest run, to their stable names."""
    run = read_run(folder)
    history = History(folder.stable.history)
    comparison = compared(run, history, against=against, project=project)
    past = history.recent([outcome.job_id for outcome in run.outcomes], HISTORY, through=folder.run_id)
    view = view_page(run, past, comparison)
    write_page(view, stable=folder.stable.copy_of(folder.page) if is_latest else None)
    text = summary(run, comparison)
    for path in (folder.summary, *([folder.stable.copy_of(folder.summary)] if is_latest else [])):
        write_atomically(path, text.encode("utf-8", "replace"))
    return Published(run, comparison, text)


def compared(run: RecordedRun, history: History, *, against: str, project: Path) -> Comparison:
    """Compare a run with what `--training-compare` names."""
    ids = [outcome.job_id for outcome in run.outcomes]
    earlier, words, problem = find_earlier(history, ids, against, project=project, before=run.folder.run_id)
    found = compare(run.outcomes, earlier, against=words)
    return Comparison(found.against, found.jobs, found.missing, (problem,) if problem and against != "last" else ())
