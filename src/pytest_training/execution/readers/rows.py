"""Turns what foreign programs write into rows of names and values; no file is opened here."""

import csv
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from pytest_training.execution.readers.names import (
    AXES,
    SPLITS,
    UNNAMED,
    WORDS,
    is_metric,
    measured,
    metric_name,
    of_split,
)
from pytest_training.execution.readers.printed import Printed
from pytest_training.execution.readers.protocol import GROUPS

LONGEST_LINE, LONGEST_NAME, DEEPEST = 2**16, 200, 5
MOST_CELLS, MOST_ROWS = 2_000, 20_000  # of a row, the first; of a document, the last
NUMBER_OR_TEXT = int | float | Decimal | str
NOT_MEASURED = re.compile("|".join(WORDS["keys_of_settings"]), re.IGNORECASE)
LOGGED = re.compile(r"metrics|scores", re.IGNORECASE)  # below them every number is a metric, but for times and settings
SAYS_NOTHING = re.compile(
    r"((^|[_ ])(metrics?|results?|scores?|report|summary|performance|evaluation|final|overall|classification))+$",
    re.IGNORECASE,
)  # what is no part of a name at the end of a key: `test` of `test_metrics`
HISTORY = re.compile(
    r"histor|evals_result|(^|[_.-])(train_?)?(logs?|logger|losses|loss|progress|training|epochs)([_.-]|$)",
    re.IGNORECASE,
)  # names of what is written once an epoch
SUBJECTS = frozenset(("model", "classifier", "regressor", "estimator", "algorithm", "method", "name", "class", "run"))
"""Columns that say what a row is about."""
OF_SPLIT = re.compile(r"split|phase|mode|set|stage|part")  # columns that say of which part of the data a row is
NAMES_OF_NAMES = frozenset(("metric", "metrics", "name", "measure", "statistic", "key", "score", "index", ""))
"""Columns with names, in a table of names and values."""
METRICS = """
SELECT key, value, step, CASE WHEN name GLOB '[a-z]*-[a-z]*-[0-9]*' THEN run_uuid ELSE coalesce(name, run_uuid) END
FROM metrics LEFT JOIN runs USING (run_uuid) WHERE NOT is_nan ORDER BY timestamp DESC, metrics.rowid DESC LIMIT 20000
"""  # what is in MLflow's database; a name such as `nice-fox-12` is made up
MOST_STEPS = 20_000_000  # steps of SQLite's machine, about a second: a table may be a view without an end


class Row(NamedTuple):
    """What is written at one moment, or about one model: names as they stand there, and what stands below them."""

    cells: Mapping[str, Any]
    is_logged: bool = False  # True if its numbers are logged as metrics, and are no settings
    is_point: bool = True  # False for a summary, which is no point of a curve


class Parser:
    """Rows of a file that is fed piece by piece; `place` is its path, matched by the form's pattern.

    With `is_logged` all its numbers are metrics, but for counters, times and settings.
    """

    skip = 0  # bytes after what was fed that hold nothing to read

    def __init__(self, place: re.Match[str], *, is_logged: bool) -> None:
        self.place, self.is_logged, self.rest = place, is_logged, b""

    def feed(self, content: bytes) -> Iterator[Row]:
        """Yield the rows that end in what was added."""
        raise NotImplementedError

    def resume(self, content: bytes, at: int) -> int:  # noqa: ARG002  (where it is, matters to one of them)
        """Begin anew further on, with what stands at `at` of the file; return where in it the first row begins."""
        self.rest, self.skip = b"", 0
        return content.find(b"\n") + 1


class Lines(Parser):
    """A text: objects as JSON, one a line, or a table with a header; a log is read as what a program prints."""

    header: list[str] | None = None
    delimiter = ","
    _has_names = False

    def __init__(self, place: re.Match[str], *, is_logged: bool) -> None:
        super().__init__(place, is_logged=is_logged)
        self.log = Printed() if place[0].endswith((".log", ".txt")) else None

    def feed(self, content: bytes) -> Iterator[Row]:
        """Yield the rows of whole lines."""
        *lines, rest = (self.rest + content).split(b"\n")
        self.rest = rest if len(rest) < LONGEST_LINE else b""
        for line in lines if self.log or self.header != [] else ():
            text = line.decode("utf-8-sig", "replace")
            if cells := self._cells(text.strip()) if text.strip() else None:
                yield Row(cells, self.is_logged)
            elif self.log and not self.header:
                said = self.log.feed(text)
                yield Row({**said.counters, **said.values}, is_logged=True)

    def _cells(self, line: str) -> Mapping[str, Any] | None:
        if line.startswith("{"):
            return flat(document) if isinstance(document := load(line), dict) else None
        delimiter = self.delimiter if self.header else max(",;\t", key=line.count)
        try:
            cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
        except (csv.Error, StopIteration):
            return None
        if self.header is None:
            self.delimiter, self.header = delimiter, cells if self._is_header(cells) else []
        if cells == self.header or len(cells) != len(self.header):
            return None
        if delimiter == ";":
            cells = [re.sub(r"^(-?\d+),(\d+)$", r"\1.\2", cell) for cell in cells]
        if self._has_names:
            return {cells[0]: cells[1]}
        return {name: cell for name, cell in zip(self.header, cells, strict=True) if cell}

    def _is_header(self, cells: list[str]) -> bool:
        """Return True if a line has the names of metrics, or says that names and values follow."""
        names = [*map(metric_name, cells)]
        has_metrics = any(is_metric(name, is_logged=self.is_logged) for name in names)
        self._has_names = len(cells) == 2 and names[0] in NAMES_OF_NAMES and not is_metric(names[1], is_logged=False)
        is_numeric = any(measured(cell) is not None for cell in cells[:-1])
        has_metrics = not AXES.keys().isdisjoint(names) if self.log else has_metrics
        return self._has_names or (has_metrics and not is_numeric)


