"""Shows a run that goes on: redrawn lines on a terminal, plain lines elsewhere. A thread of the owner's process."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from pytest_training.execution.backends import BACKENDS
from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.model import Job
from pytest_training.options import REGISTRY
from pytest_training.pytest_adapter import TerminalFile, end_line, terminal_of
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.reporters.live import Screen, drawn, region
from pytest_training.reporters.watch import Watch, WatchedJob, loading_in_words
from pytest_training.text import fit, one_line, pad
from pytest_training.units import duration, parse_duration

REDRAW_S = 0.33
SAY_LOADING_AFTER_S = 5.0
MODES = ("auto", "live", "lines", "off")


def requested_mode(config: pytest.Config) -> str:
    """Return how the user wants the run to be shown; raise UsageError for an unknown mode."""
    mode = config.getoption("--training-progress") or str(config.getini("training_progress"))
    if mode not in MODES:
        raise pytest.UsageError(f"training_progress: expected auto, live, lines or off, found {mode!r}")
    return mode


class Progress:
    """The thread that shows the run."""

    def __init__(self, config: pytest.Config, run: TrainingRun, outcomes: Mapping[str, Outcome], mode: str) -> None:
        self.run = run
        self.terminal: Any = terminal_of(config)
        is_terminal = self.terminal.isatty and os.environ.get("TERM", "") not in {"", "dumb"}
        self.is_live = is_terminal and (mode == "live" or (mode == "auto" and not os.environ.get("CI")))
        self.verbosity = config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES)
        planned = {each.job.id: each for each in run.plan.jobs}
        sees_starts = run.settings.backend in BACKENDS  # one from outside may copy the files at the end
        self.watch = Watch(run.folder, planned, run.plan.workers, sees_starts, outcomes)
        self.watch.stalled_s, self.watch.registry = run.settings.stalled_s, config.stash[REGISTRY]
        self.heartbeat_s = parse_duration(str(config.getini("training_heartbeat")), "training_heartbeat")
        self.over = threading.Event()
        self.screen = Screen(TerminalFile(self.terminal))
        self.thread: threading.Thread | None = None
        self.next_beats: dict[str, float] = {}
        self.loading_said: set[str] = set()

    @classmethod
    def begin(
        cls, config: pytest.Config, run: TrainingRun, outcomes: Mapping[str, Outcome], mode: str
    ) -> Progress | None:
        """Return a Progress, or None if display is off; in process the terminal belongs to the job's debugger."""
        is_pytests = isinstance(terminal_of(config), pytest.TerminalReporter)  # another's has methods of its own
        is_off = mode == "off" or not is_pytests or run.settings.backend == "in-process"
        return None if is_off else cls(config, run, outcomes, mode)

    def start_job(self, job: Job) -> None:
        """Watch a job, and say so if nothing is redrawn."""
        self.watch.start(job)
        if self.thread is None:
            self.thread = threading.Thread(target=self._show, name="training-progress", daemon=True)
            self.thread.start()
        if not self.is_live and self.verbosity == 0:
            expected = self.watch.running[job.id].expected_s
            width = min(max(map(len, self.watch.planned)), 40)
            extra = f"expected {duration(expected)}" if expected is not None else ""
            end_line(self.terminal)
            self.terminal.write_line(f"started {pad(fit(one_line(job.id), 40), width)}  {extra}".rstrip())

    def end(self) -> None:
        """Stop showing."""
        self.over.set()
        if self.thread is not None:
            self.thread.join()
        self.screen.close()

    def _show(self) -> None:
        show = self._redraw if self.is_live else self._beat
        pause = REDRAW_S if self.is_live else min(REDRAW_S * 4, self.heartbeat_s / 2)
        while not self.over.wait(pause):
            try:
                show(self.watch.poll())
            except Exception as error:  # noqa: BLE001  (what is shown must never hurt what is trained)
                self.run.problems.append(f"the run was no longer shown: {type(error).__name__}: {error}")
                return

    def _redraw(self, running: list[WatchedJob]) -> None:
        width, height = self.screen.size()
        size, now = (max(width - 1, 20), height), datetime.now().astimezone()
        lines = region(running, self.watch.counts(), self.watch.remaining_s(), size=size, now=now)
        self.screen.show([drawn(line, colours=bool(self.terminal.hasmarkup)) for line in lines])

    def _beat(self, running: list[WatchedJob]) -> None:
        """Write a line about each job that has run for another minute, and about each import that takes long."""
        loading, say_after_s = self.watch.loading, min(SAY_LOADING_AFTER_S, self.heartbeat_s)
        if loading and loading.now not in self.loading_said and time.time() - loading.since >= say_after_s:
            self.loading_said.add(loading.now)
            if (words := loading_in_words(loading)) and self.verbosity >= 0:
                self.screen.say(f"{words} so far: jobs wait for it")
        for watched in running:
            due = self.next_beats.setdefault(watched.job.id, self.heartbeat_s)
            if watched.elapsed_s < due or self.verbosity < 0:
                continue
            self.next_beats[watched.job.id] = due + self.heartbeat_s
            share = f"{100 * watched.share:.0f} %" if watched.share is not None else ""
            left = (
                f"about {duration(left_s)} left" if (left_s := watched.remaining_s) and not watched.is_waiting else ""
            )
            memory = f"{watched.memory_mb:.0f} MiB" if watched.memory_mb else ""
            facts = [f"for {duration(watched.elapsed_s)}", share, watched.values(), memory, left]
            state = "waiting" if watched.is_waiting else "running"
            self.screen.say(f"{state} {one_line(watched.job.id, 40)}  {', '.join(filter(None, facts))}")
