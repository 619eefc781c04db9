"""Which run folders may go: old ones that nothing refers to any more. Every doubt keeps a run."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from pytest_training.errors import DeclarationError, TrainingError
from pytest_training.execution.folder import Inside, ReportsFolder, RunFolder
from pytest_training.execution.job_files import Walk, open_own, read_json
from pytest_training.jobs.plan_file import read_plan
from pytest_training.project import Project
from pytest_training.records.comparison import find_place
from pytest_training.records.history import COMPARABLE, PASSED, History
from pytest_training.records.past import Past
from pytest_training.records.recorded_run import HIDDEN, is_running, run_ids
from pytest_training.records.run_record import BegunRun
from pytest_training.wording import listing

RUN_ID = re.compile(rb"\d{8}-\d{6}-[\w-]+")
COMPARED = re.compile(r"^--training-compare[=\n](.+)$", re.MULTILINE)  # in a command line, a word a line
OURS = {"jobs", ".partial", *(each.name for each in vars(RunFolder).values() if isinstance(each, Inside))}
LATER_S = 3600.0  # by which a file that somebody has added is younger than its run; less is the haste of a copy
PRUNED = f"{HIDDEN}pruned-"  # how the name of a run begins that is being removed
Reasons = Iterator[tuple[str, str]]


def reasons_to_stay(project: Project, keep: int) -> dict[str, str]:
    """Return why each run stays, by its id, or an empty text; raise TrainingError if the history cannot say it."""
    history, names = History(ReportsFolder(project.reports).history), run_ids(project.reports)
    past, reasons = Past(), dict.fromkeys(names, "")
    if not names:
        raise TrainingError(f"no run in {project.reports}")
    history.each(past.add)
    for run_id, words in _reasons(project, history, past, names, keep):
        if not reasons.get(run_id, words):
            reasons[run_id] = words
    if history.problems:
        raise TrainingError(f"{history.problems[0]}: nothing is removed")
    waiting = [run_id for run_id in names if reasons[run_id]]
    while waiting:
        folder = RunFolder(project.reports, waiting.pop())
        mentioned = [each for each in _mentioned(folder.plan, folder.begun) if not reasons.get(each, "other")]
        reasons |= dict.fromkeys(mentioned, f"run {folder.run_id} refers to it")
        waiting += mentioned
    return reasons


def _reasons(project: Project, history: History, past: Past, names: list[str], keep: int) -> Reasons:
    # By their ids and by their ends: a clock may jump.
    yield from ((run_id, f"one of the newest {keep}") for run_id in [*names[-keep:], *islice(past.runs, keep)])
    yield from ((run_id, _own(RunFolder(project.reports, run_id), past)) for run_id in names)
    yield from ((best.recorded.run_id, f"the best {job_id}") for job_id, best in past.best.items() if best.direction)
    yield from ((run_id, words) for words, run_id in past.newest.items())
    yield from _compared(project, history, names, past)
    yield from _linked(project)


def _own(folder: RunFolder, past: Past) -> str:
    """Return what in a run's own folder keeps it, or an empty text."""
    if is_running(read_json(folder.begun, BegunRun)) or folder.path.is_symlink():
        return "a link" if folder.path.is_symlink() else "in progress"
    try:
        plan, names = read_plan(folder.plan), [each.name for each in folder.path.iterdir()]
        others = [each for each in names if OURS.isdisjoint({each.removesuffix(".lock"), Path(each).suffix})]
        others += _added(folder)
    except (DeclarationError, OSError):
        return "cannot be read"
    if others:
        return f"has other files: {listing('', others, limit=3)}"
    jobs = {planned.job.id for planned in plan.jobs if not planned.job.twin_of}
    if plan.run_id != folder.run_id:
        return f"a copy of run {plan.run_id}"
    if not folder.record.exists() or (not plan.smoke and jobs.difference(past.runs.get(folder.run_id, ()))):
        return "the history lacks its outcomes"
    unsettled = past.unsettled.get(folder.run_id, {}).items()
    goes_on = (each for each, is_new in unsettled if is_new or folder.job(each).checkpoint.is_dir())
    return next((f"{job_id} can be resumed" for job_id in goes_on), "")


def _added(folder: RunFolder) -> list[str]:
    """Return the files that jobs of a finished run cannot have written."""
    end = folder.record.stat().st_mtime + LATER_S if folder.record.exists() else math.inf
    return [name for name, entry in Walk(folder.path / "jobs") if entry.stat(follow_symlinks=False).st_mtime > end]


def _compared(project: Project, history: History, names: Iterable[str], past: Past) -> Reasons:
    """Yield the runs that `--training-compare` has named, in the settings or for a run."""
    begun = (read_json(RunFolder(project.reports, run_id).begun, BegunRun) for run_id in names)
    words = [*project.options, *(word for each in begun if each for word in ("", *each.arguments))]
    for name in dict.fromkeys(COMPARED.findall("\n".join(words))):
        with contextlib.suppress(DeclarationError):  # nothing has that name any more
            place = find_place(history, name, project.root)
            for which in (PASSED, COMPARABLE):
                newest = history.newest([*past.best], place=place, which=which)
                yield from ((each.run_id, f"runs are compared with {name}") for each in newest.values())


def _linked(project: Project) -> Reasons:
    """Yield the runs that links lead to, and those of the latest reports."""
    reports = ReportsFolder(project.reports)
    runs = reports.runs.resolve()
    links = [each for place in (project.root, reports.path, reports.runs) for each in place.iterdir()]
    for link in filter(Path.is_symlink, links):
        target = Path(os.path.realpath(link))  # Path.resolve raises for links in a circle
        if runs in target.parents:
            yield target.relative_to(runs).parts[0], f"the link {link.name} leads to it"
    latest = _mentioned(*(reports.path / name for name in ("report.json", "summary.md", "audit.json")))
    yield from ((run_id, "the latest reports name it") for run_id in latest)


def _mentioned(*files: Path) -> set[str]:
    """Return what may be the id of a run in some files, in whatever field."""
    ids: set[str] = set()
    for path in files:
        with contextlib.suppress(OSError), open_own(path) as file:
            ids.update(each.decode() for each in RUN_ID.findall(file.read()))
    return ids


def remove_run(folder: RunFolder) -> bool:
    """Remove a run's folder; return False if another process did. If this one is killed, the rest is no run."""
    try:
        rest = folder.path.rename(folder.stable.runs / f"{PRUNED}{folder.run_id}")
    except FileNotFoundError:
        return False
    shutil.rmtree(rest, ignore_errors=True)
    return True


def remove_rests(reports: ReportsFolder) -> None:
    """Remove what is left of removed runs, also by a process that was killed; raise OSError if it cannot be."""
    for rest in reports.runs.glob(f"{PRUNED}*"):
        with contextlib.suppress(FileNotFoundError):  # another process is at it too
            shutil.rmtree(rest)
