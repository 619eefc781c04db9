"""Where jobs are searched for beside the training folder, and which files are jobs."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_training.errors import DeclarationError

PATTERNS = ("train_*",)
"""Of the files that a kind of job looks at."""
MARKERS = (".git", "pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "tox.ini", "requirements.txt")
"""What lies in the folder from which a repository's scripts are run."""


@dataclass(frozen=True)
class FileFilter:
    """Which files of a folder are jobs."""

    include: tuple[str, ...] = PATTERNS
    """Globs: of the file's name, or, with a slash, of its path below the folder."""
    exclude: tuple[str, ...] = ()
    """Regular expressions, looked for in the path below the folder."""
    limit: int | None = None
    """At most so many jobs, in the order of their paths."""

    def takes(self, relative: str) -> bool:
        """Whether the file with this path below the folder is a job."""
        name = relative.rpartition("/")[2]
        included = any(fnmatch.fnmatchcase(relative if "/" in glob else name, glob) for glob in self.include)
        return included and not any(re.search(pattern, relative) for pattern in self.exclude)


@dataclass(frozen=True)
class Search:
    """What is asked for about finding jobs."""

    files: FileFilter = FileFilter()
    """For the further folders, or for the training folder where there is no further one."""
    folders: tuple[Path, ...] = ()
    """Further folders with jobs."""
    overrides: bool = False
    """Whether a job of a further folder takes the place of one with the same id."""
    optional: bool = False
    """Whether jobs of the further folders are optional."""
    catalogues: tuple[Path, ...] = ()
    """Catalogues to apply on top, in this order."""

    @property
    def own_files(self) -> FileFilter:
        """Which files of the training folder are jobs."""
        return FileFilter() if self.folders else self.files


def checked_pattern(pattern: str, where: str) -> str:
    """Return a regular expression, or raise an error that says why it is none."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise DeclarationError(f"{where}: expected a regular expression, found {pattern!r}: {error}") from None
    return pattern


def project_of(folder: Path, project: Path, *, has_settings: bool = True) -> Path:
    """Return the folder from which the jobs below a folder are run: the nearest one above that looks like a project.

    `project` is where the user is; `has_settings` says that it is a project of its own.
    """
    folder, project = Path(os.path.abspath(folder)), Path(os.path.abspath(project))  # noqa: PTH100  (keeps links)
    for candidate in (folder, *folder.parents):
        if candidate == project:
            return project if has_settings or _is_marked(project) else folder
        if _is_marked(candidate):
            return candidate
    return folder


def _is_marked(folder: Path) -> bool:
    return any((folder / marker).exists() for marker in MARKERS)


def checked_folders(folders: Sequence[Path], where: str) -> tuple[Path, ...]:
    """Return the folders, or raise an error about one that does not exist."""
    for folder in folders:
        if not folder.is_dir():
            raise DeclarationError(f"{where}: no folder {str(folder)!r}")
    return tuple(folders)
