"""Reads metrics where a job says that they are: what its function returned, a file, a pattern. Nothing is trusted."""

import contextlib
import csv
import json
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from pytest_training.errors import ResultError
from pytest_training.execution.attempt.messages import Result
from pytest_training.execution.job_files import Walk, lies_below, read_small
from pytest_training.execution.readers.protocol import GROUPS, EndedAttempt, Measured, Reader
from pytest_training.jobs.kinds.protocol import Call
from pytest_training.jobs.model import UNDECODABLE
from pytest_training.wording import label

ANY_DEPTH = "**"
MOST_SEARCHED = 200_000  # files and folders, for a pattern with `**`
MOST_ROWS = 1_000  # the last rows of a table, of which each column may have its last number in another one
USUAL_FILES = ("metrics.json", "metrics.csv")


class ResultReader(Reader):
    """Reads the metrics that a function returned; a program's result.json holds its data alone."""

    name = "result"
    is_declared = True

    def read(self, attempt: EndedAttempt) -> dict[str, float] | None:
        """Return the function's metrics."""
        return attempt.result.metrics if attempt.result and isinstance(attempt.start, Call) else None


class MetricsFileReader(Reader):
    """Reads the file, or the printed lines, that the catalogue's `metrics` names, else metrics.json or metrics.csv."""

    name = "metrics_file"
    is_declared = True

    def read(self, attempt: EndedAttempt) -> dict[str, Measured] | None:
        """Return the metrics of the newest such file; raise ResultError if what is named is missing."""
        job = attempt.job
        if job.metrics is not None and job.metrics.stdout:
            return _printed(attempt, job.metrics.stdout)
        if (path := _newest_file(attempt)) is None:
            if job.metrics is not None:
                raise ResultError(f"wrote no file {job.metrics.file!r}, where the catalogue says its metrics are")
            return None
        content = read_small(path) or b""
        dotted, is_table = job.metrics.path if job.metrics else "", path.suffix.lower() in {".csv", ".tsv"}
        if is_table and dotted:
            raise ResultError(f"{path.name}: a table has no path {dotted!r}; its columns are the metrics")
        rows = _rows(content, path.name) if is_table else []
        if rows and job.metrics is None and _has_names(rows):
            return None  # a foreign reader names each row's numbers
        metrics = _last_row(rows) if is_table else _from_json(content, dotted, path.name)
        above = attempt.folder.artifacts if path.is_relative_to(attempt.folder.artifacts) else Path(job.root)
        return {name: Measured(value, label(path, above)) for name, value in metrics.items()}


def _printed(attempt: EndedAttempt, pattern: str) -> dict[str, Measured]:
    from pytest_training.execution.readers.printed import FollowedLog  # noqa: PLC0415  (programs alone need it)

    log = FollowedLog(attempt)
    deque(log.poll(), maxlen=0)
    if metrics := dict(log.metrics()):
        return metrics
    raise ResultError(f"printed no line with numbers that matches {pattern!r}, as `metrics:` says")


def read_result(path: Path) -> Result | None:
    """Return what a job's process wrote, or None if the file is missing; raise ResultError if it is no valid result."""
    if (content := read_small(path)) is None:
        if os.path.lexists(path):
            raise ResultError("result.json was replaced by the job: expected a plain file, no link, pipe or folder")
        return None
    try:
        return msgspec.json.decode(content, type=Result)
    except UNDECODABLE as error:
        raise ResultError(f"result.json was changed by the job and is no result any more: {error}") from None


def _from_json(content: bytes, dotted: str, name: str) -> dict[str, Any]:
    try:
        document = _records(content)
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{name}: expected JSON with metrics; {error}") from None
    for key in filter(None, dotted.split(".")):
        if not isinstance(document, Mapping) or key not in document:
            raise ResultError(f"{name}: expected metrics at {dotted!r}, found nothing at {key!r}")
        document = document[key]
    if not isinstance(document, Mapping):
        raise ResultError(f"{name}: expected a mapping of metric names to numbers, found {type(document).__name__}")
    # What a foreign script puts beside its numbers (names, lists) is no mistake.
    values = {metric: _number(metric, value) if isinstance(value, str) else value for metric, value in document.items()}
    return {metric: value for metric, value in values.items() if isinstance(value, int | float | Mapping)}


def _number(metric: str, text: str) -> float | None:
    """Return the number in a text if the metric is a measurement: `json.dumps(…, default=str)` writes such texts."""
    from pytest_training.execution.readers.names import is_metric, measured, metric_name  # noqa: PLC0415  (it compiles patterns)

    number = measured(text) if is_metric(metric_name(metric), is_logged=False) else None
    return None if number is None else float(number)


