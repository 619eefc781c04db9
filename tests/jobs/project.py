"""A project in a temporary folder, and the jobs that are read from it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_training.errors import DeclarationError
from pytest_training.jobs.discovery import discover
from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.model import Dataset, Job


class Project:
    """A folder with `training/` in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.training = root / "training"
        self.training.mkdir()

    def write(self, name: str, text: str = "") -> Path:
        """Write a file below the root, its text dedented."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def job(self, text: str, name: str = "x") -> Job:
        """Return the job that is read from a file `training/train_<name>.py` with this text."""
        self.write(f"training/train_{name}.py", text)
        return self.jobs()[name]

    def function(self, name: str, parameters: str = "") -> None:
        """Write a function job with these keyword-only parameters."""
        self.write(f"training/train_{name}.py", f"def train(run, *, {parameters or 'unused=0'}):\n    pass\n")

    def discovered(self) -> list[Job]:
        """Return what discovery finds."""
        return discover(self.training, self.root)

    def jobs(self) -> dict[str, Job]:
        """Return the jobs after the catalogue, by id."""
        return {job.id: job for job in self.load()[0]}

    def load(self, catalogue: str | None = None) -> tuple[list[Job], list[Dataset]]:
        """Return jobs and datasets, with this text as `training/jobs.yaml`."""
        if catalogue is not None:
            self.write("training/jobs.yaml", catalogue)
        return load_jobs(self.training, self.root)

    def mistake(self, catalogue: str | None = None) -> str:
        """Return the message of the error that loading raises."""
        return message(lambda: self.load(catalogue))


def message(action: Callable[[], object]) -> str:
    """Return the message of the DeclarationError that the action raises."""
    with pytest.raises(DeclarationError) as caught:
        action()
    return str(caught.value)
