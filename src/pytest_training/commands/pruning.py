"""`pytest-training prune`: removes old run folders, and says why others stay."""

import argparse
import contextlib

from pytest_training.commands.answers import say
from pytest_training.execution.folder import ReportsFolder, RunFolder
from pytest_training.execution.job_files import Walk
from pytest_training.project import Project
from pytest_training.records.pruning import PRUNED, reasons_to_stay, remove_rest, remove_run
from pytest_training.records.strict_json import encode
from pytest_training.units import MEBIBYTE, size

MOST_FILES = 10**7


def prune(arguments: argparse.Namespace, project: Project) -> None:
    """Remove the run folders that nothing keeps, the newest first: what refers goes before what it refers to."""
    reasons, removed = reasons_to_stay(project, arguments.keep), dict[str, float]()
    verb = "would remove" if arguments.dry_run else "removed"
    for run_id in sorted((each for each, reason in reasons.items() if not reason), reverse=True):
        folder = RunFolder(project.reports, run_id)
        size_mb = _size_mb(folder)
        if arguments.dry_run or remove_run(folder):
            removed[run_id] = size_mb
            if not arguments.json:
                say(f"{verb} {run_id}, {size(size_mb)}")
    for rest in () if arguments.dry_run else ReportsFolder(project.reports).runs.glob(f"{PRUNED}*"):
        with contextlib.suppress(OSError):  # of an earlier one that was killed; another one may be at it too
            remove_rest(rest)
    kept = {run_id: reason for run_id, reason in reasons.items() if reason}
    if arguments.json:
        say(encode({"dry_run": arguments.dry_run, "removed_mb": removed, "kept": kept}, indent=2).decode())
        return
    for run_id, reason in kept.items():
        if not reason.startswith("one of the newest"):
            say(f"kept {run_id}: {reason}")
    say(f"{verb} {len(removed)} of {len(reasons)} runs, {size(sum(removed.values()))}")


def _size_mb(folder: RunFolder) -> float:
    with contextlib.suppress(OSError):
        files = (entry for _, entry in Walk(folder.path, MOST_FILES))
        return sum(entry.stat(follow_symlinks=False).st_size for entry in files) / MEBIBYTE
    return 0.0