def _records(content: bytes) -> Any:
    """Return a JSON document; of a list or of lines of mappings one with the last value of each key."""
    try:
        document = json.loads(content)
    except ValueError:
        lines = [line for line in content.split(b"\n") if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith(b"{") for line in lines):
            raise
        document = [*map(json.loads, lines)]
    if isinstance(document, list) and document and all(isinstance(each, Mapping) for each in document):
        return {key: value for each in document for key, value in each.items() if value is not None}
    return document


def _newest_file(attempt: EndedAttempt) -> Path | None:
    """Return the newest file in the job's folder, else one beside it.

    Without a catalogue the job's own source has to name that, and no job that ran meanwhile may have written it.
    """
    job, names = attempt.job, (attempt.job.metrics.file,) if attempt.job.metrics else USUAL_FILES
    if own := next(filter(None, (_newest(name, attempt.folder.artifacts) for name in names)), None):
        return own
    from pytest_training.execution.strays import may_be_anothers  # noqa: PLC0415  (it imports what readers are)

    source = " ".join(job.command).encode()
    with contextlib.suppress(OSError):
        source += Path(job.path).read_bytes() if job.path and job.metrics is None else b""
    named = (name for name in names if job.metrics or name.encode() in source)
    paths = filter(None, (_newest(name, job.workplace, since=attempt.started) for name in named))
    return next((path for path in paths if job.metrics or not may_be_anothers(attempt, path.name)), None)


def _rows(content: bytes, name: str) -> list[list[str]]:
    """Return the header of a table and its last rows."""
    from pytest_training.execution.readers.names import cells_of  # noqa: PLC0415  (it compiles patterns)

    lines = [line for line in content.decode(json.detect_encoding(content), "replace").splitlines() if line.strip()]
    if len(lines) < 2:
        raise ResultError(f"{name}: expected a table with a header and at least one row")
    delimiter = max(",;\t", key=lines[0].count)
    return [cells_of(row, delimiter) for row in csv.reader(lines[:1] + lines[1:][-MOST_ROWS:], delimiter=delimiter)]


def _has_names(rows: Sequence[Sequence[str]]) -> bool:
    """Return True for rows of several models, folds, parts of the data or metrics, not of several moments."""
    names = [row[0] for row in rows[1:] if row]
    are_names = any(name[:1].isalpha() for name in names) and len(names) == len({*names})
    is_of_several = are_names or not GROUPS.isdisjoint(map(str.lower, rows[0]))
    return rows[0][0].lower() in {"metric", "metrics"} or (len(names) > 1 and is_of_several)


def _last_row(rows: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return the last number of each column of a table with a header: rows may be sparse."""
    from pytest_training.execution.readers.names import measured  # noqa: PLC0415  (it compiles patterns)

    numbers: dict[str, float] = {}
    for column, cell in (pair for row in rows[1:] for pair in zip(rows[0], row, strict=False)):
        if column and (number := measured(cell)) is not None:
            numbers[column] = float(number)
    return numbers


def _newest(pattern: str, folder: Path, *, since: float = 0.0) -> Path | None:
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise ResultError(f"metrics file {pattern!r}: expected a path inside the job's folder or the root")
    try:
        paths = [path for path in _matching(pattern, folder) if path.is_file() and not path.is_symlink()]
        if not since:  # the job's own folder: a link to a folder elsewhere could be planted there
            paths = [path for path in paths if not folder.is_symlink() and lies_below(folder, path)]
        times = {path: path.stat().st_mtime for path in paths}
    except (OSError, ValueError):
        return None
    # A file from before the start belongs to another attempt: an earlier run's metrics must never pass as this one's.
    return max((path for path in paths if times[path] >= since), key=times.__getitem__, default=None)


def _matching(pattern: str, folder: Path) -> Iterator[Path]:
    parts = Path(pattern).parts
    if ANY_DEPTH not in parts:
        yield from folder.glob(pattern)
        return
    walk = Walk(folder, most=MOST_SEARCHED)  # pathlib's own search is recursive and has no bound
    for relative, entry in walk:
        if _matches(Path(relative).parts, parts):
            yield Path(entry.path)
    if walk.is_cut:
        problem = f"metrics file {pattern!r}: more than {walk.most} files to search; expected a narrower pattern"
        raise ResultError(problem)


def _matches(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return True if a path matches a pattern, part by part; `**` matches any number of parts."""
    states = {0}  # numbers of the pattern's parts that have matched
    for part in path:
        for state, each in enumerate(pattern):  # it may match nothing
            states |= {state + 1} if state in states and each == ANY_DEPTH else set()
        waiting = {state for state in states if state < len(pattern)}
        states = {state for state in waiting if pattern[state] == ANY_DEPTH}
        states |= {state + 1 for state in waiting - states if fnmatchcase(part, pattern[state])}
    return len(pattern) in states
