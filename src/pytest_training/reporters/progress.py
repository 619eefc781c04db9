"""Shows a run that goes on: redrawn lines on a terminal, plain lines elsewhere. A thread of the owner's process."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import pytest

from pytest_training.execution.outcome import Outcome, Status
from pytest_training.jobs.model import Job
from pytest_training.pytest_adapter import TerminalFile, end_line, terminal_of
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.reporters.live import drawn, region
from pytest_training.reporters.screen import Screen
from pytest_training.reporters.watch import Watch, WatchedJob
from pytest_training.text import fit, one_line, pad
from pytest_training.units import duration, parse_duration

Mode = Literal["live", "lines", "off"]

REDRAW_S = 0.33


def asked_for(config: pytest.Config) -> str:
    """Return how the user wants the run to be shown; raise a usage error for an unknown way."""
    asked = config.getoption("--training-progress") or str(config.getini("training_progress"))
    if asked not in {"auto", "live", "lines", "off"}:
        raise pytest.UsageError(f"training_progress: expected auto, live, lines or off, found {asked!r}")
    return asked


def chosen_mode(asked: str, terminal: Any, *, in_process: bool) -> Mode:
    """Return how to show the run: as asked for; by itself live on a terminal, in lines elsewhere."""
    if terminal is None or asked == "off" or in_process:  # in process the terminal belongs to the job's debugger
        return "off"
    if asked == "lines":
        return "lines"
    is_terminal = terminal.isatty and os.environ.get("TERM", "") not in {"", "dumb"}
    if asked == "live":
        return "live" if is_terminal else "lines"
    return "live" if is_terminal and not os.environ.get("CI") else "lines"


class Progress:
    """The thread that shows the run."""

    def __init__(self, config: pytest.Config, run: TrainingRun, outcomes: Mapping[str, Outcome], mode: Mode) -> None:
        self.run = run
        self.outcomes = outcomes
        """Of the jobs that have ended, by id; the session's thread adds to it."""
        self.mode = mode
        self.verbosity = config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES)
        self.terminal: Any = terminal_of(config)
        planned = {each.job.id: each for each in run.plan.jobs}
        self.watch = Watch(run.folder, planned, run.plan.workers)
        self.heartbeat_s = parse_duration(str(config.getini("training_heartbeat")), "training_heartbeat")
        self.over = threading.Event()
        self.screen: Screen | None = Screen(TerminalFile(self.terminal))
        self.thread: threading.Thread | None = None
        self.next_beats: dict[str, float] = {}

    @classmethod
    def begin(
        cls, config: pytest.Config, run: TrainingRun, outcomes: Mapping[str, Outcome], asked: str
    ) -> Progress | None:
        """Return a Progress, or None if display is off."""
        in_process = run.settings.backend == "in-process"
        mode = chosen_mode(asked, terminal_of(config), in_process=in_process)
        return None if mode == "off" else cls(config, run, outcomes, mode)

    def start_job(self, job: Job) -> None:
        """Watch a job, and say so where nothing is redrawn."""
        self.watch.start(job)
        if self.thread is None:
            self.thread = threading.Thread(target=self._show, name="training-progress", daemon=True)
            self.thread.start()
        if self.mode == "lines" and self.verbosity == 0:
            self._say_start(job)

    def _say_start(self, job: Job) -> None:
        planned = self.watch.planned.get(job.id)
        expected = planned.expected_s if planned else None
        width = max(len(each) for each in self.watch.planned)
        extra = f"expected {duration(expected)}" if expected is not None else ""
        end_line(self.terminal)
        self.terminal.write_line(f"started {pad(fit(one_line(job.id), 40), min(width, 40))}  {extra}".rstrip())

    def end(self) -> None:
        """Stop showing."""
        self.over.set()
        if self.thread is not None:
            self.thread.join()
            self.thread = None
        if self.screen is not None:
            self.screen.close()
            self.screen = None

    def _show(self) -> None:
        look = self._redraw if self.mode == "live" else self._beat
        pause = REDRAW_S if self.mode == "live" else min(REDRAW_S * 4, self.heartbeat_s / 2)
        while not self.over.wait(pause):
            try:
                look(self.watch.poll(list(self.outcomes)))
            except Exception as error:  # noqa: BLE001  (what is shown must never hurt what is trained)
                self.run.problems.append(f"the run was no longer shown: {type(error).__name__}: {error}")
                return

    def _redraw(self, running: list[WatchedJob]) -> None:
        screen = self.screen
        if screen is None:
            return
        width, height = screen.size()
        counts = Counter(
            "failed" if outcome.shown is Status.FAILED else "done" for outcome in list(self.outcomes.values())
        )
        waiting = len(self.watch.planned) - sum(counts.values()) - len(running)
        lines = region(
            running,
            counts=counts,
            waiting=max(waiting, 0),
            remaining_s=self.watch.remaining_s(),
            width=max(width - 1, 20),
            height=height,
            now=datetime.now().astimezone(),
        )
        screen.show([drawn(line, colours=bool(self.terminal.hasmarkup)) for line in lines])

    def _beat(self, running: list[WatchedJob]) -> None:
        """Say a line about each job that has run for another minute."""
        for watched in running:
            due = self.next_beats.setdefault(watched.job.id, self.heartbeat_s)
            if watched.elapsed_s < due or self.screen is None or self.verbosity < 0:
                continue
            self.next_beats[watched.job.id] = due + self.heartbeat_s
            share = f"{100 * watched.share:.0f} %" if watched.share is not None else ""
            left = f"about {duration(watched.remaining_s)} left" if watched.remaining_s else ""
            memory = f"{watched.memory_mb:.0f} MiB" if watched.memory_mb else ""
            facts = [f"for {duration(watched.elapsed_s)}", share, watched.values(), memory, left]
            self.screen.say(f"running {one_line(watched.job.id, 40)}  {', '.join(filter(None, facts))}")
