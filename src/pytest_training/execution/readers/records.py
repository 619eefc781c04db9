"""Reads TensorBoard's event files and W&B's offline ones: records of protocol buffers; no library of theirs is imported."""

import contextlib
import re
import struct
from collections.abc import Iterator
from typing import Any

from pytest_training.execution.readers.names import SPLITS, metric_name
from pytest_training.execution.readers.rows import Row, load

LARGEST_RECORD = 2**16
"""Bytes; a larger one holds pictures or histograms, and is skipped."""
BLOCK, HEAD = 32_768, 7
"""Of W&B's file, which is a log of LevelDB: bytes of a block, and of what stands before each part of a record."""
FULL, FIRST, LAST = 1, 2, 4
TORN = (LookupError, TypeError, ValueError, AttributeError, struct.error)
"""What a record raises that is none."""


class Records:
    """Rows of a file of TensorFlow records, each with its length before it."""

    def __init__(self, place: re.Match[str]) -> None:
        self.place, self.rest = place, b""
        self.skip = 0
        """Bytes after what was fed that hold nothing to read."""

    def feed(self, content: bytes) -> Iterator[Row]:
        """Yield the rows of the records that end in what was added."""
        content, at = self.rest + content, 0
        while len(content) - at >= 12:
            (size,) = struct.unpack_from("<Q", content, at)
            end = at + 12 + size + 4
            if size <= LARGEST_RECORD and end > len(content):
                break
            if size <= LARGEST_RECORD:
                with contextlib.suppress(*TORN):
                    yield from self._row(content[at + 12 : end - 4])
            at = end
        self.rest, self.skip = content[at:], max(0, at - len(content))

    def _row(self, event: bytes) -> Iterator[Row]:
        parts = dict(fields(event))
        folder = self.place["group"].rstrip("/").rpartition("/")[2]
        cells = {"step": parts.get(2, 0)} | ({"split": folder} if folder in SPLITS else {})
        for number, value in fields(parts.get(5, b"")):
            if number == 1 and (scalar := _scalar(dict(fields(value)))) is not None:
                tag = value_tag(value)
                below = metric_name(folder).startswith(f"{metric_name(tag)}_")  # as add_scalars names its folders
                cells[folder if below else tag.removeprefix("epoch_")] = scalar
        yield Row(cells)


class Runs:
    """Rows of a W&B file."""

    def __init__(self, place: re.Match[str]) -> None:
        self.place, self.rest, self.at, self.skip, self.begun = place, b"", 0, 0, b""

    def feed(self, content: bytes) -> Iterator[Row]:
        """Yield the rows of the records that end in what was added."""
        content = self.rest + content
        at = 0
        while len(content) - at >= HEAD:
            left = BLOCK - (self.at + at) % BLOCK
            if self.at + at == 0 or left < HEAD:
                at += min(left, HEAD)  # the file's own head, or the rest of a block
                continue
            _, size, kind = struct.unpack_from("<IHB", content, at)
            if at + HEAD + size > len(content):
                break
            part, at = content[at + HEAD : at + HEAD + size], at + HEAD + size
            self.begun = part if kind in {FULL, FIRST} else self.begun + part
            if kind in {FULL, LAST} and len(self.begun) <= LARGEST_RECORD:
                with contextlib.suppress(*TORN):
                    yield from _history(self.begun, self.place["run"])
        self.at, self.rest = self.at + at, content[at:]


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and value of each field of a protocol buffer; raise one of TORN if it is none."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        size, at = _varint(message, at) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], at)
        yield key >> 3, message[at : at + size]
        at += size


def value_tag(value: bytes) -> str:
    """Return the tag of a summary's value."""
    return next((part for number, part in fields(value) if number == 1), b"").decode()


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (message[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 128:
            return number, at
        if shift > 63:
            raise ValueError("no number has more than 64 bits")


def _scalar(value: dict[int, Any]) -> str | float | None:
    """Return a summary's number as text with the digits that a float of 32 bits has, or None if it holds none."""
    if 2 in value:
        return _rounded(value[2])
    tensor = dict(fields(value.get(8, b"")))
    content = next((tensor[number] for number in (4, 5, 6) if tensor.get(number)), b"")
    if tensor.get(1) == 1 and len(content) == 4:
        return _rounded(content)
    return float(struct.unpack("<d", content)[0]) if tensor.get(1) == 2 and len(content) == 8 else None


def _rounded(content: bytes) -> str:
    return f"{struct.unpack('<f', content)[0]:#.7g}"


def _history(record: bytes, run: str) -> Iterator[Row]:
    """Yield the row of a record of a history or a summary: items of a key and a value in JSON."""
    for number, message in fields(record):
        if number in {2, 3}:
            items = [[*fields(item)] for each, item in fields(message) if each == 1]
            cells = {"/".join(part.decode() for n, part in item if n in {1, 2}): load(dict(item)[16]) for item in items}
            yield Row({**cells, "run": run})
