"""`pytest-training table STUDY`: a study's trials, the best first, on the terminal, as CSV or as JSON."""

import argparse
import contextlib
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import asdict, fields, replace

from pytest_training.commands.answers import answer, remark
from pytest_training.commands.comparing import predictions_of
from pytest_training.errors import DeclarationError, TrainingError
from pytest_training.evaluation.noise import LEVEL, judged_difference
from pytest_training.execution.folder import RunFolder
from pytest_training.jobs.plan_file import read_plan
from pytest_training.project import Project
from pytest_training.records.recorded_run import TrainingRun, find_run, is_going_on, read_run, run_ids
from pytest_training.records.studies import StudyRow, StudyTable, studies
from pytest_training.reporters.studies import csv_text, lines, trial_counts, verdict
from pytest_training.wording import one_of

if TYPE_CHECKING:
    from pytest_training.evaluation.record import Predictions

MOST_ROWS, MOST_PAIRED = 50, 200  # on a terminal; compared with the best by their predictions, 40 ms each
UNBOUNDED = 100_000  # columns, where no terminal reads the answer
TableAnswer = msgspec.defstruct(
    "TableAnswer",
    [("run_id", str), *((each.name, str | None if each.name == "best" else each.type) for each in fields(StudyTable))],
    namespace={"__doc__": "The answer of `pytest-training table STUDY --json`: the study with its trials."},
    frozen=True,
    kw_only=True,
)


def table(arguments: argparse.Namespace, project: Project) -> None:
    """Print the trials of a study of the newest run that has it, or of another run."""
    run, study = _find(arguments, project.reports)
    if is_going_on(run.folder):
        remark(f"run {run.folder.run_id} is in progress: a trial that runs counts as interrupted")
    elif not run.is_finished:
        remark(f"run {run.folder.run_id} did not finish: the table has what is on disk")
    most = MOST_ROWS if sys.stdout.isatty() and not (arguments.csv or arguments.json) else len(study.rows)
    study = _paired(study, run, min(most, MOST_PAIRED))
    facts = TableAnswer(run_id=run.folder.run_id, **asdict(study) | {"best": study.best and study.best.id})
    said = [f"{study.id} in run {run.folder.run_id}: {trial_counts(study)}", "* " * bool(study.best) + verdict(study)]
    said += lines(study, width=shutil.get_terminal_size((UNBOUNDED, 0)).columns, most=most)
    answer(arguments, facts, [csv_text(study).rstrip("\n")] if arguments.csv else said)


def _find(arguments: argparse.Namespace, reports: Path) -> tuple[TrainingRun, StudyTable]:
    """Return the newest run that has the study, else some of its trials alone, and its table."""
    names = [find_run(reports, arguments.run).run_id] if arguments.run else run_ids(reports)[::-1]
    ids, folders, is_whole = dict[str, None](), list[RunFolder](), False
    for folder in (RunFolder(reports, run_id) for run_id in names):
        with contextlib.suppress(DeclarationError):  # a damaged plan
            jobs = [planned.job for planned in read_plan(folder.plan).jobs]
            ids |= dict.fromkeys(job.trial_of or job.id for job in jobs if job.trial_of or job.study)
            folders += [folder] * any(arguments.study in (job.trial_of, job.study and job.id) for job in jobs)
            if is_whole := any(job.study and job.id == arguments.study for job in jobs):
                break
    if folders:
        run = read_run(folders[-1 if is_whole else 0])
        if is_whole and folders[1:]:
            remark(f"run {folders[0].run_id} has trials without their study: --run shows them")
        return run, next(study for study in studies(run) if study.id == arguments.study)
    where = f"run {names[0]}" if len(names) == 1 else f"the {len(names)} runs in {reports}"
    keys = "" if ids else " (`matrix:`, `seeds:` or `search:` in jobs.yaml make a job one)"
    raise TrainingError(f"{where}: no study {arguments.study!r}{keys}: {one_of(arguments.study, ids)}")


def _paired(study: StudyTable, run: TrainingRun, most: int) -> StudyTable:
    """Return the table with the first rows' differences to the best, where both predict for the same people."""
    best, metric = study.best, study.metric
    needed = {each.job.id: each.needed for each in run.plan.jobs}.get(study.id, {})

    def predictions(row: StudyRow) -> "Predictions":
        place = needed[row.id].run_id if row.id in needed else run.folder.run_id
        return next(predictions_of(run.folder.reports, [place], row.id, "")).read()

    def judged(row: StudyRow) -> StudyRow:
        pair = None
        if row.is_ranked and metric in row.metrics:
            with contextlib.suppress(StopIteration, TrainingError, ValueError):  # no predictions, or of other people
                pair = differences(predictions(row), over, {metric}, LEVEL).get(metric)
        change = row.metrics.get(metric, 0.0) - value
        return replace(row, behind=judged_difference(change, now=None, before=None, pair=pair))

    if best and not best.spread:
        with contextlib.suppress(ModuleNotFoundError, StopIteration, TrainingError):  # without numpy, or predictions
            from pytest_training.evaluation.comparison import differences  # noqa: PLC0415  (needs numpy and scipy)

            over, value = predictions(best), best.metrics[metric]
            rows = tuple(best if row is best else judged(row) for row in study.rows[:most])
            return replace(study, rows=rows + study.rows[most:], trials=rows + study.trials[most:])
    return study
