"""Writes events.jsonl: what a job reports while it trains; cheap enough to be called in its innermost loop.

Events are kept unless they come too fast or the file is full. Then each kind of event is thinned to one a second, and
its newest is kept too. No thread and no signal writes them later, since a job may fork and has signals of its own: so
an event is written at once unless others came just before it.
"""

from __future__ import annotations

import contextlib
import math
import numbers
from pathlib import Path
from time import monotonic  # asked for each event: looking it up in its module would cost a tenth more
from typing import Any

import msgspec

PER_SECOND = 500
"""Events that are kept however long a job goes on so; faster ones are thinned."""
BURST = 5_000
"""Events that may come faster than that."""
FULL = 8 * 2**20
"""Bytes of the file, about 100,000 events, from which on they are thinned whatever their pace."""
PAUSE_S = 1.0
"""Between two events of a kind while they are thinned."""
MOST_KINDS = 100
"""Further ones count as one kind: names that a job makes up as it goes must not grow the file."""
PROMPT = 20
"""Events written at once in each `WINDOW_S`: somebody may be looking."""
WINDOW_S = 0.2
FLUSH_S = 0.02
"""Of a burst that long is kept back: what a killed job loses, and what is not seen if silence follows."""
BUFFERED = 1_000
"""Events kept back at most."""
PLAIN = frozenset({float, int, str, bool})
PROGRESS = "progress"

ENCODE = msgspec.json.Encoder().encode_lines


class Kind:
    """Events with as many names and the same last one: compared in a third of the time that all names would take."""

    __slots__ = ("changes", "count", "last", "latest", "until")

    def __init__(self, count: int, last: str) -> None:
        self.count = count
        self.last = last
        self.until = 0.0
        """The next is written from then on."""
        self.latest: dict[str, Any] | None = None
        """The newest that was left out."""
        self.changes = False
        """Whether values are arrays, which a job may overwrite after it has logged them."""


class EventLog:
    """The events of one attempt."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self._started = monotonic()
        self._waiting: list[dict[str, Any]] = []
        self._left = float(BURST)
        self._refilled = self._started
        self._kinds: dict[tuple[int, str], Kind] = {}
        self._kind = Kind(0, "")
        """That of the event before."""
        # What `log` has to know of that kind. Here, because looking it up there would cost a tenth more.
        self._last, self._count, self._until = "", 0, 0.0
        self._latest: dict[str, Any] | None = None
        self._progress = Kind(2, PROGRESS)
        self._next_write = 0.0
        self._prompt = PROMPT
        self._window = 0.0

    def log(self, /, **values: Any) -> None:
        """Record numbers and short texts by name."""
        if self._last in values and len(values) == self._count and monotonic() < self._until:
            self._latest = values
        else:
            self._log(values)

    def _log(self, values: dict[str, Any]) -> None:
        self._kind.latest = self._latest
        kind, now = self._kind_of(values), monotonic()
        if now < kind.until:
            kind.latest = plain_values(values) if kind.changes else values
        else:
            for value in values.values():
                if type(value) not in PLAIN or value != value:  # noqa: PLR0124  (not a number)
                    kind.changes = kind.changes or hasattr(type(value), "__setitem__")
                    values = plain_values(values)
                    break
            self._add(now, kind, {"t": now, "log": values})
        self._kind, self._last, self._count, self._latest = kind, kind.last, kind.count, kind.latest
        self._until = 0.0 if kind.changes else kind.until

    def progress(self, done: float, total: float) -> None:
        """Record how much is done."""
        now = monotonic()
        kind = self._progress
        if now < kind.until:
            kind.latest = {"done": done, "total": total}
            return
        self._add(now, kind, {"t": now, PROGRESS: [plain("done", done), plain("total", total)]})

    def close(self) -> None:
        """Write what is kept back, and the newest of each kind of the events that were left out."""
        now = monotonic()
        self._kind.latest, self._latest = self._latest, None
        for kind in (*self._kinds.values(), self._progress):
            if kind.latest is not None:
                latest = _sayable(kind.latest)
                told = {PROGRESS: [*latest.values()]} if kind is self._progress else {"log": latest}
                self._waiting.append({"t": min(now, kind.until), **told})
                kind.latest = None
        self._write(now)
        self._file.close()

    def _kind_of(self, values: dict[str, Any]) -> Kind:
        key = len(values), next(reversed(values), "")
        if key not in self._kinds:
            if len(self._kinds) >= MOST_KINDS:
                key = 0, ""
            self._kinds.setdefault(key, Kind(*key))
        return self._kinds[key]

    def _add(self, now: float, kind: Kind, event: dict[str, Any]) -> None:
        if self._file.closed:  # the job's thread goes on after its end
            return
        self._waiting.append(event)
        kind.latest = None
        self._left -= 1
        if self._left < 0 or self._size >= FULL:
            kind.until = now + PAUSE_S
            self._write(now)
        elif now >= self._next_write or len(self._waiting) >= BUFFERED:
            self._write(now)

    def _write(self, now: float) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        for event in waiting:
            event["t"] = int((event["t"] - self._started) * 1000) / 1000
        try:
            content = ENCODE(waiting)
        except UnicodeEncodeError:  # lone surrogates: no encoding can write them
            content = ENCODE([_encodable(event) for event in waiting])
        self._file.write(content)
        self._size += len(content)
        self._left = min(self._left + (now - self._refilled) * PER_SECOND, BURST)
        self._refilled = now
        if now >= self._window:
            self._window, self._prompt = now + WINDOW_S, PROMPT
        self._prompt -= 1
        self._next_write = now if self._prompt > 0 else now + FLUSH_S


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


def plain_values(values: dict[str, Any]) -> dict[str, float | int | str | None]:
    """Turn all values of an event into what JSON can say."""
    return {name: plain(name, each) for name, each in values.items()}


def _sayable(values: dict[str, Any]) -> dict[str, float | int | str | None]:
    """Turn the values of an event that was left out into what JSON can say: nobody has looked at them until now."""
    said: dict[str, float | int | str | None] = {}
    for name, value in values.items():
        try:
            said[name] = plain(name, value)
        except TypeError:  # the call that logged it has long returned: too late to be the job's error
            said[name] = None
    return said


def _encodable(event: dict[str, Any]) -> dict[str, Any]:
    return {key: plain_values(value) if key == "log" else value for key, value in event.items()}
