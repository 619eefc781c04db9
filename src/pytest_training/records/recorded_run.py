"""A run as its folder has it: in progress, finished or killed."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import msgspec
import psutil

from pytest_training.atomic import write_atomically
from pytest_training.errors import DeclarationError
from pytest_training.execution.folder import OURS, AttemptFolder, ReportsFolder, RunFolder
from pytest_training.execution.job_files import read_json
from pytest_training.execution.outcome import Outcome
from pytest_training.execution.slot import read_outcome
from pytest_training.execution.unfinished import final_outcome, interrupted_outcome
from pytest_training.jobs.model import Job, Plan, RunSettings
from pytest_training.jobs.plan_file import read_plan
from pytest_training.records.audit import Audit
from pytest_training.records.comparison import Comparison, compare, find_earlier, paired
from pytest_training.records.history import History, Recorded
from pytest_training.records.run_record import BegunRun, Provenance, RunRecord

IGNORED, HIDDEN = ".gitignore", "."  # no run's name begins so, but that of one that is being removed
PLACES = {"last": slice(-1, None), "previous": slice(-2, -1)}  # words for a run
SAME_START_S = 1.0  # a process's start is exact to about a clock tick


class TrainingRun(msgspec.Struct, frozen=True, dict=True):
    """A run as reporters get it: without outcomes when it begins, whole at its end."""

    folder: RunFolder
    plan: Plan
    outcomes: tuple[Outcome, ...] = ()  # at the end one for each planned job, in planned order
    provenance: Provenance | None = None
    record: RunRecord | None = None
    """None for a run that did not finish, or ended before a job began: its folder is then removed."""
    begun: BegunRun | None = None
    settings: RunSettings = msgspec.field(default_factory=RunSettings)
    problems: list[str] = msgspec.field(default_factory=list)
    """What went wrong around the jobs, in sentences; a reporter may add its own."""
    closing: list[tuple[str, dict[str, bool]]] = msgspec.field(default_factory=list)
    """Lines, with their colours, for the end of the session's output; a reporter may add its own."""
    pages: list[Path] = msgspec.field(default_factory=list)  # once the last page is written: its stable name
    is_read: bool = False  # True where a command has read it, which may import numpy to compare predictions
    audit: Audit | None = None  # what `--training-audit` has found, at the end

    @property
    def is_finished(self) -> bool:
        """True if the run came to its end, with whatever outcomes."""
        return self.record is not None

    @property
    def started(self) -> str:
        """When it began, or an empty text if no file has it."""
        return origin.started if (origin := self.record or self.begun) else ""

    @property
    def workers(self) -> int:
        """The slots that it had, as planned until it has ended."""
        return self.record.workers if self.record else self.plan.workers

    @property
    def own_outcomes(self) -> tuple[Outcome, ...]:
        """The outcomes without those of the further trainings of an audit: these are no results of jobs."""
        twins = {planned.job.id for planned in self.plan.jobs if planned.job.twin_of}
        return tuple(outcome for outcome in self.outcomes if outcome.job_id not in twins)

    @cached_property
    def comparison(self) -> Comparison:
        """Better and worse metrics, compared with what `--training-compare` names, else against the last run."""
        own = folded(self.own_outcomes)  # trials of a search have other parameters each time
        ids = [outcome.job_id for outcome in own]
        against, project = self.settings.compare or "last", Path(self.settings.project)
        history = History(self.folder.stable.history)
        found = find_earlier(history, ids, against, project=project, before=self.folder.run_id)
        earlier, trained, words, problem = found
        problems = (problem,) if problem and against != "last" else ()
        if self.is_read:
            sides = [Recorded(run_id=self.folder.run_id, started="", outcome=each) for each in own]
            own = [paired(each, trained.get(each.outcome.job_id), self.folder.stable.runs) for each in sides]
        return compare(own, earlier, trained, against=words, problems=problems)

    @property
    def nodes(self) -> dict[str, str]:
        """Each selected test that trains, and the id of its job."""
        return self.begun.nodes if self.begun else {}

    @contextlib.contextmanager
    def noting_failure(self, file: str) -> Iterator[None]:
        """Add a problem to the run if a file cannot be written: the other reports are still worth having."""
        try:
            yield
        except OSError as error:
            self.problems.append(f"cannot write {error.filename or file}: {error.strerror}")


