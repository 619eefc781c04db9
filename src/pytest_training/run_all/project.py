"""The project as its settings describe it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from pytest_training.settings_files import find_settings

TEST = "test_training_jobs.py"


@dataclass(frozen=True)
class Project:
    """A folder with trainings."""

    root: Path
    settings_file: Path | None
    training_root: Path
    catalogue: Path | None
    reports: Path
    options: tuple[str, ...] = ()
    """What `addopts` adds to every command line of pytest."""

    @property
    def test(self) -> Path | None:
        """The project's own test; None where the plugin's has to do."""
        path = self.root / TEST
        return path if path.is_file() else None


def read_project(root: Path) -> Project:
    """Read the project in this folder."""
    file, settings = find_settings(root)
    catalogue = settings.get("training_catalogue", "").strip()
    return Project(
        root=root,
        settings_file=file,
        training_root=root / (settings.get("training_root", "").strip() or "training"),
        catalogue=root / catalogue if catalogue else None,
        reports=root / (settings.get("training_reports", "").strip() or "reports"),
        options=tuple(shlex.split(settings.get("addopts", ""))),
    )
