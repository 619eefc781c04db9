"""Every outcome of every run, in one SQLite file. The controller alone writes it; no trouble stops a run."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, TypeGuard, TypeVar

import msgspec

from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.model import UNDECODABLE, Job, Value
from pytest_training.records import history_file
from pytest_training.records.history_file import UnusableHistoryError
from pytest_training.records.provenance import Provenance, machine_id
from pytest_training.records.run_record import RunRecord
from pytest_training.records.strict_json import encode, plain, text

T = TypeVar("T")

WEIGHTS = ("epochs", "folds")
"""Parameters that a job's duration is proportional to."""
REMEMBERED = 20  # outcomes looked at per job: enough to find equal parameters, cheap with 1,000 jobs
MEDIAN_OF = 3
COMPARABLE = " AND (o.status = 'passed' OR o.cause = 'gate')"
"""Outcomes whose metrics are those of a whole training."""
PASSED = " AND o.status = 'passed'"
UP_TO = " AND o.id <= coalesce((SELECT max(id) FROM outcomes WHERE run_id = ?), 9223372036854775807)"
BEFORE = (
    " AND o.id < coalesce((SELECT min(id) FROM outcomes WHERE run_id = ?),"
    " (SELECT min(id) FROM outcomes WHERE run_id > ?), 9223372036854775807)"
)
"""By id: a clock may jump back. A run that was killed is not there: its own id tells when it was."""
UNUSABLE = (sqlite3.Error, OSError, UnusableHistoryError)


class Recorded(Value, frozen=True, kw_only=True):
    """An outcome of an earlier run, and what is known of that run."""

    run_id: str
    started: str
    outcome: Outcome
    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None


class Origin(Value, frozen=True, kw_only=True):
    """Where outcomes come from: what a run can be named by."""

    run_id: str
    branch: str | None
    commit: str | None


