"""Turns what a foreign program writes into rows of names and values; one class a form, and no file is opened here."""

import contextlib
import csv
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from itertools import chain
from decimal import Decimal
from typing import Any, NamedTuple

from pytest_training.execution.readers.names import AXES, SPLITS, is_metric, measured, metric_name, of_split

Number = float | Decimal

LONGEST_LINE = 2**16
DEEPEST = 5
NOT_MEASURED = re.compile(
    r"config|param|args|argument|setting|hyper|importance|coef|feature|data|environment|version|system|timing|confusion"
    r"|history_args|threshold|best_model|prediction|options|^model$|_per_class_counts",
    re.IGNORECASE,
)
"""Keys of a document, below which no number is a metric."""
SAYS_NOTHING = re.compile(
    r"((^|[_ ])(metrics?|results?|scores?|report|summary|performance|evaluation|final|overall|classification))+$",
    re.IGNORECASE,
)
"""What is no part of a name at the end of a key: `test` of `test_metrics`."""
LOGGED = re.compile(r"metrics|scores", re.IGNORECASE)
"""Keys below which every number is a metric, but for times, settings and counters."""
HISTORY = re.compile(
    r"histor|(^|[_.-])(train_?)?(logs?|logger|losses|loss|progress|training|epochs)([_.-]|$)", re.IGNORECASE
)
"""Names of what is written once an epoch."""
GROUPS = frozenset(["fold", "repeat", "trial", "restart", "seed", "run"])
"""Columns whose numbers tell fits apart."""
SUBJECTS = frozenset(
    "model classifier regressor estimator algorithm method name class label dataset task metric".split()
)
"""Columns that say what a row is about."""
METRICS = "SELECT key, value, step, run_uuid FROM metrics WHERE NOT is_nan ORDER BY timestamp, rowid LIMIT 50000"
MOST_STEPS = 20_000_000
"""Steps of SQLite's machine, about a second."""
NAMES_OF_NAMES = {"metric", "metrics", "name", "measure", "statistic", "key", "score", "index", "unnamed_0", ""}


class Row(NamedTuple):
    """What is written at one moment, or about one model: names as they stand there, and what stands below them."""

    cells: Mapping[str, Any]
    is_logged: bool = False
    """True if its numbers are logged as metrics, and are no settings."""


class Lines:
    """Rows of a text, from as much of it as there is; `place` is the path, matched by the form's pattern."""

    def __init__(self, place: re.Match[str]) -> None:
        self.place, self.rest = place, b""

    def feed(self, content: bytes) -> Iterator[Row]:
        """Yield the rows that end in what was added."""
        *lines, rest = (self.rest + content).split(b"\n")
        self.rest = rest if len(rest) < LONGEST_LINE else b""
        for line in lines:
            if (text := line.decode("utf-8-sig", "replace").strip()) and (cells := self.cells(text)):
                yield Row(cells)

    def cells(self, line: str) -> Mapping[str, Any] | None:
        """Return the cells of a line, or None if it has none."""
        raise NotImplementedError


class JsonLines(Lines):
    """One object a line."""

    def cells(self, line: str) -> Mapping[str, Any] | None:
        """Return the object."""
        document = load(line.encode()) if line.startswith("{") else None
        return flat(document) if isinstance(document, dict) else None


class Logged(Lines):
    """One file a metric: MLflow's `timestamp value step`, DVCLive's step and value."""

    def cells(self, line: str) -> Mapping[str, Any] | None:
        """Return step, value and run."""
        parts, place = line.split(), self.place.groupdict()
        if len(parts) not in {2, 3} or not re.fullmatch(r"[-+.\w]*\d[-+.\w]*|nan|-?inf", parts[1]):
            return None
        value, step = (parts[1], parts[2]) if len(parts) == 3 else (parts[1], parts[0])
        return {"step": step, place["name"]: value, "run": place.get("run")}


class Table(Lines):
    """A table with a header; its rows count up, or each is about something."""

    header: list[str] | None = None
    delimiter = ","

    def cells(self, line: str) -> Mapping[str, Any] | None:
        """Return the row's cells that are not empty; a table of names and values has them in two columns."""
        if self.header is None:
            self.delimiter = max(",;\t", key=line.count)
        try:
            cells = [cell.strip() for cell in next(csv.reader([line], delimiter=self.delimiter))]
        except (csv.Error, StopIteration):
            return None
        if self.header is None:
            is_header = len(cells) > 1 and not any(re.fullmatch(r"[-+.\d]+(e[-+]?\d+)?", cell) for cell in cells[:-1])
            self.header = cells if is_header else []
            return None
        if cells == self.header or len(cells) != len(self.header):
            return None
        if self.delimiter == ";":
            cells = [re.sub(r"^(-?\d+),(\d+)$", r"\1.\2", cell) for cell in cells]
        names = [*map(metric_name, self.header)]
        if len(cells) == 2 and names[0] in NAMES_OF_NAMES and not is_metric(names[1], is_logged=False):
            return {cells[0]: cells[1]}
        return {name: cell for name, cell in zip(self.header, cells, strict=True) if cell}


class Text(Lines):
    """A log: JSON lines, or a table that counts up."""

    form: Lines | None = None

    def cells(self, line: str) -> Mapping[str, Any] | None:
        """Return the cells, in the form of the first line."""
        self.form = self.form or (JsonLines if line.startswith("{") else Table)(self.place)
        cells = self.form.cells(line)
        is_row = isinstance(self.form, JsonLines) or (cells and any(metric_name(name) in AXES for name in cells))
        return cells if is_row else None


