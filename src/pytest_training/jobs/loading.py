"""Discovery and catalogue in one step."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.jobs.gathering import gather
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.model import Dataset, Job, Value
from pytest_training.jobs.search import Search
from pytest_training.wording import printable

LONGEST_ID = 200
"""Bytes of one part of an id: file systems end at 255, and temporary names add some."""

_OWN_NAMES = re.compile(r"attempt-[0-9]+|checkpoint|outcome\.json")
"""What a job's folder in the run folder holds."""


def load_jobs(
    training_root: Path,
    project_root: Path,
    catalogue: Path | None = None,
    search: Search | None = None,
    kinds: Kinds = KINDS,
) -> tuple[list[Job], list[Dataset]]:
    """Return the jobs and datasets of a project; a catalogue that is named must exist."""
    jobs, datasets = gather(training_root, project_root, catalogue, search or Search(), kinds)
    _check_text(jobs, datasets)
    _check_ids(jobs)
    return jobs, datasets


def _check_ids(jobs: list[Job]) -> None:
    """Raise an error for an id that cannot name a folder of its own in the run folder."""
    ids = {job.id for job in jobs}
    for job in jobs:
        parts = job.id.split("/")
        if any(len(part.encode()) > LONGEST_ID for part in parts):
            found = printable(job.id, 60)
            raise DeclarationError(
                f"{job.source}: expected an id of at most {LONGEST_ID} bytes between slashes, found {found}"
            )
        for index in range(1, len(parts)):
            if "/".join(parts[:index]) in ids and _OWN_NAMES.fullmatch(parts[index]):
                above = "/".join(parts[:index])
                raise DeclarationError(f"{job.source}: the id {job.id!r} would be a folder inside that of {above!r}")


def _check_text(jobs: list[Job], datasets: list[Dataset]) -> None:
    """Raise an error for the first that holds what no file in UTF-8 can: plan, outcomes and reports are such files."""
    places: list[tuple[Value, str]] = [(job, job.source) for job in jobs]
    for each, place in (*places, *((dataset, dataset.declared) for dataset in datasets)):
        try:
            msgspec.json.encode(each)
        except UnicodeEncodeError as error:
            raise DeclarationError(
                f"{printable(place)}: expected names, texts and paths that UTF-8 can hold, "
                f"found {error.object[error.start : error.end]!a} in {printable(error.object, 200)}"
            ) from None
