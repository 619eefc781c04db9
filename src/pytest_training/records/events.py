"""Reads events.jsonl, what a job reports while it trains: whole for reports, its newest part for the live view."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from pytest_training.execution.job_files import open_own
from pytest_training.jobs.model import UNDECODABLE

LARGEST_STEP = 64 * 1024  # maximum number of bytes parsed per poll, the newest: a talkative job costs no more
MOST_VALUES = 100  # maximum number of names with a value in the live view: a job may log as many as it likes
Number = float | None  # whole numbers too: as floats they end at infinity, and what does not fit is no event
Pid = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class Event(msgspec.Struct):
    """One line of the file."""

    t: float = 0.0  # seconds since the attempt's start
    log: dict[str, float | bool | str | None] | None = None
    progress: tuple[Number, Number] | None = None
    pid: Pid | None = None  # the job's process; the first line has it


DECODER = msgspec.json.Decoder(Event)


def read_events(path: Path, *, largest: int) -> Iterator[Event]:
    """Yield the events in the first `largest` bytes of a file; ignore a torn line."""
    with contextlib.suppress(OSError), open_own(path) as file:
        yield from _events(file.read(largest))


def _events(content: bytes) -> Iterator[Event]:
    for line in content[: content.rfind(b"\n") + 1].splitlines():
        with contextlib.suppress(*UNDECODABLE):
            yield DECODER.decode(line)


class EventTail(msgspec.Struct):
    """The newest state in a growing file."""

    path: Path
    offset: int = 0
    t: float = 0.0  # of the newest event
    pid: int | None = None
    progress: tuple[float, float] | None = None
    values: dict[str, float | bool | str | None] = msgspec.field(default_factory=dict)

    def poll(self) -> bool:
        """Parse what was added; return True if that is at least one line."""
        with contextlib.suppress(OSError), open_own(self.path) as file:
            size = file.seek(0, os.SEEK_END)
            if size == self.offset:
                return False
            start = max(self.offset if self.offset <= size else 0, size - LARGEST_STEP)
            file.seek(0)
            first = file.readline(1000) if start > self.offset == 0 else b""  # it has the pid
            file.seek(start)
            content = file.read(size - start)
            for event in (*_events(first), *_events(content)):
                self._take(event)
            end = content.rfind(b"\n") + 1
            self.offset = start + end
            return end > 0
        return False

    def _take(self, event: Event) -> None:
        self.t, self.pid = event.t, event.pid or self.pid
        for name, value in (event.log or {}).items():
            if name in self.values or len(self.values) < MOST_VALUES:
                self.values[name] = value
        if event.progress is not None:
            done, total = event.progress
            self.progress = None if done is None or not total or total <= 0 else (done, total)
