"""Reads events.jsonl, what a job reports while it trains: whole for reports, its newest part for the live view."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec

from pytest_training.execution.job_files import open_own
from pytest_training.jobs.model import UNDECODABLE

LARGEST_STEP = 64 * 1024
"""Bytes looked at at once while a job trains: of more only the last are, so a talkative job costs no more."""

NEWEST = 200
"""Lines that are looked at of what was added."""

MOST_VALUES = 100
"""Names whose newest values a live view keeps, of which it shows a few: a job may log as many as it likes."""

Number = float | None
"""Whole numbers too: as floats they end at infinity, and what does not fit is no event."""
Pid = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class Event(msgspec.Struct):
    """One line of the file."""

    t: float = 0.0
    """Seconds since the attempt's start."""
    log: dict[str, float | bool | str | None] | None = None
    progress: tuple[Number, Number] | None = None
    pid: Pid | None = None
    """The job's process; the first line has it."""


DECODER = msgspec.json.Decoder(Event)


def read_events(path: Path, *, largest: int) -> Iterator[Event]:
    """Yield the events of a file, of a very large one those in its first `largest` bytes; a torn line is left out."""
    try:
        with open_own(path) as file:
            content = file.read(largest)
    except OSError:
        return
    for line in content[: content.rfind(b"\n") + 1].splitlines():
        if (event := _event(line)) is not None:
            yield event


@dataclass
class EventTail:
    """The state that a growing file tells of."""

    path: Path
    offset: int = 0
    pid: int | None = None
    progress: tuple[float, float] | None = None
    values: dict[str, float | bool | str | None] = field(default_factory=dict)

    def poll(self) -> bool:
        """Read what was added; return whether anything new is known."""
        try:
            with open_own(self.path) as file:
                size = file.seek(0, os.SEEK_END)
                if size == self.offset:
                    return False
                start = max(self.offset if self.offset <= size else 0, size - LARGEST_STEP)
                if start > self.offset == 0:  # the first line has the pid
                    file.seek(0)
                    self._take(file.readline(1000))
                file.seek(start)
                content = file.read(size - start)
        except OSError:
            return False
        whole = content.rfind(b"\n") + 1
        lines = content[:whole].splitlines()
        self.offset = start + whole
        if self.pid is not None and len(lines) > NEWEST:
            if newest := next((line for line in reversed(lines[:-NEWEST]) if b'"progress":' in line), None):
                self._take(newest)
            lines = lines[-NEWEST:]
        for line in lines:
            self._take(line)
        return bool(lines)

    def _take(self, line: bytes) -> None:
        event = _event(line)
        if event is None:
            return
        self.pid = event.pid or self.pid
        for name, value in (event.log or {}).items():
            if name in self.values or len(self.values) < MOST_VALUES:
                self.values[name] = value
        if event.progress is not None:
            done, total = event.progress
            self.progress = None if done is None or not total or total <= 0 else (done, total)


def _event(line: bytes) -> Event | None:
    try:
        return DECODER.decode(line)
    except UNDECODABLE:
        return None
