"""What a program prints, followed in its log: as programs print it, or by a pattern of the catalogue's."""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from math import isfinite
from typing import BinaryIO

from pytest_training.errors import ResultError
from pytest_training.execution.job_files import CHUNK, open_own
from pytest_training.execution.readers.protocol import EndedAttempt, Measured, Point, Reader, RunningAttempt

MOST_BYTES, MOST_LIVE_BYTES = 2**22, 2**13
"""What is read of a log at its end, a quarter of it at its begin, and by a poll: a second reads about 1 MB."""


class PrintedReader(Reader):
    """Reads what a program prints."""

    name = "printed"

    def follow(self, attempt: RunningAttempt) -> "FollowedLog":
        """Return what follows the log."""
        return FollowedLog(attempt)


class PatternReader(Reader):
    """Reads what a program prints by the pattern that the catalogue states."""

    name = "stdout"
    is_declared = True

    def read(self, attempt: EndedAttempt) -> dict[str, Measured] | None:
        """Return the last number of each group; raise ResultError if no line matches."""
        pattern = attempt.job.metrics.stdout if attempt.job.metrics else ""
        log = FollowedLog(attempt) if pattern else None
        deque(log.poll() if log else (), maxlen=0)
        metrics = dict(log.metrics()) if log else None
        if metrics == {}:
            raise ResultError(f"printed no line with numbers that matches {pattern!r}, as `metrics:` says")
        return metrics


class FollowedLog:
    """A log as far as it was read."""

    def __init__(self, attempt: RunningAttempt) -> None:
        from pytest_training.execution.readers.printed_text import Printed  # noqa: PLC0415  (programs alone need it)

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
        """Yield the last number of each name."""
        for name, (value, line) in self._printed.finals.items():
            yield name, Measured(value, f"stdout line {line}")

    def _points(self, lines: list[bytes]) -> Iterator[Point]:
        for line in lines:
            read = self._printed.feed(line[-self._printed.most_bytes :].decode("utf-8", "replace"))
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
                self._printed.line += chunk.count(b"\n")
            self._printed.line += log.readline(most).endswith(b"\n")
        yield log.read(most)
        self._offset = log.tell()
