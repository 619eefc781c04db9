"""`jobs.yaml`: adds to, or overrides, what discovery found. Read and validated here, applied in `merging`."""

from __future__ import annotations

from pathlib import Path

from pytest_training.jobs.catalogue.datasets import read_dataset
from pytest_training.jobs.catalogue.declarations import (
    Catalogue,
    Declaration,
    defaults_keys,
    empty_declaration,
    job_keys,
    read_declaration,
)
from pytest_training.jobs.catalogue.document import Entry, read_file
from pytest_training.jobs.catalogue.job_list import read_job_list
from pytest_training.jobs.catalogue.merging import apply_catalogue
from pytest_training.jobs.discovery import absolute
from pytest_training.limits import LIMITS, Limits
from pytest_training.wording import label

__all__ = ["Catalogue", "apply_catalogue", "load_catalogue"]


def load_catalogue(
    path: Path, *, training_root: Path | None = None, project_root: Path | None = None, limits: Limits = LIMITS
) -> Catalogue:
    """Read and validate a catalogue; without roots, its folder is the training root."""
    path = absolute(path)
    training_root = absolute(training_root or path.parent)
    project_root = absolute(project_root or training_root.parent)
    file = label(path, project_root)
    entries = read_file(path, file).mapping(allowed=("defaults", "jobs", "data"))
    jobs = _declarations(entries["jobs"], limits) if "jobs" in entries else {}
    data = entries["data"].mapping() if "data" in entries else {}
    defaults = entries.get("defaults")
    return Catalogue(
        file=file,
        folder=path.parent,
        training_root=training_root,
        project_root=project_root,
        defaults=read_declaration(defaults, defaults_keys(limits), limits) if defaults else empty_declaration(file),
        jobs=jobs,
        datasets=tuple(read_dataset(name, entry, path.parent) for name, entry in data.items()),
    )


def _declarations(entry: Entry, limits: Limits) -> dict[str, Declaration]:
    if isinstance(entry.value, list):
        return read_job_list(entry)
    keys = job_keys(limits)
    return {job_id: read_declaration(below, keys, limits) for job_id, below in entry.mapping().items()}
