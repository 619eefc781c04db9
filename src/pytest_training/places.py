"""Folders of ours in which jobs write too: entered through no link, and made anew if something else took their place.

A job may replace any name in a run by a link, a pipe or a file, and may take permissions away. What stands in our way
is renamed, never followed and never deleted.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

TRIES = 5  # a hostile process may put a new link there each time
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
ENTER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | NO_FOLLOW
NO_WAIT = getattr(os, "O_NONBLOCK", 0)
HAS_DESCRIPTORS = {os.open, os.mkdir, os.rename, os.unlink} <= os.supports_dir_fd
ALL_RIGHTS = 0o700
TAKEN = {errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST}  # the name is taken by a folder, or by none


def appending(path: Path) -> BinaryIO:
    """Open a file to add to it at once, unless it is a link or a pipe without a reader."""
    return open(path, "ab", buffering=0, opener=lambda at, flags: os.open(at, flags | NO_FOLLOW | NO_WAIT, 0o666))


def open_plain(path: Path) -> BinaryIO:
    """Open a file to read it; raise OSError if it is missing or no plain file, such as a pipe without a writer."""
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_FOLLOW | NO_WAIT)
    except ValueError:  # a NUL in the name
        raise FileNotFoundError(f"{str(path)!r} is no file") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(f"{path} is no file")
    return os.fdopen(descriptor, "rb")


class Place(Struct, frozen=True):
    """A folder; each operation takes the name of an entry."""

    path: Path
    descriptor: int | None = None  # of the folder itself, whatever its path leads to by now; None to go by the path

    def _at(self, name: str) -> str:
        return name if self.descriptor is not None else str(self.path / name)

    def _mode(self, name: str) -> int:
        with contextlib.suppress(FileNotFoundError):
            return os.stat(self._at(name), dir_fd=self.descriptor, follow_symlinks=False).st_mode
        return 0

    def open_new(self, name: str, flags: int) -> int:
        """Open a file that must be new, as the `opener` of `open(…, "xb")`."""
        return os.open(self._at(name), flags | NO_FOLLOW, 0o666, dir_fd=self.descriptor)

    def make(self, name: str) -> None:
        """Make a folder that must be new; what is there and is no folder is moved aside."""
        try:
            os.mkdir(self._at(name), dir_fd=self.descriptor)
        except FileExistsError:
            if stat.S_ISDIR(self._mode(name)):
                raise
            self.move_aside(name)
            os.mkdir(self._at(name), dir_fd=self.descriptor)

    def settle(self, name: str) -> None:
        """Make sure that a name is a folder of ours or a link, which may lead to another disk."""
        if self.descriptor is not None and not stat.S_ISLNK(self._mode(name)):
            below = _enter(self.descriptor, name)
            _allow(below)
            os.close(below)

    def replace(self, source: str, target: str) -> None:
        """Rename an entry; the entry that has the new name is replaced, or moved aside if it is a folder in a run."""
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
    """Enter a folder, made if it is missing; its path may have links down to `below` alone, or anywhere without it."""
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
        descriptor = os.open(below, ENTER & ~NO_FOLLOW)
    except OSError:
        try:
            below.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            taken = "something else has taken the place of a folder"
            raise NotADirectoryError(errno.ENOTDIR, taken, error.filename) from None
        descriptor = os.open(below, ENTER & ~NO_FOLLOW)
    relative = str(path)[len(str(below)) + 1 :]  # pathlib's own way costs more than to open the folders
    for name in filter(None, relative.split("/")):
        above = descriptor
        try:
            descriptor = _enter(above, name)
        except OSError as error:
            error.filename = str(path)
            raise
        finally:
            os.close(above)
    _allow(descriptor)
    return descriptor


def _enter(above: int, name: str) -> int:
    """Return the descriptor of a folder in another one."""
    for _ in range(TRIES):
        try:
            return os.open(name, ENTER, dir_fd=above)
        except OSError as error:
            _allow(above)
            if isinstance(error, FileNotFoundError):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=above)
            elif error.errno in {errno.ENOTDIR, errno.ELOOP}:
                Place(Path(), above).move_aside(name)
            elif not isinstance(error, PermissionError):
                raise
    raise FileExistsError(errno.EEXIST, "another program takes the place of a folder again and again", name)


def _allow(descriptor: int) -> None:
    """Give this user all rights in a folder of its own: a job may have taken them away."""
    mode = os.fstat(descriptor).st_mode
    if mode & ALL_RIGHTS != ALL_RIGHTS:
        with contextlib.suppress(OSError):  # of somebody else; then the next step says so
            opened = f"/proc/self/fd/{descriptor}" if hasattr(os, "O_PATH") else descriptor
            os.chmod(opened, mode & 0o7777 | ALL_RIGHTS)  # noqa: PTH101  (the folder itself, by its descriptor)
