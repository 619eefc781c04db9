"""What a program prints: the measurements in the lines and tables of its log. Nothing in it is trusted."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_training.execution.readers.printed_line import NUMBER, Line, clean, parse_number, read_line
from pytest_training.execution.readers.printed_words import SPLIT, TITLE, is_measured, words_of
from pytest_training.text import ESCAPE_SEQUENCES

LONGEST_LINE = 4_000
MOST_NAMES = 500
_ESCAPES = re.compile(ESCAPE_SEQUENCES)
_RULE = re.compile(r"[-=+|:\s─━_*#]*")
_COUNTERS = ("epoch", "step", "iter", "iteration", "#")


class Final(NamedTuple):
    """The last value of a name, and the line that has it."""

    value: float
    line: int


@dataclass
class Printed:
    """Reads a log line by line."""

    finals: dict[str, Final] = field(default_factory=dict)
    line: int = 0
    _section: str = ""
    _columns: tuple[str, ...] = ()
    _has_read: bool = False

    def feed(self, line: str) -> dict[str, float] | None:
        """Return what a line measures, with its epoch or step, or None if it measures nothing."""
        self.line += 1
        states = [state for state in line[-LONGEST_LINE:].replace("\b", "").split("\r") if state.strip()]
        if not states:
            self._section = "" if self._has_read else self._section
            return None
        text = clean(_ESCAPES.sub("", states[-1]) if "\x1b" in states[-1] else states[-1])
        read = self._row(text) if self._columns else None
        if read is None:
            self._columns = ()
            if NUMBER.search(text) is None:
                self._title(text)
                return None
            read = read_line(text, self._section)
        return self._take(read)

    def _take(self, read: Line) -> dict[str, float] | None:
        finite = {name: value for name, value in read.values.items() if math.isfinite(value)}
        for name in read.values:
            self.finals.pop(name, None)  # an earlier number is not the final one where the last is NaN
        for name, value in finite.items():
            if len(self.finals) < MOST_NAMES:
                self.finals[name] = Final(value, self.line)
        self._has_read = self._has_read or bool(finite)
        return {**read.counters, **finite} if finite else None

    def _title(self, text: str) -> None:
        """Take a line without numbers as the head of a table, or as a title."""
        cells = _cells(text)
        names = tuple(_column(cell) for cell in cells)
        if len(cells) > 1 and any(names) and all(len(cell.split()) <= 3 and not set(cell) & set(":=") for cell in cells):
            self._columns = tuple(name or cell.lower() for name, cell in zip(names, cells, strict=True))
            return
        plain = text.strip()
        if title := TITLE.fullmatch(plain):
            is_framed = len(title["frame"].strip()) > 1 or "{" in title["end"]
            self._section = title["split"].lower() if title["words"] or is_framed else ""
            self._has_read = False
        elif not _RULE.fullmatch(plain) and (plain.endswith(":") or plain[:2] in {"==", "--", "##", "**"} or plain[0] == "}"):
            self._section = ""

    def _row(self, text: str) -> Line | None:
        """Return the measurements in a row of the table, or None if the table ends."""
        if _RULE.fullmatch(text):
            return Line({}, {})
        columns = self._columns
        cells = _cells(text) if "|" in text else text.strip(" :]").replace(",", " ").split()
        if len(cells) > len(columns) and cells[-1] == ";":  # a progress bar; elsewhere it is a time
            del cells[-1]
        if len(cells) < len(columns):
            return self._short(cells)
        own, before = cells[len(cells) - len(columns) :], cells[: len(cells) - len(columns)]
        numbers = {name: parse_number(cell.strip("*")) for name, cell in zip(columns, own, strict=True) if _column(name)}
        if None in numbers.values() or ("|" in text and before):
            return None
        first = own[0] if not _column(columns[0]) and parse_number(own[0]) is None and "/" not in own[0] else ""
        label = first or " ".join(before)
        if label == "all" or (label.isdigit() and "support" not in columns):
            label = ""
        prefix = "".join(f"{word}_" for word in words_of(label) or label.split())
        section = f"{self._section}_" if self._section else ""
        counters = {name: parse_number(cell) for name, cell in zip(columns, own, strict=True) if name in _COUNTERS}
        values = {f"{'' if SPLIT.search(name) else section}{prefix}{name}": value for name, value in numbers.items()}
        return Line(values, {name: value for name, value in counters.items() if value is not None})  # type: ignore[arg-type]

    def _short(self, cells: list[str]) -> Line | None:
        """Return the number of a row of its own, such as that of the accuracy below precision and recall."""
        value = parse_number(cells[1]) if len(cells) > 1 else None
        if value is None or not is_measured(cells[0]):
            return None
        return Line({f"{self._section}_{cells[0]}".strip("_"): value}, {})


def _cells(text: str) -> list[str]:
    if "|" in text:
        return [cell.strip() for cell in text.strip().strip("|").split("|")]
    return re.split(r"\s{2,}|\t", text.strip(" :;])"))


def _column(cell: str) -> str:
    words = words_of(cell)
    is_short = cell in {"P", "R", "Box(P", "p", "r", "box_p"}
    return "_".join(words) if words and (is_measured(" ".join(words)) or is_short) else ""
