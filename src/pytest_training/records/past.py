"""All runs together, of the history and of the run folders: a line for each, and the best outcome of each job."""

from collections import Counter
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import NamedTuple, Self

from msgspec import Struct, field

from pytest_training.errors import DeclarationError
from pytest_training.evaluation.ranges import Direction
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Status
from pytest_training.jobs.directions import direction
from pytest_training.records.history import History, Origin, Recorded
from pytest_training.records.measures import headline
from pytest_training.records.recorded_run import folded, is_going_on, read_run, run_ids
from pytest_training.records.run_record import GitState


class Best(NamedTuple):
    """The best passed outcome of a job, by the headline of its newest one; of equal ones the newest."""

    metric: str
    direction: Direction | None
    value: float
    recorded: Recorded


class Past(Struct):
    """What the history knows of all runs, given each outcome, the newest first."""

    runs: dict[str, dict[str, tuple[str | None, str]]] = field(default_factory=dict)
    """By run id, the newest first, of each job the study that it is a trial of, and its status in a word."""
    best: dict[str, Best] = field(default_factory=dict)  # by job id
    newest: dict[str, str] = field(default_factory=dict)  # ids of runs that others are compared with, by what they have
    unsettled: dict[str, dict[str, bool]] = field(default_factory=dict)
    """By run id the jobs that have not ended well there or, with these parameters, later: a resumed run would train
    them. False for those that count only with a checkpoint: they have failed, or ended well with other parameters."""
    settled: set[str | None] = field(default_factory=set)

    def add(self, recorded: Recorded) -> None:
        """Add an outcome that is older than all before."""
        outcome, run_id, job_id = recorded.outcome, recorded.run_id, recorded.outcome.job_id
        has_passed, has_missed_gate = outcome.status == Status.PASSED, outcome.cause == "gate"
        as_trained = f"{job_id} {outcome.parameters}"
        self.runs.setdefault(run_id, {})[job_id] = outcome.trial_of, outcome.shown.word
        if has_passed or has_missed_gate or outcome.status == Status.SKIPPED:
            self.settled |= {job_id, as_trained}
        elif outcome.cause != "needs" and as_trained not in self.settled:
            is_new = self.settled.isdisjoint({job_id, outcome.trial_of})
            self.unsettled.setdefault(run_id, {})[job_id] = is_new and outcome.status != Status.FAILED
        is_settled = outcome.trial_of and f"the last {outcome.trial_of}" in self.newest
        if is_settled or not (has_passed or has_missed_gate):
            return  # a trial's study counts, once it has been judged
        places = {"", f" on branch {recorded.branch}" if recorded.branch else ""}
        for what, place in product(("last", *["last passed"] * has_passed), places):
            self.newest.setdefault(f"the {what} {job_id}{place}", run_id)
        if has_passed and (best := self.best.get(job_id) or _first(recorded)):
            value = outcome.metrics.get(best.metric, best.value)
            is_better = value > best.value if best.direction == "higher" else value < best.value
            self.best[job_id] = best._replace(value=value, recorded=recorded) if best.direction and is_better else best


def _first(newest: Recorded) -> Best | None:
    """Return the newest outcome as the best so far, or None if it has no metric."""
    main, gates = headline(newest.outcome), [result.gate for result in newest.outcome.gates]
    return Best(main.name, direction(main.name, gates), main.value, newest) if main else None


class RunLine(Struct, frozen=True):
    """A run in a list of all; a study with its trials counts once."""

    run_id: str
    branch: str | None
    commit: str | None
    started: str | None
    selected: int
    passed: int
    notes: tuple[str, ...]  # its state, unless it finished, and how many jobs did not pass
    best: tuple[str, ...]  # ids of the jobs that have their best outcome here

    @classmethod
    def of(cls, origin: Origin, words: Iterable[str], notes: Iterable[str], best: Iterable[str] = ()) -> Self:
        """Return the line of a run whose jobs have these statuses."""
        counts = Counter(words)
        others = (f"{count} {word}" for word, count in counts.items() if word != Status.PASSED)
        return cls(*origin, counts.total(), counts[Status.PASSED], (*notes, *others), tuple(best))


def run_lines(reports: Path, history: History) -> list[RunLine]:
    """Return all runs, the oldest first: those that have a folder, and those that only the history has."""
    past, origins, folders = Past(), history.origins(), set(run_ids(reports))
    history.each(past.add)
    best: dict[str, list[str]] = {}
    for job_id, each in sorted(past.best.items()):
        best.setdefault(each.recorded.run_id, []).append(job_id)
    lines = [_line(RunFolder(reports, run_id)) for run_id in folders.difference(each.run_id for each in origins)]
    for origin in origins:
        notes, statuses = () if origin.run_id in folders else ("no folder",), past.runs.get(origin.run_id, {})
        words = [word for study, word in statuses.values() if study not in statuses]
        lines.append(RunLine.of(origin, words, notes, best.get(origin.run_id, ())))
    return sorted(lines, key=lambda line: line.run_id)


def _line(folder: RunFolder) -> RunLine:
    """Return a run that the history does not have: it goes on, was killed, or could not be recorded."""
    try:
        run = read_run(folder)
    except DeclarationError:
        return RunLine.of(Origin(folder.run_id, None, None, None), (), ("cannot be read",))
    git, words = run.provenance or GitState(), [outcome.shown.word for outcome in folded(run.own_outcomes)]
    state = "not in the history" if run.is_finished else "did not finish"
    if is_going_on(folder):
        state, words = "in progress", ["running" if word == Status.INTERRUPTED else word for word in words]
    return RunLine.of(Origin(folder.run_id, git.branch, git.commit, run.started), words, (state,))
