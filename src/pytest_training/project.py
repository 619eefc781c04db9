"""The user's project as its settings describe it, read without pytest."""

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
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def test(self) -> Path | None:
        """The project's own test, or None if the plugin's is used."""
        path = self.root / TEST
        return path if path.is_file() else None


def find_project(here: Path) -> Project:
    """Return the project that pytest would find from this folder: by its settings, else by another mark of a root."""
    folders = (here, *here.parents)
    marked = (folder for name in ("pyproject.toml", "setup.py") for folder in folders if (folder / name).is_file())
    with_settings = (folder for folder in folders if find_settings(folder)[0])
    return read_project(next(with_settings, None) or next(marked, here))


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
        include=tuple(shlex.split(settings.get("training_include", ""))),
        exclude=tuple(shlex.split(settings.get("training_exclude", ""))),
    )
