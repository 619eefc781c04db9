"""A search as one slot takes part in it: Optuna draws a trial's parameters when it starts, and learns how it ended.

Only searches import it. Optuna's storage is a journal in the run's folder: what one process writes is there for all
others, and a killed one leaves no lock. A resumed run begins with the journal of the earlier one.
"""

import json
import os
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from pytest_training.atomic import write_atomically
from pytest_training.execution.attempt.messages import LOST
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.gpus import fcntl
from pytest_training.execution.job_files import open_own, read_json
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.jobs.directions import direction
from pytest_training.jobs.model import PlannedJob, Search, Space, Study

JOB = "job"  # a trial's attribute: the id of its item
RUN, TIMES = "run", "times"  # a study's: the run that has taken it over last; by run when it began, and drew last
NOT_ITS_OWN = (*LOST, "system")  # causes of failures that say nothing of a trial's parameters: it goes on
PRUNERS: dict[str, Any] = {
    "": optuna.pruners.NopPruner,
    "asha": optuna.pruners.SuccessiveHalvingPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "median": optuna.pruners.MedianPruner,
}


class Journal(JournalFileBackend):  # type: ignore[misc]  # the package is Any to mypy, with and without the extra
    """Optuna's journal with a lock that ends with its process, and that whoever has it may take again."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path, self._depth, self._lock_file = path, 0, -1

    def __enter__(self) -> None:
        """Wait for the lock; cut off a line that a killed process, or a full disk, has left unfinished."""
        if not self._depth:
            self._lock_file = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            if fcntl is not None:
                fcntl.flock(self._lock_file, fcntl.LOCK_EX)
            with suppress(OSError), self._path.open("rb+") as file:
                file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
                if file.read() not in {b"", b"\n"}:
                    file.truncate(self._path.read_bytes().rfind(b"\n") + 1)
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            if fcntl is not None:
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)  # for copies of the descriptor too
            os.close(self._lock_file)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add lines, without Optuna's fsync for each: a trial has a dozen, and they take 0.1 s."""
        with self, self._path.open("ab", buffering=0) as file:
            file.write(b"".join(json.dumps(each).encode() + b"\n" for each in logs))


