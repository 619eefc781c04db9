"""Writes events.jsonl: what a job reports while it trains; cheap enough to be called in its innermost loop."""

from __future__ import annotations

import contextlib
import math
import numbers
import time
from pathlib import Path
from typing import Any

import msgspec

FULL = 8 * 2**20  # bytes; about 100,000 events
PAUSE_S = 1.0  # between two events, once that much is written
PROMPT = 20  # events that are written at once in each FLUSH_S: somebody may be looking; of a burst the rest waits
PROMPT_PROGRESS_S = 0.02
FLUSH_S = 0.2  # a live view redraws a few times a second; more writes would only cost the job
BUFFERED = 2_000  # events kept back at most
PLAIN = frozenset({float, int, str, bool})

ENCODE = msgspec.json.Encoder().encode_lines


class EventLog:
    """The events of one attempt."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._written = self._file.tell()
        self._waiting: list[dict[str, Any]] = []
        self._last: dict[str, Any] | None = None
        """The newest event that was left out; written at the end."""
        self._started = time.monotonic()
        self._next_write = 0.0
        self._next_event = 0.0
        self._next_progress = 0.0
        self._credit = PROMPT
        self._window = 0.0

    def log(self, values: dict[str, Any]) -> None:
        """Record numbers and short texts by name."""
        now = time.monotonic() - self._started
        if now < self._next_event:
            self._last = {"log": values}
            return
        for value in values.values():
            if type(value) not in PLAIN or value != value:  # noqa: PLR0124  (not a number)
                values = {name: plain(name, each) for name, each in values.items()}
                break
        self._add(now, {"t": now, "log": values})

    def progress(self, done: float, total: float) -> None:
        """Record how much is done."""
        now = time.monotonic() - self._started
        event = {"progress": [plain("done", done), plain("total", total)]}
        if now < self._next_event:
            self._last = event
            return
        self._add(now, {"t": now, **event})
        if self._waiting and now >= self._next_progress:
            self._next_progress = now + PROMPT_PROGRESS_S
            self._write(now)

    def close(self) -> None:
        """Write what is kept back, and the newest of the events that were left out."""
        if self._last is not None:
            event = self._last
            if "log" in event:
                event = {"log": {name: plain(name, each) for name, each in event["log"].items()}}
            self._waiting.append({"t": time.monotonic() - self._started, **event})
            self._last = None
        self._write(0.0)
        self._file.close()

    def _add(self, now: float, event: dict[str, Any]) -> None:
        waiting = self._waiting
        waiting.append(event)
        if now >= self._next_write or len(waiting) >= BUFFERED:
            self._write(now)

    def _write(self, now: float) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        for event in waiting:
            event["t"] = round(event["t"], 3)
        try:
            content = ENCODE(waiting)
        except UnicodeEncodeError:  # lone surrogates: no encoding can write them
            content = ENCODE([_encodable(event) for event in waiting])
        self._file.write(content)
        self._written += len(content)
        if now >= self._window:
            self._window, self._credit = now + FLUSH_S, PROMPT
        self._credit -= 1
        self._next_write = now if self._credit > 0 else self._window
        if self._written >= FULL:
            self._next_event = now + PAUSE_S
            self._last = None


def plain(name: str, value: Any) -> float | int | str | None:
    """Turn a logged value into what JSON can say; a number that is not finite becomes null."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()  # plain, and what UTF-8 can say
    if isinstance(value, int):  # bool is an int
        return value
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        value = value.item()  # numpy and torch scalars
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        with contextlib.suppress(OverflowError):
            return float(value) if math.isfinite(value) else None
        return None
    raise TypeError(f"run.log({name}=…): expected a number or a string, found {type(value).__name__}")


def _encodable(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value if key != "log" else {k: plain(k, v) for k, v in value.items()} for key, value in event.items()}