class Logged(Lines):
    """One file a metric: MLflow's `timestamp value step`, DVCLive's step and value."""

    def _cells(self, line: str) -> Mapping[str, Any] | None:
        parts = line.split()
        step, value = (parts[-1], parts[1]) if len(parts) == 3 else (parts[0], parts[-1])
        return {"step": step, self.place["name"]: value} if measured(step) is not None else None


class Document(Parser):
    """A JSON document: a row of its numbers, nested ones included, and the rows of histories."""

    def feed(self, content: bytes) -> Iterator[Row]:
        """Yield the rows of a whole document, or of JSON lines under the name of one."""
        document = load(content)
        yield from self._history(self.place[0].rpartition("/")[2], document)
        if isinstance(document, dict):
            for key in filter(HISTORY.search, document):
                yield from self._history(key, document[key])
            logged = {key: below for key, below in document.items() if LOGGED.search(key) and isinstance(below, dict)}
            others = {key: value for key, value in document.items() if key not in logged}
            for part, is_logged in ((logged, True), (others, self.is_logged)):
                if "log_history" not in part:
                    yield Row(flat(part, "/" if self.is_logged else "_"), is_logged, is_point=False)
        elif document is None:
            yield from Lines(self.place, is_logged=self.is_logged).feed(content + b"\n")

    def _history(self, name: str, history: Any) -> Iterator[Row]:
        """Yield the rows of a list of objects, or of lists by name, as Keras and XGBoost have them."""
        if isinstance(history, list):
            yield from (Row(flat(each), self.is_logged) for each in history[-MOST_ROWS:] if isinstance(each, dict))
        elif isinstance(history, dict) and HISTORY.search(name):
            lists = flat(history, kind=list)
            columns = {key: each for key, each in lists.items() if is_metric(metric_name(key), is_logged=False)}
            if {*map(len, columns.values())} - {0, 1} and len({*map(len, columns.values())}) == 1:
                for epoch, values in [*enumerate(zip(*columns.values(), strict=True), 1)][-MOST_ROWS:]:
                    yield Row({"epoch": epoch, **dict(zip(columns, values, strict=True))}, self.is_logged)


class Database(Parser):
    """MLflow's database, of which a copy in memory is read: no lock is taken, and no other file is opened."""

    def feed(self, content: bytes) -> Iterator[Row]:
        """Yield a row for each value."""
        database = sqlite3.connect(":memory:")
        with suppress(sqlite3.Error, AttributeError), closing(database):  # some builds have no deserialize
            database.deserialize(content)
            database.set_progress_handler(lambda: 1, MOST_STEPS)
            for key, value, step, run in reversed(database.execute(METRICS).fetchall()):
                yield Row({"step": step, str(key): value, "run": str(run)}, self.is_logged)


def load(content: bytes | str) -> Any:
    """Return a JSON document with the digits of its fractions, or None if it is none."""
    try:
        return json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError):
        return None


def flat(
    document: Mapping[str, Any], joined_by: str = "_", *, kind: Any = NUMBER_OR_TEXT, depth: int = 0
) -> dict[str, Any]:
    """Return the numbers and texts of a document, or its lists, each with the keys above it that say something."""
    values: dict[str, Any] = {}
    for key, value in document.items():
        if len(key) > LONGEST_NAME:
            continue
        if isinstance(value, kind):
            values[key] = value
        elif isinstance(value, dict) and depth < DEEPEST and "_type" not in value and not NOT_MEASURED.search(key):
            above = SAYS_NOTHING.sub("", key)  # a picture of W&B's has a `_type`
            for name, each in flat(value, joined_by, kind=kind, depth=depth + 1).items():
                short = f"{above}{joined_by}{name}" if above else name
                values[f"{key}{joined_by}{name}" if short in values else short] = each
    return values


def read_row(row: Row, run: str, *, is_history: bool) -> tuple[dict[str, float], dict[str, float | Decimal], str]:
    """Return a row's counters, its metrics, and of what they are: text names a part of the data, a model or a run.

    In a history a column without a name counts up; elsewhere its numbers are names.
    """
    counts: dict[str, float] = {}
    metrics: dict[str, float | Decimal] = {}
    labels, number, split = [run], "", ""
    for at, (raw, cell) in enumerate(islice(row.cells.items(), MOST_CELLS)):
        name, value = metric_name(raw[:LONGEST_NAME]), measured(cell)
        axis = AXES.get(name) or (name if name in GROUPS else "round" if name in UNNAMED and is_history else "")
        if value is None and isinstance(cell, str):
            word, is_first = cell.strip().lower(), at == 0 and not row.is_logged
            if word in SPLITS:
                split = word if is_first or OF_SPLIT.search(name) else split
            elif name in SUBJECTS or (is_first and not word[:1].isdigit()):
                labels.append(cell[:60])
        elif value is not None and axis:
            counts[axis] = float(value)
            labels += [f"{name}_{cell}"] if name in GROUPS and row.is_point else []
        elif value is not None and name in UNNAMED:
            number = str(cell)
        elif value is not None and is_metric(name, is_logged=row.is_logged) and not raw.startswith("_"):
            metrics[name] = value
    label = " ".join(dict.fromkeys(filter(None, labels))) or number
    if len({*metrics.values()}) == 1 and not row.is_logged and is_metric(metric_name(label), is_logged=False):
        metrics, label = {metric_name(label): next(iter(metrics.values()))}, ""  # the row of the accuracy in a report
    return counts, {of_split(split, name): value for name, value in metrics.items()}, label
