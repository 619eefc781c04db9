"""`pytest-training table STUDY`: a study's trials, the best first, on the terminal, as CSV or as JSON."""

import argparse
import contextlib
import math
import shutil
import sys
from typing import TYPE_CHECKING

from msgspec.structs import asdict, replace

from pytest_training.commands.answers import remark, say
from pytest_training.commands.comparing import predictions_of
from pytest_training.errors import DeclarationError, TrainingError
from pytest_training.evaluation.noise import Difference
from pytest_training.execution.folder import RunFolder
from pytest_training.jobs.plan_file import read_plan
from pytest_training.project import Project
from pytest_training.records.recorded_run import TrainingRun, find_run, read_run, run_ids
from pytest_training.records.strict_json import encode
from pytest_training.records.studies import StudyRow, StudyTable, studies
from pytest_training.reporters.studies import csv_text, lines, trial_counts, verdict
from pytest_training.wording import one_of

if TYPE_CHECKING:
    from pytest_training.evaluation.record import Predictions

MOST_ROWS = 50
UNBOUNDED = 100_000  # columns, where no terminal reads the answer


def table(arguments: argparse.Namespace, project: Project) -> None:
    """Print the trials of a study of the newest run that has it, or of another run."""
    run, study = _find(arguments, project)
    if not run.is_finished:
        remark(f"run {run.folder.run_id} did not finish: the table has what is on disk")
    if arguments.csv or arguments.json:
        study = _paired(study, run, len(study.rows))
        answer = {"run_id": run.folder.run_id, **asdict(study), "best": study.best and study.best.id}
        say(csv_text(study).rstrip("\n") if arguments.csv else encode(answer, indent=2).decode())
        return
    width = shutil.get_terminal_size((UNBOUNDED, 0)).columns
    most = MOST_ROWS if sys.stdout.isatty() else len(study.rows)
    say(f"{study.id} in run {run.folder.run_id}: {trial_counts(study)}")
    say(f"* {verdict(study)}" if study.best else verdict(study))
    for line in lines(_paired(study, run, most), width=width, most=most):
        say(line)


def _find(arguments: argparse.Namespace, project: Project) -> tuple[TrainingRun, StudyTable]:
    """Return the newest run that has the study, and its table; without a name the study of the newest run with one."""
    reports, wanted = project.reports, arguments.study
    names = [find_run(reports, arguments.run).run_id] if arguments.run else run_ids(reports)[::-1]
    ids: dict[str, str] = {}  # of studies, with their newest run
    for run_id in names:
        own = _study_ids(RunFolder(reports, run_id))
        ids = dict.fromkeys(own, run_id) | ids
        if wanted in own or (own and not wanted):
            break
    wanted = next(iter(ids), "") if wanted is None and len(ids) == 1 else wanted or ""
    where = f"run {names[0]}" if len(names) == 1 else f"the {len(names)} runs in {reports}"
    if not ids:
        raise TrainingError(f"{where}: expected a study: `matrix:`, `seeds:` or `search:` in jobs.yaml make a job one")
    if wanted not in ids:
        problem = f"no study {wanted!r}" if wanted else "no study is named"
        raise TrainingError(f"{where}: {problem}: {one_of(wanted, ids)}")
    run = read_run(RunFolder(reports, ids[wanted]))
    return run, next(study for study in studies(run) if study.id == wanted)


def _study_ids(folder: RunFolder) -> list[str]:
    """Return the ids of a run's studies, also of those whose trials alone were selected."""
    with contextlib.suppress(DeclarationError):  # a damaged plan
        jobs = [planned.job for planned in read_plan(folder.plan).jobs]
        return [*dict.fromkeys(job.trial_of or job.id for job in jobs if job.trial_of or job.study)]
    return []


def _paired(study: StudyTable, run: TrainingRun, most: int) -> StudyTable:
    """Return the table with the first rows' differences to the best, by paired tests where these are possible."""
    best, needed = study.best, {each.job.id: each.needed for each in run.plan.jobs}.get(study.id, {})
    if best is None or best.spread:
        return study

    def predictions(row: StudyRow) -> "Predictions":
        place = needed[row.id].run_id if row.id in needed else run.folder.run_id
        return next(predictions_of(run.folder.reports, [place], row.id, "")).read()

    def judged(row: StudyRow) -> StudyRow:
        with contextlib.suppress(StopIteration, TrainingError, ValueError):  # no predictions, or of other people
            test = paired(predictions(row), over)[0]
            expected = row.metrics.get(study.metric, math.nan) - best.metrics[study.metric]
            if test.low is not None and test.high is not None and math.isclose(test.difference, expected, abs_tol=1e-6):
                return replace(row, behind=Difference(test.difference, test.low, test.high, test.test))
        return row

    with contextlib.suppress(ModuleNotFoundError, StopIteration, TrainingError):  # without numpy, or predictions
        from pytest_training.evaluation.comparison import paired  # noqa: PLC0415  (needs numpy and scipy)

        over = predictions(best)
        rows = tuple(judged(row) if row.is_ranked and row is not best else row for row in study.rows[:most])
        return replace(study, rows=rows + study.rows[most:], trials=rows + study.trials[most:])
    return study
