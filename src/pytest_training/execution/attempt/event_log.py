"""The events of a job as they arise, `run.log` and `run.progress`, and their file, events.jsonl."""

import contextlib
import io
import math
import numbers
from pathlib import Path
from time import monotonic  # asked for each event: looking it up in its module would cost a tenth more
from typing import Any, BinaryIO

import msgspec

from pytest_training.execution.outcome import scalar
from pytest_training.places import appending

PER_SECOND = 500
SECOND_S = 1.0
FULL = 8 * 2**20  # bytes of the file, about 100,000 events
BATCH = 20  # events of a kind and second that are written at once, and as many at a time after them
MOST_KINDS = 100  # in one second; further ones count as one: a job that makes up names must not grow the file
PROGRESS = "run.progress"  # a kind that no name of a value can be
PLAIN = frozenset({float, int, bool})
ENCODE = msgspec.json.Encoder().encode_lines


class EventLog:
    """Writes events.jsonl; cheap enough to be called in a job's innermost loop. A kind: all with the same last name.

    500 events a second of a kind are kept, one once the file has 8 MiB, and the newest of each second. That one is
    written with the first event of a later second: no thread and no signal could do it earlier, since a job may fork
    and has signals of its own.
    """

    def __init__(self, path: Path | None) -> None:
        self._until, self._kind = 0.0, ""  # until then `log` leaves out events of this kind by itself
        self._newest: dict[str, Any] | None = None  # of those
        self._file: BinaryIO = appending(path) if path else io.BytesIO()
        self._size = self._file.tell()
        self._started = self._end = monotonic()  # of the attempt; of the present second
        self.remarks: tuple[str, ...] = ()  # for a reader of the outcome: the first number that is not finite
        self._kept: dict[str, int] = {}  # in this second, by kind
        self._waiting: list[dict[str, Any]] = []
        self._left_out: dict[str, dict[str, Any]] = {}  # the newest of this second, by kind

    def log(self, /, **values: float | str) -> None:
        """Record numbers as they arise, like `run.log(epoch=3, loss=0.41)`; beyond 500 a second, only some are kept."""
        if monotonic() < self._until and self._kind in values:
            self._newest = values
            return
        kind = next(reversed(values), "")
        is_plain = PLAIN.issuperset(map(type, values.values()))  # no call for each value
        plain_values = values if is_plain else {name: plain(name, value) for name, value in values.items()}
        is_left_out = self._add(kind, "log", plain_values)
        # An array is always taken as it is: the job may overwrite it after the call.
        goes_on = is_left_out and not any(hasattr(type(value), "__setitem__") for value in values.values())
        self._until, self._kind = self._end if goes_on else 0.0, kind

    def progress(self, done: float, total: float) -> None:
        """Record how much is done of how much, like `run.progress(fold, folds)`; the live view shows it."""
        self._add(PROGRESS, "progress", [plain("done", done), plain("total", total)])

    def close(self) -> None:
        """Write what waits, and the newest event of each kind that was left out."""
        self._end_second(monotonic())
        self._write()
        self._file.close()

    def _add(self, kind: str, what: str, content: Any) -> bool:
        """Return True if the event is left out, unless it stays the newest of its kind in this second."""
        now = monotonic()
        self._take_newest(now)
        if now >= self._end:
            self._end_second(now)
        if len(self._kept) >= MOST_KINDS and kind not in self._kept:
            kind = ""
        kept = self._kept.get(kind, 0)
        event = {"t": self._seconds(now), what: content}
        if kept >= (PER_SECOND if self._size < FULL else 1):
            self._left_out[kind] = event
            return True
        self._kept[kind] = kept + 1
        self._waiting.append(event)
        if kept < BATCH or kept % BATCH == 0:
            self._write()
        return False

    def _take_newest(self, now: float) -> None:
        newest, self._newest = self._newest, None
        if newest is not None:
            log: dict[str, Any] = dict.fromkeys(newest)
            for name, value in newest.items():
                with contextlib.suppress(TypeError):  # its call has returned: too late to be the job's error
                    log[name] = plain(name, value)
            self._left_out[next(reversed(newest))] = {"t": self._seconds(min(now, self._end)), "log": log}

    def _end_second(self, now: float) -> None:
        self._take_newest(now)
        left_out, self._left_out = self._left_out, {}
        self._waiting += left_out.values()
        self._end, self._kept = now + SECOND_S, {}

    def _seconds(self, moment: float) -> float:
        return int((moment - self._started) * 1000) / 1000

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self._file.closed:  # the job's thread may go on after its end
            content = ENCODE(waiting)
            self._file.write(content)
            self._size += len(content)
            if b":null" in content and not self.remarks:
                self.remarks = tuple(filter(None, map(_not_finite, waiting)))[:1]


def _not_finite(event: dict[str, Any]) -> str:
    """Say which number of an event is not finite, and where it arose: `loss is not finite at fold 0, epoch 3`."""
    values = event.get("log", {})
    null = next((name for name, value in values.items() if ENCODE([value]) == b"null\n"), "")
    places = ", ".join(f"{name} {value}" for name, value in values.items() if isinstance(value, int))
    return f"{null} is not finite{places and f' at {places}'}" if null else ""


def plain(name: str, value: Any) -> float | int | str | None:
    """Turn a logged value into what JSON can say; a number that is not finite becomes null."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()  # plain, and what UTF-8 can say
    if isinstance(value, int):  # bool is an int
        return value
    value = scalar(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        with contextlib.suppress(OverflowError):
            return float(value) if math.isfinite(value) else None
        return None
    raise TypeError(f"run.log({name}=…): expected a number or a string, found {type(value).__name__}")
