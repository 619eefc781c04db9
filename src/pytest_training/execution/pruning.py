"""What a trial says of its search's metric while it trains: the search learns of it, and may give the trial up."""

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from pytest_training.atomic import write_atomically
from pytest_training.errors import FROM_OTHERS
from pytest_training.execution.attempt.messages import AttemptRequest, Pruned, Reply
from pytest_training.execution.backends.protocol import Launcher
from pytest_training.execution.job_files import open_own
from pytest_training.execution.readers.findings import Followed
from pytest_training.execution.readers.protocol import COUNTERS, GROUPS, STEPS, Point, Reader, RunningAttempt
from pytest_training.jobs.kinds.protocol import Call
from pytest_training.jobs.model import UNDECODABLE, Job
from pytest_training.jobs.values import meant

POLL_S = 0.1
MOST_REPORTS = 200  # values of a trial that its search learns all; of further ones every second, fourth …
Poll = Callable[[], Iterable[Point]]
Report = Callable[[int, float], str]
"""Reports a value at a step; returns how it compares if the trial shall end, else nothing."""


class _Event(msgspec.Struct):
    log: dict[str, Any] = {}


class PruningLauncher:
    """A slot's launcher that follows its attempts in a thread, and leaves the sign that ends one."""

    def __init__(self, launcher: Launcher, metric: str, report: Report, readers: Sequence[Reader]) -> None:
        self._launcher, self._metric, self._report, self._readers = launcher, metric, report, readers

    def launch(self, request: AttemptRequest) -> Reply:
        """Execute an attempt and follow it meanwhile."""
        watch = Watch(request, self._metric, self._report, self._readers)
        watch.start()
        try:
            reply = self._launcher.launch(replace(request, may_be_pruned=True))
        finally:
            watch.has_ended.set()
            watch.join()
        return replace(reply, notes=(*reply.notes, *watch.notes))

    def pause(self, seconds: float) -> bool:
        """Wait before another attempt."""
        return self._launcher.pause(seconds)


class Watch(threading.Thread):
    """Follows one attempt until it has ended."""

    def __init__(self, request: AttemptRequest, metric: str, report: Report, readers: Sequence[Reader]) -> None:
        super().__init__(daemon=True)
        self._request, self._metric, self._report, self._readers = request, metric, report, readers
        self._place, self._step, self._count = "", -1, 0  # where the metric is read, its last step, and how often
        self._is_pruned, self.has_ended = False, threading.Event()
        self.notes: tuple[str, ...] = ()

    def run(self) -> None:
        """Report what is new, again and again, and the rest at the end: other trials are compared with it."""
        attempt = RunningAttempt(self._request.job, self._request.files, 0.0)
        is_function = isinstance(self._request.start, Call)
        try:
            poll = logged(attempt.folder.events) if is_function else Followed(attempt, self._readers).poll
            while not self.has_ended.wait(POLL_S):
                self._take_all(poll())
            self._take_all(poll())
        except FROM_OTHERS as error:  # a reader from outside, or Optuna, may raise anything; the trial goes on
            note = f"its values were no longer compared with other trials: {type(error).__name__}: {error}"
            self.notes = (note,)
        if not self._count and not self.notes:
            note = f"never compared with other trials: it logged no {self._metric!r} while it trained"
            self.notes = (note,)

    def _take_all(self, points: Iterable[Point]) -> None:
        for point in points:
            value = point.values.get(self._metric)
            if self._is_pruned:  # how long it takes to end must not decide what the search learns
                return
            if value is not None and math.isfinite(value) and point.place == (self._place or point.place):
                self._place = point.place
                self._take(point, float(value))

    def _take(self, point: Point, value: float) -> None:
        """Report a value at its epoch, or the like; where that begins anew, as in another fold, at the next number."""
        name = next((name for name in STEPS if name in point.values), "")
        at = point.values.get(name, -1)
        self._step, self._count = max(int(at), self._step + 1), self._count + 1
        if self._count % (1 << ((self._count - 1) // MOST_REPORTS).bit_length()):
            return
        words = self._report(self._step, value)
        if words and not self.has_ended.is_set():
            self._is_pruned = True
            numbers = {name: float(each) for name, each in point.values.items() if name not in COUNTERS}
            reason = f"pruned{_place(point, name, self._request.job)}: {value:.4g}, {words}"
            sign = msgspec.json.encode(Pruned(reason=reason, metrics=numbers))
            write_atomically(self._request.files.pruned, sign, below=self._request.files.below)


def logged(path: Path) -> Poll:
    """Return what returns the new points that a function has logged with `run.log`."""
    offset = 0

    def poll() -> Iterable[Point]:
        nonlocal offset
        content = b""
        with suppress(OSError), open_own(path) as events:
            events.seek(offset)
            content = events.read()
        content = content[: content.rfind(b"\n") + 1]
        offset += len(content)
        for line in content.splitlines():
            with suppress(*UNDECODABLE):
                log = msgspec.json.decode(line, type=_Event).log
                yield Point("run.log", {name: each for name, each in log.items() if isinstance(each, int | float)})

    return poll


def _place(point: Point, name: str, job: Job) -> str:
    """Return where in its training a trial was: ` at fold 2, epoch 12 of 50`."""
    places = [f"{each} {point.values[each]:g}" for each in point.values if each in GROUPS]
    if name:
        epochs = meant(job.declared, "epochs") if name == "epoch" else None
        done, total = point.progress or (None, None)
        most = total if done == point.values[name] else job.parameters.get(epochs.name) if epochs else None
        of = f" of {most:g}" if isinstance(most, int | float) and most >= point.values[name] else ""
        places.append(f"{name} {point.values[name]:g}{of}")
    return f" at {', '.join(places)}" if places else ""