class Document:
    """A JSON document: one row of its numbers, nested ones included, and the rows of a history."""

    joined_by = "_"

    def __init__(self, place: re.Match[str]) -> None:
        self.place = place

    def feed(self, content: bytes) -> Iterator[Row]:
        """Yield the rows of a whole document, or of one that is JSON lines."""
        document = load(content)
        if document is None and content.lstrip().startswith(b"{"):
            yield from JsonLines(self.place).feed(content + b"\n")
        elif isinstance(document, dict) and isinstance(document.get("log_history"), list):
            yield from self._each(document["log_history"])
        elif isinstance(document, list):
            yield from self._each(document)
        elif isinstance(document, dict):
            yield from self._history(document)
            logged = {key: below for key, below in document.items() if isinstance(below, dict) and _is_logged(key)}
            yield Row(flat(logged, self.joined_by), is_logged=True)
            yield Row(flat({key: document[key] for key in document.keys() - logged}, self.joined_by))
            for key in filter(HISTORY.search, document):
                below = document[key]
                yield from self._each(below) if isinstance(below, list) else ()
                yield from self._history(below, is_named=True) if isinstance(below, dict) else ()

    @staticmethod
    def _each(listed: list[Any]) -> Iterator[Row]:
        yield from (Row(flat(each)) for each in listed if isinstance(each, dict))

    def _history(self, document: Mapping[str, Any], *, is_named: bool = False) -> Iterator[Row]:
        """Yield a row for each epoch of a Keras history, which is a list for each name."""
        columns = {key: value for key, value in document.items() if isinstance(value, list) and len(value) > 1}
        columns = {key: value for key, value in columns.items() if is_metric(metric_name(key), is_logged=False)}
        lengths = {len(value) for value in columns.values()}
        is_named = is_named or HISTORY.search(self.place[0].rpartition("/")[2]) is not None
        if is_named and len(lengths) == 1 and not {"fpr", "tpr", "thresholds"} & {*document}:
            for number, values in enumerate(zip(*columns.values(), strict=True), 1):
                yield Row({"epoch": number, **dict(zip(columns, values, strict=True))})


class TagDocument(Document):
    """A document, the levels of which are parts of a tag: `train/loss`."""

    joined_by = "/"


class Database:
    """MLflow's database, read from a copy in memory: no lock, and no file but this one."""

    def __init__(self, place: re.Match[str]) -> None:
        self.place = place

    def feed(self, content: bytes) -> Iterator[Row]:
        """Yield a row for each value."""
        database = sqlite3.connect(":memory:")
        with (
            contextlib.suppress(sqlite3.Error, AttributeError),
            contextlib.closing(database),
        ):  # some have no deserialize
            database.deserialize(content)
            database.set_progress_handler(lambda: 1, MOST_STEPS)  # a table may be a view without an end
            for key, value, step, run in database.execute(METRICS):
                yield Row({"step": step, str(key): value, "run": str(run)})


def load(content: bytes) -> Any:
    """Return a JSON document with its fractions as text, so that their digits are kept; None if it is none."""
    try:
        return json.loads(content, parse_float=str)
    except (ValueError, RecursionError):
        return None


def flat(document: Mapping[str, Any], joined_by: str = "_", depth: int = 0) -> dict[str, Any]:
    """Return the scalars of a document, each with the keys above it that say something."""
    scalars: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, Mapping):
            if depth < DEEPEST and "_type" not in value and not NOT_MEASURED.search(key):
                above = SAYS_NOTHING.sub("", key)
                for name, each in flat(value, joined_by, depth + 1).items():
                    whole = f"{above}{joined_by}{name}" if above else name
                    scalars[f"{key}{joined_by}{name}" if whole in scalars else whole] = each
        elif not isinstance(value, list | bool | None):
            scalars[key] = value
    return scalars


def _is_logged(key: str) -> bool:
    return bool(LOGGED.search(key)) and not NOT_MEASURED.search(key)


class Moment(NamedTuple):
    """What a row says: counters, metrics, and of what."""

    counts: dict[str, float]
    metrics: dict[str, Number]
    label: str


def read_row(row: Row, run: str) -> Moment:
    """Return the numbers of a row by what they are; text says of which part of the data or of which model they are."""
    counts: dict[str, float] = {}
    numbers: dict[str, Number] = {}
    labels, split = [run], ""
    for at, (raw, cell) in enumerate(row.cells.items()):
        name, value = metric_name(raw), measured(cell)
        axis = AXES.get(name if name else raw.strip())
        if value is None and isinstance(cell, str):
            word = cell.strip().lower()
            split = word if word in SPLITS else split
            is_subject = name in SUBJECTS or (at == 0 and not row.is_logged) or name == "run"
            labels += [cell[:60]] if is_subject and word not in SPLITS else []
        elif value is None:
            continue
        elif (axis == "round" and at == 0) or (axis and axis != "round") or name in GROUPS:
            counts[axis or name] = float(value)
            labels += [f"{name}_{cell}"] if name in GROUPS else []
        elif is_metric(name, is_logged=row.is_logged) and not raw.startswith("_"):
            numbers[name] = value
    label = " ".join(dict.fromkeys(filter(None, labels)))
    return Moment(counts, {of_split(split, name): value for name, value in numbers.items()}, label)
