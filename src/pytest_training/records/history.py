"""Every outcome of every run, in one SQLite file. The controller alone writes it; no error here stops a run."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pytest_training.execution.equipment import this_machine
from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.model import Job, Value
from pytest_training.records import history_file
from pytest_training.records.durations import Measured, expected_seconds, is_positive
from pytest_training.records.history_file import UnusableHistoryError, insert, outcome_row, read_column, run_row
from pytest_training.records.run_record import Provenance, RunRecord
from pytest_training.records.strict_json import plain, text

T = TypeVar("T")
RECORDED = (
    'SELECT o.run_id, o.started, o.outcome, r."commit", r.branch, r.dirty'
    " FROM outcomes o LEFT JOIN runs r ON r.run_id = o.run_id"
)
REMEMBERED = 20  # outcomes read per job: enough to find equal parameters, cheap with 1,000 jobs
COMPARABLE = " AND (o.status = 'passed' OR o.cause = 'gate' OR (o.cause = 'result' AND o.metrics != '{}'))"
"""Outcomes whose metrics are those of a whole training."""
ENDED = " AND o.status IN ('passed', 'failed')"
PASSED = " AND o.status = 'passed'"
UP_TO = " AND o.id <= coalesce((SELECT max(id) FROM outcomes WHERE run_id = ?), 9223372036854775807)"
BEFORE = (
    " AND o.id < coalesce((SELECT min(id) FROM outcomes WHERE run_id = ?),"
    " (SELECT min(id) FROM outcomes WHERE run_id > ?), 9223372036854775807)"
)
"""By id: a clock may jump back. A run that was killed has no rows: its own id says when it was."""
UNKNOWN = "earlier outcomes are unknown"
NOT_COMPARED = "there is nothing to compare with"
UNUSABLE = (sqlite3.Error, OSError, UnusableHistoryError)


class Recorded(Value, frozen=True, kw_only=True):
    """An outcome of an earlier run, with that run's commit."""

    run_id: str
    started: str
    outcome: Outcome
    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None

    @property
    def short_commit(self) -> str:
        """The commit's first letters, `+` if files differed from it, or nothing."""
        return f"{self.commit[:10]}{'+' if self.dirty else ''}" if self.commit else ""


class Origin(NamedTuple):
    """What a run can be named by, and when it began."""

    run_id: str
    branch: str | None
    commit: str | None
    started: str | None


class Place(NamedTuple):
    """Outcomes by a column of their run: its branch, the beginning of its commit or of its run_id."""

    words: str = ""
    column: str = ""
    value: str = ""


ANYWHERE = Place()


