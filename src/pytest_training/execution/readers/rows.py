"""Turns what foreign programs write into rows of names and values; no file is opened here."""

import csv
import json
import re
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from decimal import Decimal
from typing import Any

from pytest_training.execution.readers.names import ANY, AXES, SPLITS, Row, cells_of, is_metric, measured, metric_name
from pytest_training.execution.readers.printed import Printed

LONGEST_LINE, LONGEST_KEY, DEEPEST, MOST_ROWS = 2**16, 200, 5, 20_000
NUMBER_OR_TEXT = int | float | Decimal | str
NOT_MEASURED = re.compile(ANY["keys_of_settings"], re.IGNORECASE)
LOGGED = re.compile(r"metrics|scores", re.IGNORECASE)  # below them every number is a metric, but for times and settings
SAYS_NOTHING = re.compile(rf"((^|[_ ]){ANY['keys_without_meaning']})+$", re.IGNORECASE)  # `metrics` of `test_metrics`
HISTORY = re.compile(
    rf"histor|evals_result|(^|[_.-])(train_?)?{ANY['histories']}([_.-]|$)", re.IGNORECASE
)  # names of what is written once an epoch
NAMES_OF_NAMES = ("metric", "metrics", "name", "measure", "statistic", "key", "score", "index", "")  # beside values
METRICS = """
SELECT key, value, step, CASE WHEN name GLOB '[a-z]*-[a-z]*-[0-9]*' THEN run_uuid ELSE coalesce(name, run_uuid) END
FROM metrics LEFT JOIN runs USING (run_uuid) WHERE NOT is_nan ORDER BY timestamp DESC, metrics.rowid DESC LIMIT 20000
"""  # what is in MLflow's database; a name such as `nice-fox-12` is made up
MOST_STEPS = 20_000_000  # steps of SQLite's machine, about a second: a table may be a view without an end
LARGEST_EVENT, LARGEST_RECORD = 2**12, 2**16  # bytes; a larger event holds pictures or histograms, and is skipped
EVENT = re.compile(rb"..\0{6}.{4}\x09.{8}[\x10\x2a]", re.DOTALL)  # length, checksum, time, then step or summary
BLOCK, HEAD = 32_768, 7  # of W&B's file, a LevelDB log: bytes of a block, and of the head of a part of a record
WHOLE, FIRST, LAST = 1, 2, 4
TORN = (LookupError, TypeError, ValueError, AttributeError, struct.error)  # what a record raises that is none


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
            cells = cells_of(next(csv.reader([line], delimiter=delimiter)), delimiter)
        except (csv.Error, StopIteration):
            return None
        if self.header is None:
            self.delimiter, self.header = delimiter, cells if self._is_header(cells) else []
        if cells == self.header or len(cells) != len(self.header):
            return None
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
    """MLflow's database, read from a copy in memory: no lock is taken, and no other file is opened."""

    def feed(self, content: bytes) -> Iterator[Row]:
        """Yield a row for each value."""
        database = sqlite3.connect(":memory:")
        with suppress(sqlite3.Error, AttributeError), closing(database):  # some builds have no deserialize
            database.deserialize(content)
            database.set_progress_handler(lambda: 1, MOST_STEPS)
            for key, value, step, run in reversed(database.execute(METRICS).fetchall()):
                yield Row({"step": step, str(key): value, "run": str(run)}, self.is_logged)