def folded(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes without the trials of studies that have an outcome of their own."""
    ids = {outcome.job_id for outcome in outcomes}
    return [outcome for outcome in outcomes if outcome.trial_of not in ids]


def make_run_folder(folder: RunFolder, reports: Path) -> Callable[[], None]:
    """Make the run folder, below `reports`; return a function that leaves the reports as they were before."""
    above = [path for path in folder.path.parents if not path.exists()]
    is_place = reports in above or reports.is_dir()
    is_first = is_place and not (ReportsFolder(reports).history.exists() or os.path.lexists(reports / IGNORED))
    if is_first:
        ignored = ["*"] if reports in above else [f"/{name}" for name in OURS]
        write_atomically(reports / IGNORED, "".join(f"{each}\n" for each in ignored).encode())  # as pytest's cache has
    folder.path.mkdir(parents=True)

    def remove() -> None:
        shutil.rmtree(folder.path, ignore_errors=True)
        with contextlib.suppress(OSError):  # another run has begun there meanwhile
            for path in above:
                if path == reports and [each.name for each in path.iterdir()] == [IGNORED]:
                    (path / IGNORED).unlink()
                path.rmdir()
            if is_first and not ReportsFolder(reports).runs.exists():
                (reports / IGNORED).unlink(missing_ok=True)

    return remove


def find_run(reports: Path, name: str, others: Iterable[str] = ()) -> RunFolder:
    """Return a run by its id, the beginning of one, its folder, `last` or `previous`; `others` have no folder."""
    runs, names = ReportsFolder(reports).runs, sorted({*run_ids(reports), *others})
    if (run_id := Path(name).name) and run_id not in names and (runs / run_id).is_dir():
        raise DeclarationError(f"run {run_id!r}: no plan.json in {runs / run_id}: its jobs are unknown")
    matches = names[PLACES[run_id]] if run_id in PLACES else [each for each in names if each == run_id]
    matches = matches or [each for each in names if each.startswith(run_id)]
    if len(matches) == 1:
        return RunFolder(reports, matches[0])
    if not names:
        raise DeclarationError(f"no run in {runs}")
    newest = ", ".join((matches or names)[-5:])
    problem = f"run {name!r}: expected one of the {len(matches or names)} runs in {runs}, the last being {newest}"
    raise DeclarationError(problem)


def run_ids(reports: Path) -> list[str]:
    """Return the ids of the runs that have a plan, oldest first."""
    names = (path.parent.name for path in ReportsFolder(reports).runs.glob("*/plan.json"))
    return sorted(name for name in names if not name.startswith(HIDDEN))


def read_run(folder: RunFolder, settings: RunSettings | None = None) -> TrainingRun:
    """Read a run from its folder; a missing or damaged file counts as None, only the plan must be there."""
    plan, provenance = read_plan(folder.plan), read_json(folder.provenance, Provenance)
    record, begun = read_json(folder.record, RunRecord), read_json(folder.begun, BegunRun)
    finished, problems = record is not None, list(record.problems) if record else []
    reason = "its outcome.json cannot be read" if finished else "the run ended without a record of this job"
    reason = "still running" if not finished and is_running(begun) else reason
    outcomes = tuple(_outcome(folder, each.job, plan.seed, reason, is_finished=finished) for each in plan.jobs)
    settings = settings or RunSettings()
    return TrainingRun(folder, plan, outcomes, provenance, record, begun, settings, problems, is_read=True)


def running_run(reports: Path) -> RunFolder | None:
    """Return the newest run that is in progress."""
    folders = (RunFolder(reports, run_id) for run_id in reversed(run_ids(reports)))
    return next(filter(is_going_on, folders), None)


def is_going_on(folder: RunFolder) -> bool:
    """Return True if a run is in progress."""
    return not folder.record.exists() and is_running(read_json(folder.begun, BegunRun))


def is_running(begun: BegunRun | None) -> bool:
    """Return True if the process that began a run still lives."""
    with contextlib.suppress(psutil.Error):
        return bool(begun and abs(psutil.Process(begun.pid).create_time() - begun.pid_started) < SAME_START_S)
    return False


def _outcome(folder: RunFolder, job: Job, seed: int, reason: str, *, is_finished: bool) -> Outcome:
    if (written := read_outcome(folder, job.id) if is_finished else final_outcome(folder, job.id)) is not None:
        return written
    files = folder.job(job.id)
    ended = _last_sign_of_life(files.attempt(max(files.next_attempt() - 1, 1)))
    outcome = interrupted_outcome(folder, job, seed=seed, reason=reason, ended=ended)
    slot = next((attempt.slot for attempt in outcome.attempts if attempt.slot), "")
    return msgspec.structs.replace(outcome, slot=slot)


def _last_sign_of_life(attempt: AttemptFolder) -> str | None:
    times: list[float] = []
    for path in (attempt.path, attempt.started, attempt.log, attempt.events, attempt.artifacts):
        with contextlib.suppress(OSError):
            times.append(path.stat().st_mtime)
    return datetime.fromtimestamp(max(times), UTC).isoformat(timespec="milliseconds") if times else None
