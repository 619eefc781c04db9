"""Finds what a run is compared with: each job's outcome of the last run, of a named run, of a branch or a commit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_training.errors import DeclarationError
from pytest_training.git import find_commit
from pytest_training.records.history import History, Recorded
from pytest_training.wording import listing

COMMIT = r"[0-9a-f]{4,64}"
MOST_LISTED = 5  # runs or branches in a message


class Place(NamedTuple):
    """Where in the history to look: at outcomes whose run has this in that column."""

    words: str
    column: str = ""
    value: str = ""


def find_earlier(  # noqa: PLR0913  (what is asked for, of whom, and what counts)
    history: History,
    job_ids: Sequence[str],
    wanted: str,
    *,
    project: Path,
    before: str | None = None,
    passed_only: bool = False,
) -> tuple[dict[str, Recorded], str, str | None]:
    """Return earlier outcomes by job id, the words for where they are from, and a sentence if there are none.

    `wanted` is `last`, a run's id or its beginning, a branch, a commit or its beginning, or what git takes for one; an
    unknown name is a DeclarationError. Ignore outcomes of run `before`, the one that is compared, and of later ones.
    """
    place = find_place(history, wanted, project, before=before)
    earlier = history.newest(job_ids, before=before, column=place.column, value=place.value, passed_only=passed_only)
    problem = None
    if not earlier and job_ids:
        what = "passed outcome" if passed_only else "outcome"
        problem = f"nothing to compare with: the history has no {what} of these jobs from {place.words}"
    return earlier, place.words, problem


def find_place(history: History, wanted: str, project: Path, *, before: str | None = None) -> Place:
    """Return where in the history a name leads; raise an error that lists what there is for an unknown one."""
    if wanted == "last":
        return Place("the last run of each job")
    origins = [origin for origin in history.origins() if origin.run_id != before]
    if wanted and any(origin.run_id.startswith(wanted) for origin in origins):
        return Place(f"run {wanted}", "run_id", wanted)
    if any(origin.branch == wanted for origin in origins):
        return Place(f"branch {wanted}", "branch", wanted)
    if re.fullmatch(COMMIT, wanted) and any((origin.commit or "").startswith(wanted) for origin in origins):
        return Place(f"commit {wanted}", "commit", wanted)
    # A checkout in CI has other branches as origin/NAME only.
    commit = find_commit(project, wanted) or find_commit(project, f"origin/{wanted}")
    if commit is None and origins:
        branches = listing(wanted, [origin.branch for origin in origins if origin.branch], limit=MOST_LISTED)
        runs = listing(wanted, [origin.run_id for origin in origins], limit=MOST_LISTED)
        raise DeclarationError(
            f"expected last, a run, a branch or a commit to compare with, found {wanted!r}; "
            f"branches in the history: {branches}; runs: {runs}"
        )
    return Place(f"{wanted} (commit {commit[:10]})", "commit", commit) if commit else Place(wanted, "run_id", wanted)