class Records(Parser):
    """An event file of TensorBoard: records with their length before them."""

    def feed(self, content: bytes) -> Iterator[Row]:
        """Yield the rows of whole records."""
        content, at = self.rest + content, 0
        while len(content) - at >= 12:
            end = at + 12 + struct.unpack_from("<Q", content, at)[0] + 4
            is_small = end - at <= LARGEST_EVENT
            if is_small and end > len(content):
                break
            with suppress(*TORN):
                yield from self._rows(content[at + 12 : end - 4]) if is_small else ()
            at = end
        self.rest, self.skip = content[at:], max(0, at - len(content))

    def resume(self, content: bytes, at: int) -> int:
        """Return where an event begins that another one follows."""
        super().resume(content, at)
        begins = (match.start() for match in EVENT.finditer(content))
        after = ((begin, begin + 16 + int.from_bytes(content[begin : begin + 8], "little")) for begin in begins)
        return next((begin for begin, end in after if EVENT.match(content, end)), len(content))

    def _rows(self, event: bytes) -> Iterator[Row]:
        parts, folder = dict(fields(event)), self.place["group"].rstrip("/").rpartition("/")[2]
        for number, value in fields(parts.get(5, b"")):
            content = dict(fields(value)) if number == 1 else {}
            if (scalar := _scalar(content)) is not None:
                tag = content[1].decode()
                is_group = metric_name(folder).startswith(f"{metric_name(tag)}_")  # as add_scalars names its folders
                split = {"split": folder} if folder in SPLITS and "/" not in tag else {}  # a run may be called `train`
                name = folder if is_group else tag.removeprefix("epoch_")
                yield Row({"step": parts.get(2, 0), **split, name: scalar}, self.is_logged)


class Runs(Parser):
    """A file of W&B: records in parts; each part ends in the block in which it begins."""

    at = 0
    begun = b""

    def feed(self, content: bytes) -> Iterator[Row]:
        """Yield the rows of whole records: items of a history or of a summary, each a key and a value in JSON."""
        content = self.rest + content
        while len(content) >= HEAD:
            _, size, kind = struct.unpack_from("<IHB", content)
            left = BLOCK - self.at % BLOCK
            is_filling = not self.at or left < HEAD  # the file's own head, or the rest of a block
            end = min(left, HEAD) if is_filling else HEAD + size
            if end > len(content):
                break
            if not is_filling:
                self.begun = b"" if kind in {WHOLE, FIRST} else self.begun[:LARGEST_RECORD]
                self.begun += content[HEAD:end]
            with suppress(*TORN):
                yield from self._rows(self.begun) if kind in {WHOLE, LAST} and not is_filling else ()
            self.at, content = self.at + end, content[end:]
        self.rest = content

    def resume(self, content: bytes, at: int) -> int:
        """Return where a block begins."""
        super().resume(content, at)
        self.at, self.begun = at + -at % BLOCK, b""
        return self.at - at

    def _rows(self, record: bytes) -> Iterator[Row]:
        for number, message in fields(record):
            items = [[*fields(item)] for each, item in fields(message) if each == 1] if number in {2, 3} else []
            keys = ("/".join(part.decode() for each, part in item if each in {1, 2}) for item in items)
            cells = {key: load(dict(item)[16]) for key, item in zip(keys, items, strict=True)}
            yield Row(cells, self.is_logged, is_point=number == 2)


def load(content: bytes | str) -> Any:
    """Return a JSON document with the digits of its fractions, or None for any other text."""
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
        if len(key) > LONGEST_KEY:
            continue
        if isinstance(value, kind):
            values[key] = value
        elif isinstance(value, dict) and depth < DEEPEST and "_type" not in value and not NOT_MEASURED.search(key):
            above = SAYS_NOTHING.sub("", key)  # a picture of W&B's has a `_type`
            for name, each in flat(value, joined_by, kind=kind, depth=depth + 1).items():
                short = f"{above}{joined_by}{name}" if above else name
                values[f"{key}{joined_by}{name}" if short in values else short] = each
    return values


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and value of each field of a protocol buffer; raise one of TORN for other bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
        else:
            size, at = _varint(message, at) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], at)
            yield key >> 3, message[at : at + size]
            at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 64, 7):
        number |= (message[at] & 127) << shift
        at += 1
        if message[at - 1] < 128:
            return number, at
    raise ValueError


def _scalar(value: dict[int, Any]) -> float | str | None:
    """Return a summary's number, one of 32 bits as text with as many digits as it has; None if it holds none."""
    tensor = dict(fields(value.get(8, b"")))
    content = value.get(2) or next((tensor[number] for number in (4, 5, 6) if tensor.get(number)), b"")
    if len(content) == 8 and tensor.get(1) == 2:
        return float(struct.unpack("<d", content)[0])
    return f"{struct.unpack('<f', content)[0]:#.7g}" if len(content) == 4 and tensor.get(1, 1) == 1 else None
