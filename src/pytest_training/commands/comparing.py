"""`pytest-training compare A B`: paired tests of the predictions of two jobs, or of two runs of a job."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_training.commands.answers import answer, remark
from pytest_training.errors import TrainingError
from pytest_training.evaluation.result import Evaluation, file_name
from pytest_training.execution.folder import AttemptFolder, RunFolder
from pytest_training.execution.job_files import read_json
from pytest_training.project import Project
from pytest_training.records.recorded_run import find_run, run_ids
from pytest_training.text import one_line, table
from pytest_training.units import number
from pytest_training.wording import one_of

if TYPE_CHECKING:
    from pytest_training.evaluation.record import Predictions

ANY_NAME = "predictions*.csv"
LAST, PREVIOUS = "last", "previous"  # of the runs that have predictions of the job


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    words: str  # `als in run 2026…`
    path: Path  # of its record of predictions
    evaluation: Evaluation | None

    def read(self) -> "Predictions":
        """Return the record of its predictions, or raise TrainingError."""
        from pytest_training.evaluation import record  # noqa: PLC0415  (needs numpy)

        cutoff = self.evaluation.cutoff if self.evaluation else None
        try:
            return record.read(self.path, cutoff=cutoff or 0.5)
        except (ValueError, LookupError, TypeError) as error:  # damaged, or not ours
            raise TrainingError(f"{self.path}: expected a record of predictions, found none: {error}") from None


def compare(arguments: argparse.Namespace, project: Project) -> None:
    """Print the difference of two jobs' predictions of the same people, with its interval, by each test that fits."""
    sides = [_find(project.reports, words, arguments.name) for words in (arguments.first, arguments.second)]
    if sides[0].path == sides[1].path:
        raise TrainingError(
            f"{arguments.first} and {arguments.second} are the same predictions, {sides[0].words}; "
            f"expected another job, or another run: {arguments.second.partition('@')[0]}@{PREVIOUS}"
        )
    try:
        from pytest_training.evaluation.comparison import paired  # noqa: PLC0415  (needs numpy and scipy)

        first, second = (side.read() for side in sides)
        tests = paired(first, second)
    except ModuleNotFoundError as error:
        extra = "pip install 'pytest-training[evaluation]'"
        raise TrainingError(f"compare needs {error.name}, which is not installed: {extra}") from None
    except ValueError as error:
        raise TrainingError(str(error)) from None
    for side, record in zip(sides, (first, second), strict=True):
        whole = side.evaluation.rows * side.evaluation.repeats if side.evaluation else 0
        if len(record.truth) < whole:
            remark(f"{side.words}: {len(record.truth)} of {whole} predictions are in its file, and compared")
    metrics = [side.evaluation.metrics if side.evaluation else {} for side in sides]
    named = [{"job": s.words, "path": str(s.path), "metrics": own} for s, own in zip(sides, metrics, strict=True)]
    facts = {"first": named[0], "second": named[1], "tests": tests}
    title = f"{sides[0].words} against {sides[1].words}, on the same {first.people[1]} people:"
    words = [(f"{number(t.low)} to {number(t.high)}", "< 0.001" if t.p < 0.001 else number(t.p)) for t in tests]
    rows = [(t.test, t.metric, f"{t.difference:+.3g}", *each) for t, each in zip(tests, words, strict=True)]
    answer(arguments, facts, [title, *table(("test", "metric", "difference", "95 % interval", "p"), rows)])


def _find(reports: Path, words: str, name: str) -> Side:
    """Return the newest predictions of `JOB`, or those of `JOB@RUN`."""
    job_id, _, run = words.rpartition("@") if "@" in words else (words, "", LAST)
    is_place = run in {LAST, PREVIOUS, ""}
    names = list(reversed(run_ids(reports))) if is_place else [find_run(reports, run).run_id]
    if not names:
        raise TrainingError(f"no run in {reports}")
    sides = predictions_of(reports, names, job_id, name)
    side = next(sides, None)
    if side and run == PREVIOUS and (side := next(sides, None)) is None:
        raise TrainingError(f"{reports}: one run alone has predictions of job {job_id!r}; expected one before it")
    if side:
        return side
    where = f"the {len(names)} runs in {reports}" if is_place else f"run {names[0]}"
    attempts = [attempt for each in names for attempt in _attempts(RunFolder(reports, each), job_id)]
    if own := sorted({path.stem[len("predictions_") :] for each in attempts for path in each.path.glob(ANY_NAME)}):
        which = f"named {name!r}" if name else "without --name"
        named = one_of(name, [each or "no --name" for each in own])
        raise TrainingError(f"{where}: job {job_id!r} has no predictions {which}: {named}")
    folders = [RunFolder(reports, each).path / "jobs" for each in names]
    paths = [(path, jobs) for jobs in folders for path in jobs.glob(f"**/attempt-*/{ANY_NAME}")]
    others = {path.parents[1].relative_to(jobs).as_posix() for path, jobs in paths}
    raise TrainingError(f"{where}: no predictions of job {job_id!r}: {one_of(job_id, sorted(others))}")


def predictions_of(reports: Path, names: list[str], job_id: str, name: str) -> Iterator[Side]:
    """Yield the predictions of that name of each run that has them, of its last attempt with them."""
    for run_id in names:
        for attempt in _attempts(RunFolder(reports, run_id), job_id):
            if (path := attempt.path / file_name("predictions", name)).is_file():
                evaluation = read_json(attempt.path / file_name("evaluation", name), Evaluation)
                yield Side(f"{one_line(job_id, 80)} in run {run_id}", path, evaluation)
                break


def _attempts(folder: RunFolder, job_id: str) -> Iterator[AttemptFolder]:
    """Yield the attempts of a job, the last one first."""
    files = folder.job(job_id)
    yield from (files.attempt(number) for number in range(files.next_attempt() - 1, 0, -1))
