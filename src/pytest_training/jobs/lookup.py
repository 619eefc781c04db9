"""The files that are jobs, and further folders and catalogues with jobs."""

import fnmatch
import os
import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from pytest_training.errors import DeclarationError

PATTERNS = ("train_*",)  # names of the files that are jobs, among those of any kind
READING = "auto"  # in place of a pattern: the files that train when they are run
MARKERS = (".git", "pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "tox.ini", "requirements.txt")
"""Names that mark the folder from which a repository's scripts are run."""


class FileFilter(Struct, frozen=True):
    """The files of a folder that are jobs."""

    include: tuple[str, ...] = PATTERNS  # globs: of names, or with a slash of paths below the folder; or READING
    exclude: tuple[str, ...] = ()  # regular expressions that must not match in the path below the folder
    limit: int | None = None  # maximum number of jobs, in the order of their paths

    @classmethod
    def of(
        cls, include: Sequence[str], exclude: Sequence[str], where: str, *, is_usual: bool, limit: int | None = None
    ) -> "FileFilter":
        """Return the filter of options: without patterns the one of a usual training folder, elsewhere READING."""
        patterns = tuple(include) or (PATTERNS if is_usual else (READING,))
        return cls(patterns, tuple(checked_pattern(pattern, where) for pattern in exclude), limit)

    @property
    def reads(self) -> bool:
        """True if files that no pattern takes are read to find those that train."""
        return READING in self.include

    def takes(self, relative: str) -> bool | None:
        """Return True if the file with this path below the folder is a job by its name, None if it is to be read."""
        if any(re.search(pattern, relative) for pattern in self.exclude):
            return False
        name = relative.rpartition("/")[2]
        included = any(fnmatch.fnmatchcase(relative if "/" in glob else name, glob) for glob in self.include)
        return included or (None if self.reads else False)


class Lookup(Struct, frozen=True):
    """Where jobs are."""

    files: FileFilter = FileFilter()  # for the further folders, or for the training folder without such
    folders: tuple[Path, ...] = ()  # further folders with jobs
    own: FileFilter = FileFilter()  # for the training folder beside such
    overrides: bool = False  # True if a job of a further folder takes the place of one with the same id
    optional: bool = False  # True if jobs of the further folders are optional
    catalogues: tuple[Path, ...] = ()  # catalogues to apply on top, in this order

    @property
    def own_files(self) -> FileFilter:
        """The files of the training folder that are jobs."""
        return self.own if self.folders else self.files


def is_usual_root(root: Path, project: Path) -> bool:
    """Return True for a project's `training` folder: there, names decide."""
    return root == project / "training"


def checked_pattern(pattern: str, where: str) -> str:
    """Return a regular expression, or raise DeclarationError if it is invalid."""
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
    """Return the folders, or raise DeclarationError if one does not exist."""
    if missing := next((folder for folder in folders if not folder.is_dir()), None):
        raise DeclarationError(f"{where}: no folder {str(missing)!r}")
    return tuple(folders)