class History:
    """The history file. Reading creates none; errors become sentences in `problems` and are never raised."""

    def __init__(self, path: Path, *, machine: str | None = None, timeout_s: float = 5.0) -> None:
        self.path = path
        self.machine = machine or this_machine().id
        self.timeout_s = timeout_s
        self.problems: list[str] = []

    def expected(self, jobs: Sequence[Job]) -> dict[str, float]:
        """Return the expected seconds of each job that passed on this machine before."""
        measured = self.measured([job.id for job in jobs])
        expected = ((job.id, expected_seconds(plain(job.parameters), measured.get(job.id, ()))) for job in jobs)
        return {job_id: seconds for job_id, seconds in expected if seconds is not None}

    def measured(self, job_ids: Sequence[str]) -> dict[str, list[Measured]]:
        """Return what whole trainings of each job took on this machine, newest first, by job id."""
        rows = self._by_job(
            job_ids,
            "SELECT wall_s, parameters FROM outcomes WHERE job_id = ? AND machine = ?"
            " AND (status = 'passed' OR cause = 'gate') AND wall_s > 0"
            " ORDER BY id DESC LIMIT ?",  # by id: a clock may jump back
            (self.machine, REMEMBERED),
            "how long jobs take is unknown",
        )
        valid = {job_id: [row for row in several if is_positive(row[0])] for job_id, several in rows.items()}
        return {
            job_id: [Measured(seconds=row[0], parameters=read_column(row[1], dict[str, Any]) or {}) for row in several]
            for job_id, several in valid.items()
        }

    def newest(
        self, job_ids: Sequence[str], *, place: Place = ANYWHERE, before: str | None = None, which: str = COMPARABLE
    ) -> dict[str, Recorded]:
        """Return each job's newest outcome, by default of a whole training; ignore run `before` and later ones."""
        condition, arguments = _condition(place)
        if before is not None:
            condition, arguments = condition + BEFORE, (*arguments, text(before), text(before))
        recorded = self._recorded(job_ids, 1, condition + which, arguments, NOT_COMPARED)
        return {job_id: recent[0] for job_id, recent in recorded.items() if recent}

    def recent(self, job_ids: Sequence[str], limit: int, *, through: str | None = None) -> dict[str, list[Recorded]]:
        """Return each job's last outcomes, newest first, by job id; ignore those of runs after `through`."""
        condition, arguments = (UP_TO, (text(through),)) if through else ("", ())
        return self._recorded(job_ids, limit, condition, arguments, UNKNOWN)

    def job_ids(self) -> list[str]:
        """Return the ids of all jobs in the history."""
        return [str(job_id) for (job_id,) in self._rows("SELECT DISTINCT job_id FROM outcomes ORDER BY job_id")]

    def origins(self) -> list[Origin]:
        """Return what each run can be named by, the newest first."""
        query = 'SELECT run_id, branch, "commit", started FROM runs ORDER BY run_id DESC'
        return [Origin(*row) for row in self._rows(query, NOT_COMPARED)]

    def each(self, visit: Callable[[Recorded], object], column: str = "", value: str = "") -> None:
        """Visit every outcome, or each of a run or job, the newest first."""
        where, arguments = (f" WHERE o.{column} = ?", (text(value),)) if column else ("", ())
        query = f"{RECORDED}{where} ORDER BY o.id DESC"
        self._read(lambda db: [visit(it) for it in map(_recorded, db.execute(query, arguments)) if it], UNKNOWN)

    def add(self, run: RunRecord, outcomes: Sequence[Outcome], provenance: Provenance) -> None:
        """Record a run and its outcomes in one transaction; a second call for the same run replaces them."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._write(run, outcomes, provenance)
            except sqlite3.DatabaseError as error:
                if not history_file.is_damaged(error):
                    raise
                copy = history_file.set_aside(self.path)
                self._report(error, f"it is kept as {copy.name}, and a new history begins with this run")
                self._write(run, outcomes, provenance)
        except UNUSABLE as error:
            self._report(error, f"run {run.run_id} is not in the history (its run folder has its outcomes)")

    def _read(self, question: Callable[[sqlite3.Connection], T], otherwise: str) -> T | None:
        try:
            if not self.path.exists():
                return None
            with history_file.opened(self.path, create=False, timeout_s=self.timeout_s) as connection:
                return question(connection) if history_file.schema_version(connection) else None
        except UNUSABLE as error:
            self._report(error, otherwise)
        return None

    def _rows(self, query: str, otherwise: str = UNKNOWN) -> list[tuple[Any, ...]]:
        return self._read(lambda connection: connection.execute(query).fetchall(), otherwise) or []

    def _recorded(
        self, job_ids: Sequence[str], limit: int, condition: str, arguments: tuple[str, ...], otherwise: str
    ) -> dict[str, list[Recorded]]:
        query = f"{RECORDED} WHERE o.job_id = ?{condition} ORDER BY o.id DESC LIMIT ?"
        rows = self._by_job(job_ids, query, (*arguments, limit), otherwise)
        return {job_id: [each for each in map(_recorded, several) if each] for job_id, several in rows.items()}

    def _by_job(
        self, job_ids: Sequence[str], query: str, arguments: tuple[str | int, ...], otherwise: str
    ) -> dict[str, list[tuple[Any, ...]]]:
        """Return the rows of a query about each job, by job id."""

        def rows(connection: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
            return {job_id: connection.execute(query, (text(job_id), *arguments)).fetchall() for job_id in job_ids}

        return self._read(rows, otherwise) or {}

    def _write(self, run: RunRecord, outcomes: Sequence[Outcome], provenance: Provenance) -> None:
        with history_file.opened(self.path, create=True, timeout_s=self.timeout_s) as connection:
            connection.execute("BEGIN IMMEDIATE")  # takes the write lock now: of two runs one waits, none fails midway
            with connection:  # commits all, or nothing
                for statement in () if history_file.schema_version(connection) else history_file.TABLES:
                    connection.execute(statement)
                insert(connection, "runs", [run_row(run, provenance, self.machine)])
                insert(connection, "outcomes", (outcome_row(run.run_id, each, self.machine) for each in outcomes))

    def _report(self, error: Exception, consequence: str) -> None:
        self.problems.append(f"{self.path} {history_file.in_words(error, self.timeout_s)}: {consequence}")


def _condition(place: Place) -> tuple[str, tuple[str, ...]]:
    test = "r.branch = ?" if place.column == "branch" else f'instr(r."{place.column}", ?) = 1'
    return (f" AND {test}", (text(place.value),)) if place.column else ("", ())


def _recorded(row: tuple[Any, ...]) -> Recorded | None:
    run_id, started, stored, commit, branch, dirty = row
    outcome, dirty = read_column(stored, Outcome), None if dirty is None else bool(dirty)
    fields = {"run_id": run_id, "started": started or "", "commit": commit, "branch": branch, "dirty": dirty}
    return Recorded(outcome=outcome, **fields) if outcome else None