class OptunaSearch:
    """One search of a run."""

    def __init__(
        self, own: PlannedJob, folder: RunFolder, *, seed: int = 0, slot: int = 0, resumed: Sequence[str] = ()
    ) -> None:
        """Open the search of a study's own job, or begin it; `slot` is the number of the slot in the run."""
        job, study = own.job, own.job.study or Study()
        self._search, self._metric = study.search or Search(trials=0, parameters={}), study.metric
        self._spaces = {name: distribution(space) for name, space in self._search.parameters.items()}
        self._run_id, self._is_higher = folder.run_id, direction(study.metric, job.gates) != "lower"
        self._trial: optuna.Trial | None = None
        self._reported: set[int] = set()  # steps of the trial
        self._is_compared: bool | None = None  # False if the trial is trained to its end in any case; None until known
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # it says that a study was made
        self._journal = Journal(folder.journal)
        with self._journal:
            earlier = [RunFolder(folder.reports, run_id) for run_id in resumed]
            if not folder.journal.stat().st_size:
                write_atomically(folder.journal, next(filter(None, map(_lines, earlier)), b""))
            self._study = optuna.create_study(
                storage=optuna.storages.JournalStorage(self._journal),
                study_name=job.id,
                direction="maximize" if self._is_higher else "minimize",
                pruner=PRUNERS[self._search.pruner](),
                load_if_exists=True,
            )
            if self._study.user_attrs.get(RUN) != folder.run_id:
                self._take(own, earlier, folder)
                self._study.set_user_attr(RUN, folder.run_id)
            begun = len(self._trials())
        # Another slot, and one that resumes, must not draw the same numbers again.
        own_seed = zlib.crc32(f"{seed} {slot} {begun}".encode()) if slot or begun else seed
        self._study.sampler = _sampler(self._search, own_seed=own_seed, seed=seed)

    def draw(self, job_id: str) -> dict[str, Any] | None:
        """Return a trial's parameters, as they were if it has begun before; None if the search's time is over."""
        with self._journal:
            if self._is_over():
                return None
            before, self._trial, self._reported = self._newest(job_id), None, set()
            # One that failed before is trained to its end: pruned, its failure would be a skip, and the run green.
            failed = any(each.user_attrs.get(JOB) == job_id for each in self._trials(TrialState.FAIL))
            self._is_compared = False if failed else None
            state = before.state if before else TrialState.FAIL
            if before and state == TrialState.RUNNING:
                self._reported = {*before.intermediate_values}
                self._trial = optuna.Trial(self._study, before._trial_id)  # noqa: SLF001  (nothing else goes on with one)
                for name, space in self._spaces.items():
                    self._trial._suggest(name, space)  # noqa: SLF001  (as `ask` does; some may have been drawn)
            elif state in {TrialState.FAIL, TrialState.WAITING}:  # else another test trains the same trial
                self._trial = self._ask(job_id, before)
            drawn = self._trial.params if self._trial else before.params if before else {}
        places = {name: each.to_internal_repr(drawn[name]) for name, each in self._spaces.items()}
        choices = {name: each.choices for name, each in self._search.parameters.items()}
        return {name: choices[name][int(place)] if choices[name] else drawn[name] for name, place in places.items()}

    def _ask(self, job_id: str, before: FrozenTrial | None) -> optuna.Trial:
        """Begin a trial, with the parameters of the one that failed before it, if any."""
        if before is None or before.state == TrialState.FAIL:
            fixed = {"fixed_params": before.params} if before else {}
            trial = optuna.trial.create_trial(state=TrialState.WAITING, user_attrs={JOB: job_id}, system_attrs=fixed)
            self._study.add_trial(trial)
        while (asked := self._study.ask(self._spaces)).user_attrs.get(JOB) != job_id:
            pass  # a slot was killed between the two lines above: that trial now goes on with its own item
        return asked

    def report(self, step: int, value: float) -> str:
        """Report a value that the trial has logged; if it shall end, return how its value compares, else nothing."""
        if self._trial is None or step in self._reported:  # an earlier attempt of it has logged the same
            return ""
        self._reported.add(step)
        self._trial.report(value, step)
        if self._is_compared is None:
            # Early values, logged before another trial had ended, would be compared with the late ones of others.
            ended = any(each.intermediate_values for each in self._trials(TrialState.COMPLETE))
            self._is_compared = ended or self._search.pruner == "median"
        if not (self._is_compared and self._trial.should_prune()):
            return ""
        states = (TrialState.COMPLETE,) if self._search.pruner == "median" else ()  # those that it is the median of
        logged = (each.intermediate_values for each in self._trials(*states))
        middle = median([each[step] for each in logged if step in each] or [value])
        is_behind = value < middle if self._is_higher else value > middle
        where = f"{'below' if self._is_higher else 'above'} the median {middle:.4g}"
        return where if is_behind else "not among the best"

    def end(self, outcome: Outcome) -> None:
        """Say how a trial has ended; one that was interrupted goes on when the run is resumed."""
        with self._journal:
            state, value = _ending(outcome, self._metric)
            trial = self._newest(outcome.job_id)
            if state is not None and trial is not None and trial.state == TrialState.RUNNING:
                with suppress(RuntimeError, KeyError):  # of GridSampler at a grid's end: it stops a loop of Optuna's
                    self._study.tell(trial.number, value, state)

    def _take(self, own: PlannedJob, earlier: Sequence[RunFolder], folder: RunFolder) -> None:
        """Learn what earlier runs came to without saying so: they were killed, or their trials are taken over."""
        taken = {job_id: RunFolder(folder.reports, each.run_id) for job_id, each in own.needed.items()}
        oldest = min((each.run_id for each in taken.values()), default=folder.run_id)
        since = sorted(it.name for it in folder.path.parent.iterdir() if oldest <= it.name < folder.run_id)
        runs = earlier or [RunFolder(folder.reports, run_id) for run_id in reversed(since)]
        for job_id in own.job.needs:
            places = [taken[job_id]] if job_id in taken else runs
            outcomes = (read_json(each.job(job_id).outcome, Outcome) for each in places)
            if outcome := next((each for each in outcomes if each and _ending(each, self._metric)[0]), None):
                if self._newest(job_id) is None and (job_id in taken or outcome.status == Status.FAILED):
                    self._add(outcome)  # of one that failed it is what was drawn
                self.end(outcome)

    def _add(self, outcome: Outcome) -> None:
        """Add the trial of an outcome, if the search could draw its parameters."""
        state, value = _ending(outcome, self._metric)
        fields = {"state": state, "value": value, "distributions": self._spaces, "user_attrs": {JOB: outcome.job_id}}
        with suppress(KeyError, ValueError):
            drawn = {name: _label(outcome.parameters[name]) for name in self._spaces}
            self._study.add_trial(optuna.trial.create_trial(params=drawn, **fields))

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return list(self._study.get_trials(deepcopy=False, states=states or None))

    def _newest(self, job_id: str) -> FrozenTrial | None:
        return next((each for each in reversed(self._trials()) if each.user_attrs.get(JOB) == job_id), None)

    def _is_over(self) -> bool:
        """Return True if the runs of this search have together taken as long as it may."""
        if self._search.time_s is None:
            return False
        times, now = dict(self._study.user_attrs.get(TIMES, {})), time.time()
        times[self._run_id] = [times.get(self._run_id, [now])[0], now]
        self._study.set_user_attr(TIMES, times)
        return bool(sum(end - begin for begin, end in times.values()) >= self._search.time_s)


