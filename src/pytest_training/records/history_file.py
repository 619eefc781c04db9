"""The SQLite file of the history: its tables, rows and version, how it is opened, and what a bad one becomes."""

import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pytest_training.errors import TrainingError
from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.model import UNDECODABLE
from pytest_training.records.run_record import Provenance, RunRecord
from pytest_training.records.strict_json import encode, text

T = TypeVar("T")
APPLICATION_ID = 0x70747261  # "ptra": tells our file from another program's database
SCHEMA = 1
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR)
"""Primary error codes of a file that is no history; SQLITE_ERROR is a table or column that is not there."""
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
TABLES = (
    """CREATE TABLE runs (
        run_id TEXT PRIMARY KEY, started TEXT, ended TEXT, "commit" TEXT, branch TEXT, dirty INTEGER,
        seed TEXT, workers INTEGER, exit_code INTEGER, machine TEXT, arguments TEXT, run TEXT,
        provenance TEXT)""",
    """CREATE TABLE outcomes (
        id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL REFERENCES runs (run_id),
        job_id TEXT NOT NULL, machine TEXT, status TEXT, cause TEXT, reason TEXT, parameters TEXT,
        metrics TEXT, wall_s REAL, cpu_s REAL, peak_memory_mb REAL, threads INTEGER, slot TEXT,
        started TEXT, outcome TEXT, UNIQUE (run_id, job_id))""",
    "CREATE INDEX outcomes_of_job ON outcomes (job_id, machine, status, id)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA}",
)
OF_RUN = ("run_id", "started", "ended", "workers", "exit_code", "arguments")
OF_PROVENANCE = ("commit", "branch", "dirty")
OF_OUTCOME = (
    *("job_id", "status", "cause", "reason", "parameters", "metrics"),
    *("wall_s", "cpu_s", "peak_memory_mb", "threads", "slot", "started"),
)
"""Columns that are fields of the same name."""


class UnusableHistoryError(TrainingError):
    """The file is a database, but not one that this version may touch."""


@contextmanager
def opened(path: Path, *, create: bool, timeout_s: float) -> Iterator[sqlite3.Connection]:
    """Open the file for the length of a with block; the caller begins and ends transactions."""
    # Never mode=ro: a journal that a killed run left could not be rolled back.
    address = f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
    connection = sqlite3.connect(address, uri=True, timeout=timeout_s, isolation_level=None)
    with closing(connection):
        yield connection


def schema_version(connection: sqlite3.Connection) -> int:
    """Return the schema's version, 0 for an empty file; refuse a file that is not ours or is newer."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables and not version:
        return 0
    if application != APPLICATION_ID:
        problem = "is a database of another program, expected a history of pytest-training (move it away)"
        raise UnusableHistoryError(problem)
    if version > SCHEMA:
        raise UnusableHistoryError(
            f"has schema {version} of a newer pytest-training, this one knows up to {SCHEMA}"
            " (upgrade pytest-training, or move the file away)"
        )
    return int(version)


def is_damaged(error: Exception) -> bool:
    """Return True if SQLite says that the file is no history, rather than that it cannot be used now."""
    return _code(error) in DAMAGED


def in_words(error: Exception, timeout_s: float) -> str:
    """Say what is wrong with the file, as the rest of a sentence that begins with its path."""
    if isinstance(error, UnusableHistoryError):
        return str(error)
    if _code(error) in BUSY:
        return f"is locked by another program for more than {timeout_s:g} s"
    return f"is no readable history ({error})" if is_damaged(error) else f"cannot be used ({error})"


def set_aside(path: Path) -> Path:
    """Rename a damaged file and its journal to a name that no file has yet; return the new path."""
    stem = f"{path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    target = next(target for name in names if not (target := path.with_name(name)).exists())
    for companion in ("-journal", ""):  # the journal first: no new database may meet an old one
        source = path.with_name(path.name + companion)
        if source.exists():
            source.rename(target.with_name(target.name + companion))
    return target


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # an extended code has the primary one in its lowest byte


def insert(connection: sqlite3.Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows in place of those with the same key; lists, mappings and structs become JSON."""
    for row in rows:
        columns = ", ".join(f'"{column}"' for column in row)
        values = ", ".join("?" * len(row))
        connection.execute(
            f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({values})",  # noqa: S608  (the names are ours)
            tuple(map(_stored, row.values())),
        )


def _stored(value: Any) -> str | float | None:
    if isinstance(value, str):
        return text(value)
    return value if value is None or isinstance(value, int | float) else encode(value).decode()


def run_row(run: RunRecord, provenance: Provenance, machine: str) -> dict[str, Any]:
    """Return the columns of a run."""
    own = {name: getattr(run, name) for name in OF_RUN} | {name: getattr(provenance, name) for name in OF_PROVENANCE}
    seed = str(run.seed)  # SQLite's integers end at 64 bits
    return {**own, "seed": seed, "machine": machine, "run": run, "provenance": provenance}


def outcome_row(run_id: str, outcome: Outcome, machine: str) -> dict[str, Any]:
    """Return the columns of an outcome; its log is in the run folder."""
    own = {name: getattr(outcome, name) for name in OF_OUTCOME}
    if any(attempt.continued for attempt in outcome.attempts):
        own["wall_s"] = None  # the column is what is expected of the next run
    return {"run_id": run_id, "machine": machine, **own, "outcome": msgspec.structs.replace(outcome, log_tail=())}


def read_column(stored: str, kind: type[T]) -> T | None:
    """Return the value of a column, or None if it has another form: another version of the plugin wrote it."""
    with suppress(*UNDECODABLE, TypeError):
        return msgspec.json.decode(stored, type=kind)
    return None
