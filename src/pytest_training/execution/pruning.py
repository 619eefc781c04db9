"""What a trial says of its search's metric while it trains: the search learns of it, and may give the trial up."""

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

import msgspec
from msgspec.structs import replace

from pytest_training.atomic import write_atomically
from pytest_training.errors import FROM_OTHERS
from pytest_training.execution.attempt.messages import AttemptRequest, Pruned, Reply
from pytest_training.execution.backends.protocol import Launcher
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.job_files import open_own
from pytest_training.execution.readers.findings import Followed
from pytest_training.execution.readers.protocol import COUNTERS, GROUPS, STEPS, Point, Reader, RunningAttempt
from pytest_training.jobs.kinds.protocol import Call
from pytest_training.jobs.model import UNDECODABLE, Job
from pytest_training.jobs.values import meant

POLL_S = 0.1
MOST_BYTES = 2**20  # of the events, per poll
MOST_REPORTS = 200  # values of a trial that its search learns all; of further ones every second, fourth …
Report = Callable[[int, float], str]
"""Reports a value at a step; returns how it compares if the trial shall end, else nothing."""


class _Event(msgspec.Struct):
    log: Mapping[str, Any] = msgspec.field(default_factory=dict)


class LoggedPoints:
    """Follows what a function logs with `run.log`."""

    def __init__(self, folder: AttemptFolder) -> None:
        self._path, self._offset = folder.events, 0

    def poll(self) -> Iterator[Point]:
        """Yield what is new."""
        content = b"\n"
        while content:
            content = self._read()
            for line in content.splitlines():
                with suppress(*UNDECODABLE):
                    log = msgspec.json.decode(line, type=_Event).log
                    yield Point("run.log", {name: each for name, each in log.items() if isinstance(each, int | float)})

    def _read(self) -> bytes:
        """Return the next whole lines."""
        with suppress(OSError), open_own(self._path) as events:
            events.seek(self._offset)
            content = events.read(MOST_BYTES)
            content = content[: content.rfind(b"\n") + 1]
            self._offset += len(content)
            return content
        return b""


class Watch:
    """Follows one attempt in a thread, from `with` to its end, and leaves the sign that ends it."""

    def __init__(self, request: AttemptRequest, metric: str, report: Report, readers: Sequence[Reader]) -> None:
        self._request, self._metric, self._report = request, metric, report
        attempt = RunningAttempt(request.job, request.files, 0.0)
        has_run = isinstance(request.start, Call)
        self._points = LoggedPoints(request.files) if has_run else Followed(attempt, readers)
        self._place = ""  # the first that has the metric
        self._step, self._count = -1, 0
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self.problem = ""  # why it followed no further
        self.is_pruned = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._has_ended.set()
        self._thread.join()

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the outcome."""
        note = f"never compared with other trials: it logged no {self._metric!r} while it trained"
        return (self.problem,) if self.problem else () if self._count else (note,)

    def _follow(self) -> None:
        try:
            while not self._has_ended.wait(POLL_S):
                self._poll()
            self._poll()  # the rest: other trials are compared with it
        except FROM_OTHERS as error:  # a reader from outside, or Optuna, may raise anything; the trial goes on
            self.problem = f"its values were no longer compared with other trials: {type(error).__name__}: {error}"

    def _poll(self) -> None:
        for point in self._points.poll():
            value = point.values.get(self._metric)
            if value is not None and math.isfinite(value) and point.place == (self._place or point.place):
                self._place = point.place
                self._take(point, value)

    def _take(self, point: Point, value: float) -> None:
        """Report a value at its epoch, or the like; where that begins anew, as in another fold, at the next number."""
        name = next((name for name in STEPS if name in point.values), "")
        at = point.values.get(name, -1)
        self._step = int(at) if at > self._step else self._step + 1
        self._count += 1
        if self._count % (1 << ((self._count - 1) // MOST_REPORTS).bit_length()):
            return
        words = self._report(self._step, float(value))
        if words and not self.is_pruned and not self._has_ended.is_set():
            self.is_pruned = True
            numbers = {name: float(each) for name, each in point.values.items() if name not in COUNTERS}
            reason = f"pruned{_place(point, name, self._request.job)}: {value:.4g}, {words}"
            sign = msgspec.json.encode(Pruned(reason=reason, metrics=numbers))
            write_atomically(self._request.files.pruned, sign, below=self._request.files.below)


def _place(point: Point, name: str, job: Job) -> str:
    """Return where in its training a trial was: ` at fold 2, epoch 12 of 50`."""
    places = [f"{each} {point.values[each]:g}" for each in point.values if each in GROUPS]
    if name:
        done, total = point.progress or (point.values[name], 0.0)
        epochs = meant(job.declared, "epochs") if name == "epoch" else None
        total = total if done == point.values[name] else 0.0
        most = total or (job.parameters.get(epochs.name) if epochs else None)
        of = f" of {most:g}" if isinstance(most, int | float) and most >= point.values[name] else ""
        places.append(f"{name} {point.values[name]:g}{of}")
    return f" at {', '.join(places)}" if places else ""


class WatchingLauncher:
    """A slot's launcher, whose attempts are those of a search that prunes."""

    def __init__(self, launcher: Launcher, metric: str, report: Report, readers: Sequence[Reader]) -> None:
        self._launcher, self._metric, self._report, self._readers = launcher, metric, report, readers

    def launch(self, request: AttemptRequest) -> Reply:
        """Execute an attempt and follow it meanwhile."""
        with Watch(request, self._metric, self._report, self._readers) as watch:
            reply = self._launcher.launch(replace(request, may_be_pruned=True))
        return replace(reply, notes=(*reply.notes, *watch.notes))

    def pause(self, seconds: float) -> bool:
        """Wait before another attempt."""
        return self._launcher.pause(seconds)
