"""Discovery and catalogue in one step."""

from __future__ import annotations

from pathlib import Path

from pytest_training.errors import DeclarationError
from pytest_training.jobs.discovery import absolute, discover
from pytest_training.jobs.model import Dataset, Job

DEFAULT_CATALOGUE = "jobs.yaml"


def load_jobs(
    training_root: Path, project_root: Path, catalogue: Path | None = None
) -> tuple[list[Job], list[Dataset]]:
    """Return the jobs and datasets of a project; a catalogue that is named must exist."""
    jobs = discover(training_root, project_root)
    path = absolute(catalogue) if catalogue else absolute(training_root) / DEFAULT_CATALOGUE
    if not path.is_file():
        if catalogue is not None:
            raise DeclarationError(f"{catalogue}: no such catalogue: expected a YAML file like training/jobs.yaml")
        return jobs, []
    from pytest_training.jobs.catalogue import apply_catalogue, load_catalogue  # noqa: PLC0415 - spares its import

    read = load_catalogue(path, training_root=training_root, project_root=project_root)
    return apply_catalogue(jobs, read), list(read.datasets)
