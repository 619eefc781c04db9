"""The measurements in the lines of a log, one after the other: with the titles and the tables that they stand in."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import BinaryIO, ClassVar

from msgspec import Struct, field

from pytest_training.execution.job_files import CHUNK, open_own
from pytest_training.execution.readers.calls import with_calls
from pytest_training.execution.readers.features import FeatureList, is_of_data, kind_of
from pytest_training.execution.readers.line import BAR, BOXES, NUMBER, Line, clean, read_line
from pytest_training.execution.readers.names import CASE, SPLIT, TITLE, WORDS, is_measured, words_of
from pytest_training.execution.readers.nested import NestedDict
from pytest_training.execution.readers.numbers import Number, is_possible, parse_number
from pytest_training.execution.readers.protocol import COUNTERS, EndedAttempt, Measured, Point, RunningAttempt
from pytest_training.execution.readers.titles import Titles, rounds
from pytest_training.text import ESCAPE_SEQUENCES

ALONE = re.compile(r"\s*[\[{]?\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*%?\s*[\]}]?\s*")
"""A line that is a number."""
LONGEST_LINE, LONGEST_TITLE, MOST_NAMES, MOST_CASES, MOST_ABOVE = 4_000, 200, 500, 30, 4
MOST_BYTES, MOST_LIVE_BYTES = 2**22, 2**13
"""What is read of a log at its end, a quarter of it at its begin, and by a poll: a second reads about 1 MB."""
_ESCAPES = re.compile(ESCAPE_SEQUENCES)
_BACK = re.compile("\b+")
_COUNT = re.compile(r"[\d/.,:;%-]+")
_DIGIT = re.compile(r"\d")
_LIST = re.compile(r"\[[\d.,\s]+\]")
_RULE = re.compile(r"[-=+|:\s─━_*#]*")
_ENDS_SECTION = re.compile(r"(?=.*[^-=+|:\s─━_*#])(?:[=\-#*}].*|.*:)")
_OF_SPLIT = re.compile(r".*\{|(?:train|test|val(?:id(?:ation)?)?|dev|eval|holdout)\W*$", re.IGNORECASE)
_BARS = ("|", "│", "┃", "║")
_TYPES = re.compile(r"(?:str|bool|cat|enum|date|null|object|[iuf]\d{1,3})?")  # below the heads of a table of Polars
_PREDICTED = re.compile(r"(?i)y_hat|(?:y_)?pred(?:s|icted|ictions?)?(?:[_ ]\w+)?")
_OF_STUDY = re.compile(r"\bbest trial\b|\btrial \d+ finished with value\b|\bfinished trials\b", re.IGNORECASE)
_BEST = re.compile(r"\bbest (?:trial |objective )?value\s*[:=](?=\s*[-+]?\d)", re.IGNORECASE)
_BELOW_BEST = re.compile(r"\s*value\s*[:=](?=\s*[-+]?\d)", re.IGNORECASE)
_PRECISION_AND_RECALL = frozenset(["P", "R", "Box(P"])  # heads of columns that are measurements beside others


class Printed(Struct):
    """Reads a log line by line: as programs print, or by a pattern with a named group for each metric."""

    pattern: str = ""
    line: int = 0
    finals: dict[str, tuple[Number, int]] = field(default_factory=dict)  # by name its last number, and the line of it
    most_bytes: ClassVar[int] = 4 * LONGEST_LINE  # of the end of a line, which may have many states of a progress bar
    _section: str = ""  # the split that a title names
    _has_read: bool = False  # True if something stands below the title
    _heads: tuple[str, ...] = ()  # of the columns of a table
    _epoch: dict[str, float] = field(default_factory=dict)
    titles: Titles = field(default_factory=Titles)
    _above: str = ""  # the line before
    _below: tuple[str, ...] = ()  # names that it took from the line above it
    _features: FeatureList = field(default_factory=FeatureList)
    _nested: NestedDict = field(default_factory=NestedDict)
    _width: int = 0  # of the line with the heads
    _is_study: bool = False  # True if a line was one of Optuna's
    _is_wrapped: bool = False  # True below the first columns of the data itself, which go on further down

    def feed(self, line: str) -> Line:
        """Return what the next line says, as a terminal shows it at last."""
        self.line += 1
        states = [state for state in _BACK.sub("\r", line).split("\r") if state.strip()]
        text = _ESCAPES.sub("", states[-1]) if states and len(states[-1]) <= LONGEST_LINE else ""
        named = "" if self.pattern or not ALONE.fullmatch(text) else self._with_title(text)
        whole = text if self.pattern else named or self._whole(text)
        read = self._match(text) if self.pattern else self._read(whole)
        self._above, self._below = text.strip(), tuple(read.values) if named else ()
        new = {name: (value, self.line) for name, value in read.values.items()}
        if not self.pattern:
            self._features = FeatureList() if self._heads else self._features.after(whole)
            new = self._features.sift(self.finals, new)
        for name, final in new.items():
            is_rounded = self._heads and name in self.finals and rounds(self.finals[name][0], final[0])
            if not (self.pattern or is_possible(name, final[0])):
                self.finals.pop(name, None)
            elif (name in self.finals or len(self.finals) < MOST_NAMES) and not is_rounded:
                self.finals[name] = final
        return read if new else read._replace(values={})

    def _with_title(self, text: str) -> str:
        """Return a number with the line above it, if that names it; a second number takes that name away."""
        for name in self._below:
            self.finals.pop(name, None)
        words = words_of(self._above.strip(":"))
        is_short = 0 < len(words) <= MOST_ABOVE and not _DIGIT.search(re.sub("[Rr]2|[Ff]1", "", self._above))
        is_title = is_short and any(map(is_measured, (words[0], words[-1]))) and not (self._below or self._epoch)
        return f"{self._above.strip(':')}: {text}" if is_title and "." in text and not self._heads else ""

    def _whole(self, text: str) -> str:
        """Return a line with what its numbers are called in the lines above it."""
        self._is_study = self._is_study or bool(_OF_STUDY.search(text))
        if self._is_study:
            is_below = self._above[:10].lower() == "best trial"
            text = _BELOW_BEST.sub("best_value:", text, 1) if is_below else _BEST.sub("best_value:", text)
        if self._above.startswith(_BARS) and text.lstrip().startswith(_BARS) and not NUMBER.search(text):
            lines = [self._above.translate(BOXES), text.translate(BOXES)]
            pairs = [*zip(*map(_cells, lines), strict=False)]
            is_even = len({*map(len, map(_cells, lines))}) == 1 and not any(map(_RULE.fullmatch, lines))
            # A head that stands above several others says nothing of the second one.
            has_gap = any(bool(above) != bool(own) for above, own in pairs)
            if is_even and has_gap and not NUMBER.search(lines[0]) and all(above for above, _ in pairs[1:]):
                self._heads = ()
                return f"| {' | '.join(' '.join(filter(None, pair)) for pair in pairs)} |"
        return self._nested.named(text)

    def pass_over(self, part: bytes) -> None:
        """Count the lines of a part that is not read, and forget the numbers that it may have with other values."""
        self.line += part.count(b"\n")
        text, words = part.lower(), {each.rpartition("_")[2] for each in self.finals}
        spelled = {word: (word, word.replace("r2", "r²"), word.replace("r2", "r^2")) for word in words}
        words = {word for word in words if any(each.encode() in text for each in spelled[word])}
        for name in [each for each in self.finals if self.pattern or each.rpartition("_")[2] in words]:
            del self.finals[name]

    def _match(self, text: str) -> Line:
        line, found = Line({}, {}), re.search(self.pattern, text)
        for name, group in found.groupdict("").items() if found else ():
            number = parse_number(group.strip(" %"))
            if number is not None and name in COUNTERS:
                line.counters[name] = float(number)
            elif number is not None:
                is_share = "%" in group or (found and text[found.end(name) :].lstrip().startswith("%"))
                line.values[name] = number.scaleb(-2) if is_share else number
        return line

    def _read(self, text: str) -> Line:
        line = self._row(_LIST.sub("…", BAR.sub(";", text)).translate(BOXES)) if self._heads else None
        if line is None:
            self._heads, self._width = (), len(text)
            text = clean(text) if _DIGIT.search(text) else text
            has_number = NUMBER.search(text)
            line = read_line(text, self._section) if has_number else self._title(text.strip()[:LONGEST_TITLE])
        if line.values:
            is_loop = bool(self._epoch or line.counters)
            if not (is_loop or self._heads) and self.titles.begins_again(text, line.values):
                line, self._section = read_line(text), ""
            if "best_value" not in line.values:
                line = line._replace(values=self.titles.tell_apart(text, line.values, self.finals, is_loop=is_loop))
        elif not line.counters:
            self.titles.take(text.strip() if len(text) <= LONGEST_TITLE else "-", is_loop=bool(self._epoch))
        self._has_read = self._has_read or bool(line.values)
        if line.counters:
            self._section = ""
            self._epoch = {"epoch": line.counters["epoch"]} if "epoch" in line.counters else self._epoch
        return line if line.counters else line._replace(counters=self._epoch)

    def _title(self, text: str) -> Line:
        """Take a line without numbers as the head of a table, or as a title."""
        cells, title = _cells(text.translate(BOXES) if text.startswith(_BARS) else text), TITLE.fullmatch(text)
        is_head = len(cells) > 1 and all(len(cell.split()) <= 3 and not set(cell) & set(":=") for cell in cells)
        is_head = is_head and not (self._is_wrapped or any(map(_PREDICTED.fullmatch, cells)))  # of samples
        is_of_splits = len(_splits(cells)) > 1 and len(cells) - len(_splits(cells)) < 2
        names = [*filter(None, map(_name_of, cells))]
        is_of_data = self._is_wrapped or not (names or "feature" not in map(kind_of, cells[:-1]))
        self._is_wrapped = is_of_data and text.endswith("\\") if text else self._is_wrapped
        is_clear = len(names) == len({*names})  # else a line above says what each is of
        is_measured_head = is_clear and {*names} - {"score"} and not {"min", "max"} & {*map(str.lower, cells)}
        if is_head and (is_of_splits or is_measured_head):
            self.titles.begin_table()
            self._heads = tuple(cells)
        elif title and (title["words"] or len(title["frame"].strip()) > 1 or _OF_SPLIT.match(text)):
            self._section, self._has_read = title["split"].lower(), False
        elif self._has_read if not text else _ENDS_SECTION.fullmatch(text):
            self._section = ""
        return Line({}, {})

    def _row(self, text: str) -> Line | None:
        """Return the measurements in a row of the table, or None if the table has ended."""
        is_name = len(text) == self._width and text.endswith(" ") and len(text.split()) == 1  # of the index, in pandas
        types = _cells(text) if "|" in text else []
        has_types = any(types) and all(map(_TYPES.fullmatch, types))
        if has_types and (types[0] not in {"str", "cat", "enum"} or self._heads[0].lower() not in WORDS["subjects"]):
            self._heads = ()  # rows of data
        if is_name or has_types or _RULE.fullmatch(text):
            return Line({}, {})
        cells, count = _cells(text) if "|" in text else text.strip(" :]").split(), len(self._heads)
        while len(cells) > count and not re.search(r"\w", cells[-1]):  # a progress bar, or a mark: `0.91 *`
            del cells[-1]
        if splits := _splits(self._heads):
            return _of_splits(cells, splits)
        section = self._section and f"{self._section}_"
        if 1 < len(cells) < count and not set(cells[0]) & set(":=") and is_measured(cells[0]):  # accuracy in a report
            value = parse_number(cells[1])
            return None if value is None else Line({section + cells[0]: value}, {})
        row = self._label(cells) if len(cells) == count or (len(cells) > count and "|" not in text) else "="
        if set(row) & set("([{=:") or "=" in cells:
            return None
        line = Line({}, {})
        for head, cell in zip(self._heads, cells[-count:], strict=True):
            number, name = parse_number(cell.strip("*")), _name_of(head)
            if name and number is None and cell != "…":
                return None
            if number is not None:
                line.values.update({("" if SPLIT.search(name) else section) + row + name: number} if name else {})
                line.counters.update({head.lower(): float(number)} if head.lower() in COUNTERS else {})
        return Line({}, {}) if is_of_data(self._heads, cells, is_box="|" in text) else line

    def _label(self, cells: list[str]) -> str:
        """Return what the names of a row begin with: what stands before its numbers, unless that is `all`."""
        heads = [*map(str.lower, self._heads)]
        is_ranked = len(heads) > 1 and heads[1] in WORDS["subjects"] and bool(_COUNT.fullmatch(cells[-len(heads)]))
        head, own = heads[is_ranked], cells[is_ranked - len(heads)]
        if head in WORDS["swept"] and _COUNT.fullmatch(own):
            return f"{head}_{own}_"
        is_text = not _name_of(head) and (head in WORDS["subjects"] or not _COUNT.fullmatch(own))
        label = "_".join(" ".join(cells[: len(cells) - len(heads) + is_ranked + is_text]).lower().split())
        label = re.sub(r"^\d+_|(?<=\w)\)$", "", re.sub(r"_?[(=,]_?(?=[\w=.,+-]*\)$)", "_", label)) if is_text else label
        return "" if label in {"", "all"} or (label.isdigit() and "support" not in heads) else f"{label}_"


class FollowedLog:
    """A log as far as it was read."""

    def __init__(self, attempt: RunningAttempt) -> None:
        self._printed = Printed(attempt.job.metrics.stdout if attempt.job.metrics else "")
        self._attempt, self._offset, self._rest = attempt, 0, b""
        self._has_ended = isinstance(attempt, EndedAttempt)

    def poll(self) -> Iterator[Point]:
        """Yield what the new lines measure."""
        with suppress(OSError), open_own(self._attempt.folder.log) as log:
            for content in self._new(log):
                *lines, self._rest = (self._rest + content).split(b"\n")
                yield from self._points(lines)
        if self._rest and (self._has_ended or b"\r" in self._rest):  # a progress bar that still grows
            yield from self._points([self._rest])
            self._printed.line -= 1
        self._rest = self._rest[-self._printed.most_bytes :]

    def metrics(self) -> Iterator[tuple[str, Measured]]:
        """Yield the last number of each name, then those that have a name by the calls that printed them alone."""
        finals = [(name, value, line) for name, (value, line) in self._printed.finals.items()]
        if len({case[0] for name, *_ in finals if (case := CASE.match(name))}) > MOST_CASES:
            finals = [final for final in finals if not CASE.match(final[0])]
        replaced = self._printed.titles.replaced
        log = {name: Measured(value, f"stdout line {line}", name in replaced) for name, value, line in finals}
        if self._has_ended and not self._printed.pattern:
            yield from with_calls(self._attempt.folder.printed, Path(self._attempt.job.workplace), log)
        else:
            yield from log.items()

    def _points(self, lines: list[bytes]) -> Iterator[Point]:
        for line in lines:
            text = line[-self._printed.most_bytes :].decode("utf-8", "replace")
            read = self._printed.feed(text)
            if read.values or read.progress:
                values = {name: float(value) for name, value in read.values.items() if isfinite(value)}
                yield Point("stdout", {**read.counters, **values}, read.progress)

    def _new(self, log: BinaryIO) -> Iterator[bytes]:
        """Yield what was added; of very much the tail, and the head too if the attempt has ended."""
        size, most = log.seek(0, os.SEEK_END), MOST_BYTES if self._has_ended else MOST_LIVE_BYTES
        log.seek(self._offset if self._offset <= size else 0)
        if size - log.tell() > most:
            if self._has_ended:
                yield log.read(most // 4)
            else:
                log.seek(size - most)  # lines have no numbers in the live view
            self._rest = b""
            while (left := size - most + most // 4 - log.tell()) > 0 and (chunk := log.read(min(CHUNK, left))):
                self._printed.pass_over(chunk)
            cut, _, states = log.readline(most).partition(b"\r")  # all of a progress bar is one line
            self._printed.line += not states and cut.endswith(b"\n")
            yield states
        yield log.read(most)
        self._offset = log.tell()


def _cells(text: str) -> list[str]:
    """Return the cells of a line of a table."""
    if "|" in text.replace("||", ""):  # and not `||gradient||`
        return [cell.strip() for cell in text.strip().strip("|").split("|")]
    cells = re.split(r"\s{2,}|\t", text.strip(" :;])"))
    return [part for cell in cells for part in (cell.split() if "_" in cell and len(cells) > 1 else [cell])]


def _splits(heads: Iterable[str]) -> list[str]:
    """Return the heads of a table with a measurement in each row that are parts of the data, or nothing."""
    return [head.lower() for head in heads if SPLIT.fullmatch(head)]


def _of_splits(cells: list[str], splits: list[str]) -> Line | None:
    words = words_of(" ".join(cells[: -len(splits)]))
    numbers = [number for cell in cells[-len(splits) :] if (number := parse_number(cell)) is not None]
    if len(numbers) < len(splits) or not is_measured(" ".join(words)):
        return None
    return Line({f"{split}_{'_'.join(words)}": number for split, number in zip(splits, numbers, strict=True)}, {})


def _name_of(head: str) -> str:
    words = words_of(head)
    return "_".join(words) if is_measured(" ".join(words)) or head in _PRECISION_AND_RECALL else ""
