"""All runs together, of the history and of the run folders: a line for each, and the best outcome of each job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.jobs.directions import Direction, direction
from pytest_training.records.history import History, Origin, Recorded
from pytest_training.records.measures import headline
from pytest_training.records.recorded_run import is_going_on, read_run, run_ids


class Best(Struct, frozen=True):
    """The best passed outcome of a job, by a metric of its newest one; of equal ones the newest."""

    metric: str
    direction: Direction | None
    recorded: Recorded

    @classmethod
    def first(cls, newest: Recorded) -> Self | None:
        """Return the newest outcome as the best so far, by its headline, or None if it has no metric."""
        study, main = newest.outcome.study, headline(newest.outcome)
        metric = study.metric if study else main.name if main else ""
        better = (study and study.direction) or direction(metric, [each.gate for each in newest.outcome.gates])
        return cls(metric, better, newest) if metric in newest.outcome.metrics else None

    @property
    def value(self) -> float:
        """The best value."""
        return self.recorded.outcome.metrics[self.metric]

    def or_better(self, older: Recorded) -> Self:
        """Return the older outcome as the best if it is better."""
        value = older.outcome.metrics.get(self.metric, self.value)
        is_better = value > self.value if self.direction == "higher" else value < self.value
        return replace(self, recorded=older) if self.direction and is_better else self


class Past(Struct):
    """What the history knows of all runs."""

    runs: dict[str, dict[str, str]] = field(default_factory=dict)
    """By run id, the newest first, each job's status in a word, or an empty text for a trial: its study counts."""
    best: dict[str, Best] = field(default_factory=dict)  # by job id, without trials
    newest: dict[str, str] = field(default_factory=dict)  # ids of runs that others are compared with, by what they have
    unsettled: dict[str, dict[str, Status]] = field(default_factory=dict)
    """By run id the jobs that have not ended well there or later: a resumed run would train them."""
    settled: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, newest_first: Iterable[Recorded]) -> Self:
        """Collect what these outcomes say."""
        past = cls()
        for recorded in newest_first:
            past.add(recorded, recorded.outcome)
        return past

    def add(self, recorded: Recorded, outcome: Outcome) -> None:
        """Add an outcome that is older than all before."""
        job_id, run_id, has_passed = outcome.job_id, recorded.run_id, outcome.status == Status.PASSED
        self.runs.setdefault(run_id, {})[job_id] = _word(outcome)
        if has_passed or outcome.status == Status.SKIPPED or outcome.cause == "gate":
            self.settled.add(job_id)
        elif outcome.cause != "needs" and self.settled.isdisjoint({job_id, outcome.trial_of}):
            self.unsettled.setdefault(run_id, {})[job_id] = outcome.status
        if outcome.trial_of and f"the last {outcome.trial_of}" in self.newest:
            return  # its study counts, once it has been judged
        if has_passed or outcome.cause == "gate":
            places = {"", f" on branch {recorded.branch}" if recorded.branch else ""}
            for what in (f"the last {job_id}", *([f"the last passed {job_id}"] if has_passed else [])):
                self.newest |= {f"{what}{place}": run_id for place in places if f"{what}{place}" not in self.newest}
        if has_passed:
            best = self.best.get(job_id)
            if better := best.or_better(recorded) if best else Best.first(recorded):
                self.best[job_id] = better


class RunLine(Struct, frozen=True, kw_only=True):
    """A run in a list of all."""

    run_id: str
    started: str | None
    branch: str | None = None
    commit: str | None = None
    jobs: dict[str, int] = {}  # number of selected jobs by status; a study with its trials counts once
    state: str = "finished"  # or `in progress`, `did not finish`, `unreadable`
    has_folder: bool = True
    best: tuple[str, ...] = ()  # ids of the jobs that have their best outcome here


def run_lines(reports: Path, history: History) -> list[RunLine]:
    """Return all runs, the oldest first: those that have a folder, and those that only the history has."""
    past, origins = history.fold(Past.of) or Past(), {origin.run_id: origin for origin in history.origins()}
    best = [(each.recorded.run_id, job_id) for job_id, each in sorted(past.best.items())]
    folders = set(run_ids(reports))
    lines = [_line(RunFolder(reports, run_id)) for run_id in folders.difference(origins)]
    for run_id, origin in origins.items():
        jobs, ids = _counted(past.runs.get(run_id, {}).values()), tuple(job_id for run, job_id in best if run == run_id)
        lines.append(RunLine(**origin._asdict(), jobs=jobs, has_folder=run_id in folders, best=ids))
    return sorted(lines, key=lambda line: line.run_id)


def _line(folder: RunFolder) -> RunLine:
    """Return a run that the history does not have: it goes on, was killed, or could not be recorded."""
    try:
        run = read_run(folder)
    except DeclarationError:
        return RunLine(run_id=folder.run_id, started=None, state="unreadable")
    state = "in progress" if is_going_on(folder) else "finished" if run.is_finished else "did not finish"
    commit = (run.provenance.branch, run.provenance.commit) if run.provenance else (None, None)
    origin = Origin(folder.run_id, *commit, run.started)
    return RunLine(**origin._asdict(), jobs=_counted(map(_word, run.own_outcomes)), state=state)


def _word(outcome: Outcome) -> str:
    return "" if outcome.trial_of else outcome.shown.word


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(filter(None, words)))
