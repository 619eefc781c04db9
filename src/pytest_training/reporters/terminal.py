"""What the terminal shows of a run: progress while it goes on, a line per job, the summary at its end."""

import contextlib
import os
import shlex
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.model import Job
from pytest_training.options import MODES, REGISTRY, shown_path, text_of
from pytest_training.pytest_adapter import TerminalFile, end_line, terminal_of
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.reporters.closing import fact_lines, result_lines
from pytest_training.reporters.console import finished_line
from pytest_training.reporters.live import Screen, drawn, region
from pytest_training.reporters.watch import WatchedJob, loading_in_words, watch_of
from pytest_training.text import fit, one_line, pad
from pytest_training.units import duration, parse_duration
from pytest_training.wording import listing

REDRAW_S = 0.33
SAY_LOADING_AFTER_S = 5.0
MOST_STOPPED = 6  # names of jobs that are being stopped
MINUTE_S = 60
QUIETEST = -1  # verbosity at which the end of a run is still said: -q


class Progress:
    """Shows a run that goes on, in a thread: redrawn lines on a terminal, plain lines elsewhere."""

    def __init__(self, config: pytest.Config, run: TrainingRun, outcomes: Mapping[str, Outcome], mode: str) -> None:
        self.run = run
        self.terminal: Any = terminal_of(config)
        is_terminal = self.terminal.isatty and os.environ.get("TERM", "") not in {"", "dumb"}
        self.is_live = is_terminal and (mode == "live" or (mode == "auto" and not os.environ.get("CI")))
        self.verbosity = config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES)
        self.watch = watch_of(run, outcomes, config.stash[REGISTRY])
        self.heartbeat_s = parse_duration(*text_of(config, "heartbeat"))
        self.over = threading.Event()
        self.screen = Screen(TerminalFile(self.terminal))
        self.thread: threading.Thread | None = None
        self.next_beats: dict[str, float] = {}
        self.loading_said: set[str] = set()

    def begin(self) -> None:
        """Start showing."""
        if self.thread is None:
            self.thread = threading.Thread(target=self._show, name="training-progress", daemon=True)
            self.thread.start()

    def start_job(self, job: Job) -> None:
        """Watch a job, and say so if nothing is redrawn."""
        self.watch.start(job)
        self.begin()
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
        starting = "workers start" if self.watch.workers > 1 else "the first job starts"
        ahead = self.watch.remaining_s() if self.watch.begun else loading_in_words(self.watch.loading) or starting
        lines = region(running, self.watch.counts(), ahead, size=size, now=now)
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
            left_s = 0.0 if watched.is_waiting else watched.remaining_s
            left = f"about {duration(left_s)} left" if left_s else ""
            memory = f"{watched.memory_mb:.0f} MiB" if watched.memory_mb else ""
            place = f"on {watched.slot}" if self.watch.is_elsewhere and watched.slot else ""
            facts = [f"for {duration(watched.elapsed_s)}", place, share, watched.values(), memory, left]
            state = "waiting" if watched.is_waiting else "running"
            self.screen.say(f"{state} {one_line(watched.job.id, 40)}  {', '.join(filter(None, facts))}")


class Reporter:
    """Shows a run on the terminal."""

    def __init__(self, config: pytest.Config) -> None:
        self.config, self.terminal = config, terminal_of(config)
        self.mode = config.getoption("--training-progress") or str(config.getini("training_progress"))
        if self.mode not in MODES:
            raise pytest.UsageError(f"training_progress: expected auto, live, lines or off, found {self.mode!r}")
        self.outcomes: dict[str, Outcome] = {}
        self.running: dict[str, None] = {}
        self.total = self.id_width = 0
        self.progress: Progress | None = None

    def pytest_training_run_start(self, run: TrainingRun) -> None:
        """Prepare to show the run; the display begins with the first job."""
        self.total = len(run.plan.jobs)
        self.id_width = max(len(planned.job.id) for planned in run.plan.jobs)
        is_pytests = isinstance(self.terminal, pytest.TerminalReporter)  # another's has methods of its own
        if self.mode != "off" and is_pytests and run.settings.backend != "in-process":  # else it is the debugger's
            self.progress = Progress(self.config, run, self.outcomes, self.mode)
            if self.progress.is_live:
                self.progress.begin()

    def pytest_training_job_start(self, job: Job) -> None:
        """Show that the job started."""
        self.running[job.id] = None
        if self.progress is not None:
            self.progress.start_job(job)

    def pytest_training_job_end(self, outcome: Outcome) -> None:
        """Print the job's line, unless -v or -q is in use."""
        self.outcomes[outcome.job_id] = outcome
        self.running.pop(outcome.job_id, None)
        is_default = self.config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) == 0
        if self.terminal is None or not is_default or not outcome.slot:
            return
        width, done = self.config.get_terminal_writer().fullwidth, len(self.outcomes)
        text, markup = finished_line(outcome, width=width, done=done, total=self.total, id_width=self.id_width)
        end_line(self.terminal)
        self.terminal.write_line(text, **markup)

    def say_stopping(self, grace_s: float) -> None:
        """Say at once, in a signal's handler, what becomes of the running jobs."""
        if not self.running or self.terminal is None:
            return
        names = one_line(listing("", sorted(self.running), limit=MOST_STOPPED))
        room = f"{grace_s:g} s" if grace_s < MINUTE_S else duration(grace_s)
        what = f"stopping {names}: up to {room} to save; Ctrl-C again kills them" if grace_s else f"killing {names}"
        with contextlib.suppress(Exception):  # the signal may have interrupted the terminal's own writing
            screen = self.progress.screen if self.progress else Screen(TerminalFile(self.terminal))
            screen.say(what)
            if self.progress is None:
                screen.close()

    @pytest.hookimpl(trylast=True)
    def pytest_training_run_end(self, run: TrainingRun) -> None:
        """Stop showing; leave the summary for the end of the session's output, after all reports are written."""
        if self.progress is not None:
            self.progress.end()
        if run.record is None:
            run.closing.append(("no job began: the reports are as they were", {"yellow": True}))
        elif self.config.option.verbose >= QUIETEST:
            reports, option = shown_path(run.folder.reports, self.config), self.config.option
            table = f" --reports {shlex.quote(reports)}" if run.plan.smoke or option.training_reports else ""
            is_quiet = option.verbose < 0
            run.closing.extend([] if is_quiet else fact_lines(run, table))
            reports = "" if is_quiet else reports
            run.closing.extend(result_lines(run, reports=reports, table=table, places=self._places()))

    def _places(self) -> str:
        """Return the options with which the run is found again."""
        option = self.config.option
        values = {"root": [option.training_root], "reports": [option.training_reports]}
        several = [*values.items(), ("catalogue", option.training_catalogue or ())]
        return "".join(f" --training-{name}={shlex.quote(each)}" for name, paths in several for each in paths if each)
