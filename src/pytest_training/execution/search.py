"""A search as one slot takes part in it: Optuna draws a trial's parameters when it starts, and learns how it ended.

Only searches import it. Optuna's storage is a journal in the run's folder: what one process writes is there for all
others, and a killed one leaves no lock. A resumed run begins with the journal of the earlier one.
"""

import json
import math
import os
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from pytest_training.atomic import write_atomically
from pytest_training.execution.attempt.messages import LOST
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.job_files import open_own, read_json
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.jobs.directions import Direction
from pytest_training.jobs.model import Job, Search, Space, Study

fcntl: Any = None
with suppress(ImportError):  # Windows: one slot alone may search there
    import fcntl

JOB = "job"  # a trial's attribute: the id of its item
RUN, TIMES = "run", "times"  # a study's: the run that has taken it over last; by run when it began, and drew last
PRUNERS: Mapping[str, Any] = {
    "": optuna.pruners.NopPruner,
    "asha": optuna.pruners.SuccessiveHalvingPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "median": optuna.pruners.MedianPruner,
}
NOT_ITS_OWN = (*LOST, "system")  # causes of failures that say nothing of a trial's parameters: it goes on
BEST = {"asha": "quarter", "hyperband": "third"}  # that goes on
PLAIN = str | int | float | bool | None  # what Optuna stores as a category


class JournalLock:
    """A lock on the journal: it ends with its process, and whoever has it may take it again."""

    def __init__(self, journal: Path) -> None:
        self._journal, self._depth, self._descriptor = journal, 0, -1

    def __enter__(self) -> None:
        """Wait for the lock; cut off a line that a killed process, or a full disk, has left unfinished."""
        if not self._depth:
            path = self._journal.with_name(f"{self._journal.name}.lock")
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if fcntl is not None:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            self._cut()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            if fcntl is not None:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # for copies of the descriptor too
            os.close(self._descriptor)

    def _cut(self) -> None:
        with suppress(FileNotFoundError), self._journal.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 1, 0))
            if file.read() not in {b"", b"\n"}:
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)