def distribution(space: Space) -> optuna.distributions.BaseDistribution:
    """Return what Optuna draws from."""
    low, high, step = space.low, space.high, space.step
    if low is None or high is None:
        return CategoricalDistribution([_label(each) for each in space.choices])
    high = space.grid[-1] if step else high  # Optuna warns where the last step leads beyond
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=space.log, step=step or 1)
    return FloatDistribution(low, high, log=space.log, step=step)


def _label(value: Any) -> Any:
    """Return a choice as Optuna stores it: a list or mapping as text."""
    return value if isinstance(value, str | int | float | None) else msgspec.json.encode(value).decode()


def _sampler(search: Search, *, own_seed: int, seed: int) -> optuna.samplers.BaseSampler:
    if search.sampler == "grid":  # shuffled alike in every slot: its trials are numbers of places in the grid
        grid = {name: [*map(_label, space.grid)] for name, space in search.parameters.items()}
        return optuna.samplers.GridSampler(grid, seed=seed)
    samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    return samplers[search.sampler](seed=own_seed)


def _ending(outcome: Outcome, metric: str) -> tuple[TrialState | None, float | None]:
    """Return what Optuna learns of an outcome: the state, None if the trial has not ended, and the value."""
    if outcome.status == Status.PASSED and metric in outcome.metrics:
        return TrialState.COMPLETE, outcome.metrics[metric]
    if outcome.cause == "pruned":
        return TrialState.PRUNED, None
    is_failed = outcome.status in {Status.FAILED, Status.PASSED} and outcome.cause not in NOT_ITS_OWN
    return (TrialState.FAIL if is_failed else None), None


def _lines(folder: RunFolder) -> bytes:
    """Return the whole lines of a run's journal."""
    with suppress(OSError), open_own(folder.journal) as file:
        content = file.read()
        return content[: content.rfind(b"\n") + 1]
    return b""
