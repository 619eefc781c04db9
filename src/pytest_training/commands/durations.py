"""`pytest-training save-durations`: writes the file by which a first run elsewhere begins with the longest jobs."""

import argparse
import os
from collections.abc import Collection
from pathlib import Path

from pytest_training.commands.answers import remark, say
from pytest_training.errors import TrainingError
from pytest_training.execution.folder import ReportsFolder
from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.plan_file import read_plan
from pytest_training.jobs.search import PATTERNS, FileFilter, Search, checked_folders
from pytest_training.project import Project
from pytest_training.records.durations import FILE, machine_speed, read_durations, updated, write_durations
from pytest_training.records.history import History
from pytest_training.records.recorded_run import find_run, run_ids
from pytest_training.wording import listing


def save_durations(arguments: argparse.Namespace, project: Project) -> None:  # noqa: ARG001  (as every verb)
    """Write what the history of this machine knows, and say what changed."""
    (root,) = checked_folders([project.training_root], "training_root")
    path, history = root / FILE, History(ReportsFolder(project.reports).history)
    saved, job_ids = read_durations(path), _job_ids(project, root)
    measured = history.measured(job_ids)
    durations = updated(saved, measured, speed=machine_speed())
    for problem in history.problems:
        remark(f"warning: {problem}")
    if not any(measured.values()):
        raise TrainingError(f"no job has passed on this machine, by {history.path}: train first, on this machine")
    changed = [job_id for job_id, entry in durations.jobs.items() if saved.jobs.get(job_id) != entry]
    if unknown := [job_id for job_id in job_ids if job_id not in durations.jobs]:
        remark(f"no duration of {listing('', unknown)}: never passed on this machine")
    name = os.path.relpath(path, Path.cwd())
    if not changed:
        say(f"left as it is: {name}, {_count(durations.jobs)}")
        return
    write_durations(durations, path)
    say(f"written: {name}, {_count(durations.jobs)}, {len(changed)} of them new or changed; to be committed")


def _job_ids(project: Project, root: Path) -> list[str]:
    """Return the ids of the project's jobs, and of those of the last run: options may have added folders."""
    files = FileFilter(include=project.include or PATTERNS, exclude=project.exclude)
    jobs, _ = load_jobs(root, project.root, project.catalogue, Search(files=files))
    last = read_plan(find_run(project.reports, "last").plan).jobs if run_ids(project.reports) else ()
    return list(dict.fromkeys([*(job.id for job in jobs), *(planned.job.id for planned in last)]))


def _count(jobs: Collection[str]) -> str:
    return "1 job" if len(jobs) == 1 else f"{len(jobs)} jobs"