class Journal(JournalFileBackend):  # type: ignore[misc]
    """Optuna's journal with that lock. What was written survives its process at once, and a power cut mostly."""

    def __init__(self, path: Path, lock: JournalLock) -> None:
        super().__init__(str(path))
        self._path, self._own_lock = path, lock

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add lines, without the fsync for each that Optuna has: a trial has a dozen, and they take 0.1 s."""
        lines = b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in logs)
        with self._own_lock, self._path.open("ab", buffering=0) as file:
            file.write(lines)


class OptunaSearch:
    """One search of a run."""

    def __init__(  # noqa: PLR0913  (each is a fact about the run)
        self,
        job: Job,
        folder: RunFolder,
        *,
        better: Direction,
        seed: int = 0,
        slot: int = 0,
        resumed: Sequence[str] = (),
    ) -> None:
        """Open the search of a study's job, or begin it; `slot` is the number of the slot in the run."""
        study = job.study or Study(metric="")  # for the types: who calls it has looked
        self._search, self._metric = study.search or Search(trials=0, parameters={}), study.metric
        self._folder = folder
        self._spaces = {name: distribution(space) for name, space in self._search.parameters.items()}
        self._lock = JournalLock(folder.journal)
        self._trial: optuna.Trial | None = None
        self._reported: set[int] = set()  # steps
        self._is_compared = True  # False if the trial is trained to its end in any case
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # it says that a study was made
        with self._lock:
            earlier = [RunFolder(folder.reports, run_id) for run_id in resumed]
            if not folder.journal.exists():
                content = next((content for each in earlier if (content := _journal(each))), b"")
                write_atomically(folder.journal, content)
            self._study = self._open(job.id, better)
            if self._study.user_attrs.get(RUN) != folder.run_id:
                self._take(job.needs, earlier)
                self._study.set_user_attr(RUN, folder.run_id)
            begun = len(self._study.get_trials(deepcopy=False))
            # Another slot, and one that resumes, must not draw the same numbers again.
            own = zlib.crc32(f"{seed} {slot} {begun}".encode()) if slot or begun else seed
            self._study.sampler = _sampler(self._search, own_seed=own, seed=seed)

    def _open(self, name: str, better: Direction) -> optuna.Study:
        storage = optuna.storages.JournalStorage(Journal(self._folder.journal, self._lock))
        direction = "maximize" if better == "higher" else "minimize"
        pruner = PRUNERS[self._search.pruner]()
        return optuna.create_study(
            storage=storage, study_name=name, direction=direction, pruner=pruner, load_if_exists=True
        )

    def draw(self, job_id: str) -> dict[str, Any] | None:
        """Return a trial's parameters, as they were if it has begun before; None if the search's time is over."""
        with self._lock:
            if self._is_over():
                return None
            before, self._reported = self._newest(job_id), set()
            self._is_compared = self._search.pruner not in BEST or self._has_whole()
            if before is not None and before.state == TrialState.RUNNING:
                self._reported = {*before.intermediate_values}
                self._trial = optuna.Trial(self._study, before._trial_id)  # noqa: SLF001  (there is no other way to go on)
                for name, space in self._spaces.items():
                    self._trial._suggest(name, space)  # noqa: SLF001  (as `ask` does; it may have been killed meanwhile)
            elif before is not None and before.state in {TrialState.COMPLETE, TrialState.PRUNED}:
                self._trial = None  # another test trains the same trial
            else:
                self._trial = self._ask(job_id, before)
            drawn = self._trial.params if self._trial else before.params if before else {}
            spaces = self._search.parameters
            return {name: _value(spaces[name], each, drawn[name]) for name, each in self._spaces.items()}

    def _ask(self, job_id: str, before: optuna.trial.FrozenTrial | None) -> optuna.Trial:
        """Begin a trial, with the parameters of the one that failed before it, if any."""
        if before is None or before.state.is_finished():
            fixed = {"fixed_params": before.params} if before else {}
            waiting = optuna.trial.create_trial(state=TrialState.WAITING, user_attrs={JOB: job_id}, system_attrs=fixed)
            self._study.add_trial(waiting)
        while (trial := self._study.ask(self._spaces)).user_attrs.get(JOB) != job_id:
            pass  # a slot was killed between the two lines above: that trial now goes on with its own item
        return trial

    def report(self, step: int, value: float) -> str:
        """Report a value that the trial has logged; if it shall end, return how its value compares, else nothing."""
        if self._trial is None or step in self._reported:  # an earlier attempt of it has logged the same
            return ""
        self._reported.add(step)
        self._trial.report(value, step)
        return self._compared(step, value) if self._is_compared and self._trial.should_prune() else ""

    def _has_whole(self) -> bool:
        """Return True if a trial has ended that says how long one takes.

        Trials that began before would be compared by late values with the early ones of later trials.
        """
        ended = self._study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        return any(each.intermediate_values for each in ended)

    def _compared(self, step: int, value: float) -> str:
        part = BEST.get(self._search.pruner, "")
        states = None if part else [TrialState.COMPLETE]  # those that the median is of
        logged = (each.intermediate_values for each in self._study.get_trials(deepcopy=False, states=states))
        values = [each[step] for each in logged if step in each]
        is_higher = self._study.direction == optuna.study.StudyDirection.MAXIMIZE
        middle = median(values or [value])
        if value < middle if is_higher else value > middle:
            return f"{'below' if is_higher else 'above'} the median {middle:.4g}"
        return f"not among the best {part}" if part else "worse than most trials"

    def end(self, outcome: Outcome) -> None:
        """Say how a trial has ended; one that was interrupted goes on when the run is resumed."""
        with self._lock:
            self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        state, value = _ending(outcome, self._metric)
        trial = self._newest(outcome.job_id)
        if state is not None and trial is not None and trial.state == TrialState.RUNNING:
            with suppress(RuntimeError):  # GridSampler, of an ended grid: it stops a loop that there is not
                self._study.tell(trial.number, value, state)

    def _take(self, trials: Sequence[str], earlier: Sequence[RunFolder]) -> None:
        """Learn what earlier runs came to without saying so: they were killed, or their journal is lost."""
        for job_id in trials:
            outcomes = (read_json(each.job(job_id).outcome, Outcome) for each in earlier)
            outcome = next((each for each in outcomes if each and _ending(each, self._metric)[0]), None)
            if outcome is not None:
                self._tell(outcome)

    def _newest(self, job_id: str) -> optuna.trial.FrozenTrial | None:
        trials = reversed(self._study.get_trials(deepcopy=False))
        return next((each for each in trials if each.user_attrs.get(JOB) == job_id), None)

    def _is_over(self) -> bool:
        """Return True if the runs of this search have together taken as long as it may."""
        if self._search.time_s is None:
            return False
        times, now = dict(self._study.user_attrs.get(TIMES, {})), time.time()
        times[self._folder.run_id] = [times.get(self._folder.run_id, [now])[0], now]
        self._study.set_user_attr(TIMES, times)
        return bool(sum(end - begin for begin, end in times.values()) >= self._search.time_s)


