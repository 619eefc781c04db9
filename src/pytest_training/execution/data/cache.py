"""The user's cache of fetched and simulated data: its folder, hashes of its files, a lock for writing."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from pytest_training.errors import DataError


def default_cache() -> Path:
    """Return the user's cache folder; it need not exist."""
    import platformdirs  # noqa: PLC0415  (only for data that are fetched or made)

    return platformdirs.user_cache_path("pytest-training")


def sha256_of(path: Path) -> str:
    """Hash a file's content in a stream, or a folder's listing.

    The listing has one line `<sha256>  <path>` per file, sorted by path: what `sha256sum` prints.
    """
    if path.is_dir():
        names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        listing = "".join(f"{sha256_of(path / name)}  {name}\n" for name in names)
        return hashlib.sha256(listing.encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the lock on `path`; the operating system frees it if its holder dies."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(f"{path.name}.lock").open("a")
    except OSError as error:
        raise DataError(
            f"cannot write to the cache folder {path.parent} ({error}). Make it writable or set XDG_CACHE_HOME."
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove(path: Path) -> None:
    """Delete a file or a folder, if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
