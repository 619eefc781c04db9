"""Reads what an attempt left: result.json, a script's metrics file, artifacts. Trusts none of it."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pytest_training.errors import ResultError
from pytest_training.execution.attempt.messages import Result
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.job_files import open_own
from pytest_training.jobs.model import UNDECODABLE, Job, MetricsFile
from pytest_training.wording import in_utf8

LARGEST_RESULT = 16 * 2**20
USUAL_FILES = ("metrics.json", "metrics.csv")


def read_result(path: Path) -> Result | None:
    """Return what a job's process wrote, or None when there is no result; raise ResultError when it is none of ours."""
    content = _read(path)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=Result)
    except UNDECODABLE as error:
        raise ResultError(f"result.json was changed by the job and is no result any more: {error}") from None


def read_metrics_file(job: Job, folder: AttemptFolder, *, since: float) -> Any:
    """Return the metrics that a script or command wrote, None when there are none; `since` is its start (epoch)."""
    path = _metrics_file(job, folder, since)
    if path is None:
        if job.metrics is not None:
            raise ResultError(f"wrote no file {job.metrics.file!r}, where the catalogue says its metrics are")
        return None
    content = _read(path) or b""
    wanted = job.metrics or MetricsFile()
    if path.suffix.lower() in {".csv", ".tsv"}:
        if wanted.path:
            raise ResultError(f"{path.name}: a table has no path {wanted.path!r}; its last row holds the metrics")
        return last_row(content, path.name)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{path.name}: expected JSON with metrics; {error}") from None
    metrics = _at(found, wanted.path, path.name)
    # What a script that nobody wrote for us puts beside its numbers (names, lists, more mappings) is no mistake.
    return {name: value for name, value in metrics.items() if _is_number(value)}


def _metrics_file(job: Job, folder: AttemptFolder, since: float) -> Path | None:
    if job.metrics is not None:
        return _newest(job.metrics.file, folder.artifacts) or _newest(job.metrics.file, Path(job.root), since=since)
    for name in USUAL_FILES:
        if found := _newest(name, folder.artifacts):
            return found
    # Beside its output folder only under a name that its own source mentions: another job may write there now.
    source = (_read_source(job) or b"") if job.path else " ".join(job.command).encode()
    for name in USUAL_FILES:
        found = _newest(name, Path(job.root), since=since) if name.encode() in source else None
        if found:
            return found
    return None


def _read_source(job: Job) -> bytes | None:
    try:
        return Path(job.path or "").read_bytes()
    except OSError:
        return None


def last_row(content: bytes, name: str) -> dict[str, float]:
    """Return the numbers in the last row of a table with a header; other columns are left out."""
    lines = [line for line in content.decode("utf-8-sig", "replace").splitlines() if line.strip()]
    if len(lines) < 2:
        raise ResultError(f"{name}: expected a table with a header and at least one row")
    delimiter = max(",;\t", key=lines[0].count)
    header, row = (next(csv.reader([line], delimiter=delimiter)) for line in (lines[0], lines[-1]))
    cells = ((column.strip(), _number(cell)) for column, cell in zip(header, row, strict=False))
    return {column: number for column, number in cells if column and number is not None}


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _newest(pattern: str, folder: Path, *, since: float = 0.0) -> Path | None:
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise ResultError(f"metrics file {pattern!r}: expected a path inside the job's folder or the root")
    try:
        found = [path for path in folder.glob(pattern) if path.is_file() and not path.is_symlink()]
        if not since:  # the job's own folder: a link to a folder elsewhere could be planted there
            found = [path for path in found if not folder.is_symlink() and _lies_in(folder, path)]
    except (OSError, ValueError):
        return None
    # A file from before the start is somebody else's: an earlier run's metrics must never pass as this one's.
    fresh = [path for path in found if path.stat().st_mtime >= since]
    return max(fresh, key=lambda path: path.stat().st_mtime, default=None)


def _at(found: Any, dotted: str, name: str) -> Any:
    for key in filter(None, dotted.split(".")):
        if not isinstance(found, Mapping) or key not in found:
            raise ResultError(f"{name}: expected metrics at {dotted!r}, found nothing at {key!r}")
        found = found[key]
    if not isinstance(found, Mapping):
        raise ResultError(f"{name}: expected a mapping of metric names to numbers, found {type(found).__name__}")
    return found


def _read(path: Path) -> bytes | None:
    try:
        with open_own(path) as file:
            content = file.read(LARGEST_RESULT + 1)
    except OSError:
        return None
    if len(content) > LARGEST_RESULT:
        raise ResultError(f"{path.name} is larger than {LARGEST_RESULT // 2**20} MiB; expected metrics only")
    return content


def artifacts(folder: Path) -> tuple[str, ...]:
    """Return the files below a job's folder, relative to it; what a link makes of the rest of the disk is none."""
    found: list[str] = []
    for path, _, names in () if folder.is_symlink() else os.walk(folder):
        files = [file for name in names if _lies_in(folder, file := Path(path, name)) and file.is_file()]
        found += [in_utf8(os.path.relpath(file, folder)) for file in files]
    return tuple(sorted(found))


def _lies_in(folder: Path, path: Path) -> bool:
    """Whether a path, links followed, is below the folder."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