def distribution(space: Space) -> optuna.distributions.BaseDistribution:
    """Return what Optuna draws from."""
    low, high, step = space.low, space.high, space.step
    if low is None or high is None:
        return CategoricalDistribution([_label(each) for each in space.choices])
    if isinstance(low, int) and isinstance(high, int) and isinstance(step, int | None):
        return IntDistribution(low, high, log=space.log, step=step or 1)
    return FloatDistribution(low, high, log=space.log, step=step)


def _label(value: Any) -> Any:
    """Return a choice as Optuna stores it: a list or mapping as text."""
    return value if isinstance(value, PLAIN) else msgspec.json.encode(value).decode()


def _value(space: Space, drawn_from: optuna.distributions.BaseDistribution, drawn: Any) -> Any:
    return space.choices[int(drawn_from.to_internal_repr(drawn))] if space.choices else drawn


def _sampler(search: Search, *, own_seed: int, seed: int) -> optuna.samplers.BaseSampler:
    if search.sampler == "random":
        return optuna.samplers.RandomSampler(seed=own_seed)
    if search.sampler == "grid":  # shuffled alike in every slot: its trials are numbers of places in the grid
        grid = {name: [_label(each) for each in grid_values(space)] for name, space in search.parameters.items()}
        return optuna.samplers.GridSampler(grid, seed=seed)
    return optuna.samplers.TPESampler(seed=own_seed)


def grid_values(space: Space) -> Sequence[Any]:
    """Return the values of a parameter in a grid."""
    if space.low is None or space.high is None:
        return space.choices
    step = space.step or 1
    return [space.low + number * step for number in range(math.floor((space.high - space.low) / step * (1 + 1e-9)) + 1)]


def _ending(outcome: Outcome, metric: str) -> tuple[TrialState | None, float | None]:
    """Return what Optuna learns of an outcome: the state, None if the trial has not ended, and the value."""
    if outcome.status == Status.PASSED and metric in outcome.metrics:
        return TrialState.COMPLETE, outcome.metrics[metric]
    if outcome.cause == "pruned":
        return TrialState.PRUNED, None
    is_failed = outcome.status in {Status.FAILED, Status.PASSED} and outcome.cause not in NOT_ITS_OWN
    return (TrialState.FAIL if is_failed else None), None


def _journal(folder: RunFolder) -> bytes:
    """Return the whole lines of a run's journal."""
    with suppress(OSError), open_own(folder.journal) as file:
        content = file.read()
        return content[: content.rfind(b"\n") + 1]
    return b""
