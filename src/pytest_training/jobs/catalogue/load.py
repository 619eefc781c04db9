"""`jobs.yaml`: adds to, or overrides, the discovered jobs. Read and validated here, applied in `merging`."""

from __future__ import annotations

from pathlib import Path

from pytest_training.jobs.catalogue.datasets import read_dataset
from pytest_training.jobs.catalogue.declarations import Catalogue, read_defaults, read_jobs
from pytest_training.jobs.catalogue.document import Entry, read_file
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
    data = entries.get("data", Entry(file)).mapping()
    return Catalogue(
        file=file,
        folder=path.parent,
        training_root=training_root,
        project_root=project_root,
        jobs=read_jobs(entries.get("jobs", Entry(file)), limits),
        defaults=read_defaults(entries.get("defaults", Entry(file)), limits),
        datasets=tuple(read_dataset(name, entry, path.parent) for name, entry in data.items()),
    )
