"""Finds what a run is compared with: each job's outcome of the last run, of a named run, of a branch or a commit."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pytest_training.records.history import History, Recorded

COMMIT = r"[0-9a-f]{4,64}"
GIT_TIMEOUT_S = 2.0


def find_earlier(
    history: History, job_ids: Sequence[str], wanted: str, *, project: Path, before: str | None = None
) -> tuple[dict[str, Recorded], str, str | None]:
    """Return earlier outcomes by job id, in words what they are from, and a sentence where nothing was found.

    `wanted` is `last`, a run's id or its beginning, a branch, a commit or its beginning, or what git takes for one.
    `before` is the run that is compared: it and later ones do not count.
    """
    if wanted == "last":
        found = history.newest(job_ids, before=before)
        words = "the last run of each job"
    else:
        found, words = _named(history, job_ids, wanted, project, before)
    problem = None
    if not found and job_ids:
        problem = f"nothing to compare with: the history has no outcome of these jobs from {words}"
    return found, words, problem


def _named(
    history: History, job_ids: Sequence[str], wanted: str, project: Path, before: str | None
) -> tuple[dict[str, Recorded], str]:
    for column, words in (("run_id", f"run {wanted}"), ("branch", f"branch {wanted}"), ("commit", f"commit {wanted}")):
        if column == "commit" and not re.fullmatch(COMMIT, wanted):
            continue
        found = history.newest(job_ids, before=before, column=column, value=wanted)
        if found:
            return found, words
    commit = _commit(project, wanted)
    if commit is None:
        return {}, f"{wanted!r} (no run, branch or commit of that name)"
    return history.newest(job_ids, before=before, column="commit", value=commit), f"{wanted} (commit {commit[:10]})"


def _commit(project: Path, name: str) -> str | None:
    if name.startswith("-"):
        return None
    command = ("git", "-c", "core.fsmonitor=false", "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    try:
        done = subprocess.run(
            command, cwd=project, stdin=subprocess.DEVNULL, capture_output=True, timeout=GIT_TIMEOUT_S, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("ascii", "replace").strip() or None
