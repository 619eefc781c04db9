"""Reads TensorBoard's event files and W&B's offline ones: records of protocol buffers, without a library of theirs."""

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pytest_training.execution.readers.names import SPLITS, metric_name
from pytest_training.execution.readers.rows import Parser, Row, load

LARGEST_EVENT, LARGEST_RECORD = 2**12, 2**16  # bytes; a larger event holds pictures or histograms, and is skipped
EVENT = re.compile(rb"..\0{6}.{4}\x09.{8}[\x10\x2a]", re.DOTALL)
"""A length, its checksum, and the begin of an event: its time, then its step or its summary."""
BLOCK, HEAD = 32_768, 7  # of W&B's file, a LevelDB log: bytes of a block, and of the head of a part of a record
WHOLE, FIRST, LAST = 1, 2, 4
TORN = (LookupError, TypeError, ValueError, AttributeError, struct.error)  # what a record raises that is none


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
    """A file of W&B: records in parts, none of which goes beyond a block."""

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


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and value of each field of a protocol buffer; raise one of TORN if it is none."""
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
