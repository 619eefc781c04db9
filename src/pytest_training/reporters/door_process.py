"""The process of a door: gives its reporter each event, and tries again what a service has refused.

`Reporter(words, run, say)` of a door's module gets what its `check(config, values, where)` returned, and the run.
`say((seconds, step))`: so long the next step may take when the run has ended. `say(sentence)`: something was not sent.
Its methods `run_start()`, `job_start(job, started)`, `job_end(outcome)`, and `run_end(run)` may block and raise.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec

from pytest_training.execution.folder import RunFolder
from pytest_training.execution.slot import read_outcome
from pytest_training.jobs.model import RunSettings
from pytest_training.records.recorded_run import read_run

AGAIN_S = 30.0  # between two tries while the run goes on
LONGEST_SENTENCE = 500  # characters
NICENESS = 10  # jobs come first
Sign = tuple[float, str] | str


class Events:
    """The events of a run as the owner sends them."""

    def __init__(self) -> None:
        self.queue, self.is_over = SimpleQueue[list[Any]](), threading.Event()
        self.first = msgspec.json.decode(sys.stdin.buffer.readline())
        threading.Thread(target=self._read, daemon=True).start()  # at once, that the pipe never is full

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            self.queue.put(msgspec.json.decode(line))
            if line == b'["run_end"]\n':
                self.is_over.set()
                return
        self.queue.put(["run_end"])  # the owner was killed
        self.is_over.set()

    def deliver(self, handle: Callable[[], None]) -> None:
        """Handle an event; if that raises, try again later, at last when the run has ended."""
        while True:
            try:
                return handle()
            except Exception:  # a service may fail in any way; the last error ends the process, which says so
                if self.is_over.is_set():
                    raise
                self.is_over.wait(AGAIN_S)


def main() -> None:
    """Give a reporter every event until the run ends."""
    signs = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what libraries print is no sign
    os.nice(NICENESS)

    def say(sign: Sign) -> None:
        with contextlib.suppress(BrokenPipeError):  # the owner was killed
            signs.write(msgspec.json.encode(sign) + b"\n")

    try:
        _serve(Events(), say)
    except Exception as error:  # noqa: BLE001  (see `deliver`)
        say(f"{type(error).__name__}: {error}"[:LONGEST_SENTENCE])
    os._exit(0)  # a thread of a library may wait for a server


def _serve(events: Events, say: Callable[[Sign], None]) -> None:
    module, reports, run_id, settings, words = events.first
    folder, settings = RunFolder(Path(reports), run_id), msgspec.convert(settings, RunSettings)
    run = read_run(folder, settings)
    jobs = {planned.job.id: planned.job for planned in run.plan.jobs}
    reporter = import_module(module).Reporter(words, run, say)
    is_over = False
    while not is_over:
        event, *words = events.queue.get()
        is_over = event == "run_end"
        if event == "job_start":
            words[0] = jobs[words[0]]
        elif event == "job_end":
            words = [read_outcome(folder, words[0])]
        elif is_over:
            words = [read_run(folder, settings)]
        if None not in words:
            events.deliver(lambda: getattr(reporter, event)(*words))  # noqa: B023  (called before the next event)


if __name__ == "__main__":
    main()
