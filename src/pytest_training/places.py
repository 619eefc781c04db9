"""Folders of ours in which jobs write too: entered through no link, and made anew if something else took their place.

A job may replace any name in a run by a link, a pipe or a file, and may take permissions away. What stands in our way
is renamed, never followed and never deleted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

TRIES = 5
"""A hostile process may put a new link there each time."""
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
ENTER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | NO_FOLLOW
HAS_DESCRIPTORS = {os.open, os.mkdir, os.rename, os.unlink} <= os.supports_dir_fd
ALL_RIGHTS = 0o700
TAKEN = {errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST}
"""Errors of a name that a folder has, or a file in place of a folder."""


def appending(path: Path) -> BinaryIO:
    """Open a file to add to it at once, unless it is a link."""
    return open(path, "ab", buffering=0, opener=_without_link)


def _without_link(path: str, flags: int) -> int:
    return os.open(path, flags | NO_FOLLOW, 0o666)


@dataclass(frozen=True)
class Place:
    """A folder; each operation takes the name of an entry."""

    path: Path
    descriptor: int | None = None
    """Of the folder itself, whatever its path leads to by now; None to go by the path."""

    def _at(self, name: str) -> str:
        return name if self.descriptor is not None else str(self.path / name)

    def open_new(self, name: str, flags: int) -> int:
        """Open a file that must be new, as the `opener` of `open(…, "xb")`."""
        return os.open(self._at(name), flags | NO_FOLLOW, 0o666, dir_fd=self.descriptor)

    def make(self, name: str) -> None:
        """Make a folder that must be new; what is there and is no folder is moved aside."""
        try:
            os.mkdir(self._at(name), dir_fd=self.descriptor)
        except FileExistsError:
            if _is_folder(self._at(name), self.descriptor):
                raise
            self.move_aside(name)
            os.mkdir(self._at(name), dir_fd=self.descriptor)

    def replace(self, source: str, target: str) -> None:
        """Give an entry another name, in place of what has it; in a run a folder that has it is moved aside."""
        try:
            self._rename(source, target)
        except OSError as error:
            if self.descriptor is None or error.errno not in TAKEN:
                raise
            self.move_aside(target)
            self._rename(source, target)

    def move_aside(self, name: str) -> None:
        """Give an entry a name that nothing has."""
        self._rename(name, f".{name[:200]}.{os.urandom(4).hex()}.moved")

    def remove(self, name: str) -> None:
        """Remove a file."""
        os.unlink(self._at(name), dir_fd=self.descriptor)

    def _rename(self, source: str, target: str) -> None:
        os.replace(self._at(source), self._at(target), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)


@contextlib.contextmanager
def entered(path: Path, below: Path | None = None) -> Iterator[Place]:
    """Enter a folder, which is made if it is missing; `below` is the last folder above it that may be a link.

    Without `below` the path is taken as it is.
    """
    if below is None or not HAS_DESCRIPTORS:
        if not path.is_dir():  # cheaper than an mkdir that fails, and done several times a job
            path.mkdir(parents=True, exist_ok=True)
        yield Place(path)
        return
    descriptor = _enter_all(path, below)
    try:
        yield Place(path, descriptor)
    finally:
        os.close(descriptor)


def _enter_all(path: Path, below: Path) -> int:
    try:
        if not below.is_dir():
            below.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(
            errno.ENOTDIR, "something else has taken the place of a folder", error.filename
        ) from None
    descriptor = os.open(below, ENTER & ~NO_FOLLOW)
    for name in path.relative_to(below).parts:
        try:
            above, descriptor = descriptor, _enter(Place(path, descriptor), name)
        except OSError as error:
            error.filename = str(path)
            above = descriptor
            raise
        finally:
            os.close(above)
    return descriptor


def _enter(above: Place, name: str) -> int:
    for _ in range(TRIES):
        try:
            descriptor = os.open(name, ENTER, dir_fd=above.descriptor)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=above.descriptor)
        except OSError as error:
            if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
                raise
            above.move_aside(name)
        else:
            _allow(descriptor)
            return descriptor
    raise FileExistsError(errno.EEXIST, "another program takes the place of a folder again and again", name)


def _allow(descriptor: int) -> None:
    """Give this user all rights in a folder of its own: a job may have taken them away."""
    mode = os.fstat(descriptor).st_mode
    if mode & ALL_RIGHTS != ALL_RIGHTS:
        with contextlib.suppress(OSError):  # of somebody else; then the next step says so
            opened = f"/proc/self/fd/{descriptor}" if hasattr(os, "O_PATH") else descriptor
            os.chmod(opened, mode & 0o7777 | ALL_RIGHTS)  # noqa: PTH101  (the folder itself, by its descriptor)


def _is_folder(name: str, descriptor: int | None) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode)