class History:
    """The history file; what goes wrong with it is collected in `problems` as sentences, never raised."""

    def __init__(self, path: Path, *, machine: str | None = None, timeout_s: float = 5.0) -> None:
        self.path = path
        self.machine = machine or machine_id()
        self.timeout_s = timeout_s
        self.problems: list[str] = []

    def expected(self, jobs: Sequence[Job]) -> dict[str, float]:
        """Return the expected seconds of each job that passed on this machine before; creates no file."""

        def durations(connection: sqlite3.Connection) -> dict[str, float]:
            seconds = {job.id: self._seconds(connection, job) for job in jobs}
            return {job_id: found for job_id, found in seconds.items() if found is not None}

        return self._read(durations, "how long jobs take is unknown") or {}

    def outcomes(self, run_id: str) -> list[Outcome]:
        """Return the outcomes of an earlier run in the order in which they were recorded; creates no file."""

        def rows(connection: sqlite3.Connection) -> list[str]:
            asked = "SELECT outcome FROM outcomes WHERE run_id = ? ORDER BY id"
            return [row for (row,) in connection.execute(asked, (text(run_id),))]

        written = self._read(rows, "earlier outcomes are unknown") or []
        return [outcome for row in written if (outcome := _outcome(row)) is not None]

    def newest(
        self,
        job_ids: Sequence[str],
        *,
        before: str | None = None,
        column: str = "",
        value: str = "",
        passed_only: bool = False,
    ) -> dict[str, Recorded]:
        """Return each job's newest outcome with metrics to compare with, by job id; creates no file.

        `before` is the id of a run whose and whose successors' outcomes do not count; `column`, one of run_id, branch
        and commit, has to equal the value (a branch) or begin with it (the others).
        """
        condition, arguments = _condition(column, value)
        if before is not None:
            condition, arguments = condition + BEFORE, (*arguments, text(before), text(before))
        condition += PASSED if passed_only else COMPARABLE

        def rows(connection: sqlite3.Connection) -> dict[str, Recorded]:
            found = {
                job_id: _recorded(connection, job_id, limit=1, condition=condition, arguments=arguments)
                for job_id in job_ids
            }
            return {job_id: recorded[0] for job_id, recorded in found.items() if recorded}

        return self._read(rows, "there is nothing to compare with") or {}

    def recent(self, job_ids: Sequence[str], limit: int, *, through: str | None = None) -> dict[str, list[Recorded]]:
        """Return each job's last outcomes, newest first, by job id, up to a run's; creates no file."""
        condition = "" if through is None else UP_TO

        def rows(connection: sqlite3.Connection) -> dict[str, list[Recorded]]:
            arguments = () if through is None else (text(through),)
            return {
                job_id: _recorded(connection, job_id, limit=limit, condition=condition, arguments=arguments)
                for job_id in job_ids
            }

        return self._read(rows, "earlier outcomes are unknown") or {}

    def job_ids(self) -> list[str]:
        """Return the ids of all jobs that the history knows; creates no file."""

        def rows(connection: sqlite3.Connection) -> list[str]:
            return [str(row) for (row,) in connection.execute("SELECT DISTINCT job_id FROM outcomes ORDER BY job_id")]

        return self._read(rows, "earlier outcomes are unknown") or []

    def origins(self) -> list[Origin]:
        """Return what each run can be named by, the newest first; creates no file."""

        def rows(connection: sqlite3.Connection) -> list[Origin]:
            asked = 'SELECT run_id, branch, "commit" FROM runs ORDER BY run_id DESC'
            return [
                Origin(run_id=str(run_id), branch=branch, commit=commit)
                for run_id, branch, commit in connection.execute(asked)
            ]

        return self._read(rows, "there is nothing to compare with") or []

    def last_passed(self, job_id: str) -> tuple[str, Outcome] | None:
        """Return the newest passed outcome of a job on any machine, with the id of its run; creates no file."""

        def newest(connection: sqlite3.Connection) -> list[tuple[str, str]]:
            asked = (
                "SELECT run_id, outcome FROM outcomes WHERE job_id = ? AND status = 'passed' ORDER BY id DESC LIMIT 1"
            )
            return connection.execute(asked, (text(job_id),)).fetchall()

        for run_id, written in self._read(newest, "earlier outcomes are unknown") or []:
            outcome = _outcome(written)
            return None if outcome is None else (run_id, outcome)
        return None

    def add(self, run: RunRecord, outcomes: Sequence[Outcome], provenance: Provenance) -> None:
        """Record a run and its outcomes in one transaction; a second call for the same run replaces them."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._write(run, outcomes, provenance)
            except sqlite3.DatabaseError as error:
                if not history_file.is_damaged(error):
                    raise
                self._set_aside(error)
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

    def _write(self, run: RunRecord, outcomes: Sequence[Outcome], provenance: Provenance) -> None:
        run_row = _run_row(run, provenance, self.machine)
        rows = [_outcome_row(run.run_id, outcome, self.machine) for outcome in outcomes]
        with (
            history_file.opened(self.path, create=True, timeout_s=self.timeout_s) as connection,
            history_file.transaction(connection),
        ):
            if not history_file.schema_version(connection):
                history_file.create_tables(connection)
            _insert(connection, "runs", [run_row])
            _insert(connection, "outcomes", rows)

    def _seconds(self, connection: sqlite3.Connection, job: Job) -> float | None:
        rows = connection.execute(
            "SELECT wall_s, parameters FROM outcomes WHERE job_id = ? AND machine = ?"
            " AND (status = 'passed' OR cause = 'gate') AND wall_s > 0"
            " ORDER BY id DESC LIMIT ?",  # by id: a clock may jump back
            (text(job.id), self.machine, REMEMBERED),
        )
        earlier = [(wall_s, _parameters(written)) for wall_s, written in rows if _is_duration(wall_s)]
        return expected_seconds(plain(job.parameters), earlier)

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        kept = history_file.set_aside(self.path)
        self._report(error, f"it is kept as {kept.name}, and a new history begins with this run")

    def _report(self, error: Exception, consequence: str) -> None:
        found = history_file.in_words(error, self.timeout_s)
        self.problems.append(f"{self.path} {found}: {consequence}")


def _condition(column: str, value: str) -> tuple[str, tuple[str, ...]]:
    if column == "branch":
        return " AND r.branch = ?", (text(value),)
    if column in {"run_id", "commit"}:
        escaped = text(value).replace("!", "!!").replace("%", "!%").replace("_", "!_")
        return f" AND r.\"{column}\" LIKE ? ESCAPE '!'", (f"{escaped}%",)
    return "", ()


def _recorded(
    connection: sqlite3.Connection, job_id: str, *, limit: int, condition: str = "", arguments: tuple[str, ...] = ()
) -> list[Recorded]:
    asked = (
        'SELECT o.run_id, o.started, o.outcome, r."commit", r.branch, r.dirty'  # noqa: S608 - texts are ours
        " FROM outcomes o LEFT JOIN runs r ON r.run_id = o.run_id"
        f" WHERE o.job_id = ?{condition} ORDER BY o.id DESC LIMIT ?"
    )
    found = []
    for run_id, started, written, commit, branch, dirty in connection.execute(asked, (text(job_id), *arguments, limit)):
        if (outcome := _outcome(written)) is not None:
            known = None if dirty is None else bool(dirty)
            found.append(
                Recorded(
                    run_id=run_id, started=started or "", outcome=outcome, commit=commit, branch=branch, dirty=known
                )
            )
    return found


def expected_seconds(parameters: dict[str, Any], earlier: Sequence[tuple[float, dict[str, Any]]]) -> float | None:
    """Return the seconds to expect with these parameters from earlier (seconds, parameters), newest first.

    The median of the last three at equal parameters; else the newest, scaled by its ratio of epochs x folds.
    """
    equal = [seconds for seconds, used in earlier if used == parameters]
    if equal:
        return median(equal[:MEDIAN_OF])
    return earlier[0][0] * _ratio(parameters, earlier[0][1]) if earlier else None


def _ratio(parameters: dict[str, Any], used: dict[str, Any]) -> float:
    """Return how many times the work of `used` these parameters ask for."""
    ratio = 1.0
    for name in WEIGHTS:
        now, then = _weight(parameters.get(name)), _weight(used.get(name))
        if now and then:
            ratio *= now / then
    return ratio


def _is_duration(value: Any) -> TypeGuard[float]:
    """Whether a column holds what we wrote there: SQLite keeps any type in any column."""
    return isinstance(value, float | int) and math.isfinite(value) and value > 0


def _weight(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and value > 0 else None


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        columns = ", ".join(f'"{column}"' for column in row)
        values = ", ".join("?" * len(row))
        connection.execute(
            f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({values})",  # noqa: S608 - names are ours
            tuple(row.values()),
        )


def _run_row(run: RunRecord, provenance: Provenance, machine: str) -> dict[str, Any]:
    return {
        "run_id": text(run.run_id),
        "started": run.started,
        "ended": run.ended,
        "commit": provenance.commit,
        "branch": provenance.branch and text(provenance.branch),
        "dirty": provenance.dirty,
        "seed": str(run.seed),  # SQLite's integers end at 64 bits
        "workers": run.workers,
        "exit_code": run.exit_code,
        "machine": machine,
        "arguments": _json(run.arguments),
        "run": _json(run),
        "provenance": _json(provenance),
    }


def _outcome_row(run_id: str, outcome: Outcome, machine: str) -> dict[str, Any]:
    return {
        "run_id": text(run_id),
        "job_id": text(outcome.job_id),
        "machine": machine,
        "status": outcome.status,
        "cause": outcome.cause,
        "reason": text(outcome.reason),
        "parameters": _json(outcome.parameters),
        "metrics": _json(outcome.metrics),
        "wall_s": outcome.wall_s,
        "cpu_s": outcome.cpu_s,
        "peak_memory_mb": outcome.peak_memory_mb,
        "threads": outcome.threads,
        "slot": text(outcome.slot),
        "started": outcome.started,
        "outcome": _json(msgspec.structs.replace(outcome, log_tail=())),  # its log is in the run folder
    }


def _json(value: Any) -> str:
    return encode(value).decode()


def _parameters(written: str) -> dict[str, Any]:
    try:
        found = json.loads(written)
    except (ValueError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _outcome(written: str) -> Outcome | None:
    """Read an outcome; None where another version of the plugin wrote it in a form that is unknown here."""
    try:
        return msgspec.json.decode(written, type=Outcome)
    except (*UNDECODABLE, TypeError):
        return None
