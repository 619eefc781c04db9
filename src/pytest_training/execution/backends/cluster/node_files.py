"""On a node that does not see the run folder: an attempt's files are unpacked, laid out, read and removed.

The folder of the Dask worker has parcels by their digests, and below `attempts/` the tree of each attempt, with a
project of its own. Dask removes that folder with the worker; after a kill, at its next start.
"""

import asyncio
import functools
import hashlib
import os
import shutil
import tarfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from pytest_training.atomic import write_atomically
from pytest_training.execution.job_files import LARGEST_JSON, Walk, lies_below, open_own
from pytest_training.execution.strays import LEFT_OUT

IDLE_S = 120.0  # files that nobody has asked for so long go: the session looks at a running attempt every 2 s
MOST_FILES = 200_000
PROJECT, PRIVATE = "project", "private"  # places in an attempt's tree
LAID = ".laid"  # what is newer is the attempt's
T = TypeVar("T")
Listed = tuple[list[tuple[str, int, str]], list[str]]
Wanted = tuple[str, int, int, str]  # name, offset, most bytes, stamp or nothing


USED: dict[str, float] = {}  # by run, when it last asked; a Dask worker calls functions, so the state is the module's


def in_thread(work: Callable[..., T]) -> Callable[..., Coroutine[Any, Any, T]]:
    """Have a Dask worker call a function, with itself as last argument, in a thread: its loop goes on meanwhile."""

    @functools.wraps(work)
    async def call(*arguments: Any, dask_worker: Any) -> T:
        return await asyncio.to_thread(work, *arguments, dask_worker)

    return call


def scratch(worker: Any, run_id: str) -> Path:
    """Return the folder of a run's files on this node."""
    return Path(worker.local_directory, f"training-{run_id}", "files")


def _enter(worker: Any, run_id: str) -> Path:
    """Return that folder; remove those of runs that were killed, for they ask no more."""
    USED[run_id] = now = time.monotonic()
    for other, used in [*USED.items()]:
        if now - used > IDLE_S and USED.pop(other, 0.0):  # one of the threads that see it
            shutil.rmtree(scratch(worker, other), ignore_errors=True)
    (home := scratch(worker, run_id)).mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


def _tree(run_id: str, key: str, worker: Any) -> Path:
    return _enter(worker, run_id) / "attempts" / key


@in_thread
def take(run_id: str, digest: str, part: tuple[int, bool], content: bytes, worker: Any) -> None:
    """Take a part of a parcel, with its offset and True for the last one; unpack the parcel after that."""
    parcels, (offset, is_last) = _enter(worker, run_id) / "parcels", part
    parcels.mkdir(exist_ok=True)
    partial, unpacked = (parcels / f"{digest}.{end}" for end in ("partial", "unpacked"))
    with partial.open("r+b" if offset else "wb") as file:
        file.seek(offset)
        file.write(content)
    if not is_last:
        return
    with partial.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != digest:
            raise ValueError(f"parcel {digest[:12]} has arrived damaged")
        file.seek(0)
        unpacked.mkdir(exist_ok=True)
        with tarfile.open(fileobj=file) as archive:
            archive.extractall(unpacked, filter="data")  # refuses links and paths that lead elsewhere
    partial.unlink()
    unpacked.rename(parcels / digest)


@in_thread
def lay(run_id: str, key: str, copied: list[str], linked: list[str], worker: Any) -> list[str]:
    """Lay out the files of an attempt; return the digests of parcels that are missing, and do nothing then."""
    tree, parcels = _tree(run_id, key, worker), _enter(worker, run_id) / "parcels"
    if missing := [digest for digest in (*copied, *linked) if not (parcels / digest).is_dir()]:
        return missing
    shutil.rmtree(tree, ignore_errors=True)
    for digests, copy in ((copied, shutil.copy2), (linked, _link)):
        for digest in digests:
            shutil.copytree(parcels / digest, tree, copy_function=copy, dirs_exist_ok=True)
    (tree / LAID).touch()
    return []


def _link(source: str, target: str) -> None:
    """Link what is large and only read."""
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        shutil.copy2(source, target)


@in_thread
def left(run_id: str, key: str, places: list[str], worker: Any) -> Listed:
    """Return name, size and stamp of each file that an attempt has made or changed, and what cannot be sent."""
    tree = _tree(run_id, key, worker)
    files, others, laid = [], [], (tree / LAID).stat().st_ctime_ns
    for place in places:
        walk = Walk(tree / place, MOST_FILES, without=LEFT_OUT)
        for relative, entry in walk:
            name, status = f"{place}/{relative}", entry.stat(follow_symlinks=False)
            is_linked_data = place == PROJECT and status.st_nlink > 1
            if status.st_ctime_ns <= laid or is_linked_data or (entry.is_symlink() and entry.is_dir()):
                continue
            if entry.is_file() and lies_below(tree, Path(entry.path)):
                status = entry.stat()
                files.append((name, status.st_size, _stamp(status)))
            else:
                others.append(name)
        others += [f"more than {MOST_FILES:,} files in {place}"] if walk.is_cut else []
    return files, others


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


@in_thread
def read(run_id: str, key: str, wanted: list[Wanted], worker: Any) -> list[bytes]:
    """Return parts of files; nothing of one that is missing, leads outside, or is not the one of that stamp."""
    tree = _tree(run_id, key, worker)
    return [_part(tree, *each) for each in wanted]


def _part(tree: Path, name: str, offset: int, most: int, stamp: str) -> bytes:
    path = Path(os.path.realpath(tree / name))
    try:
        if not path.is_relative_to(os.path.realpath(tree)):
            return b""
        with open_own(path) as file:
            if stamp and _stamp(os.fstat(file.fileno())) != stamp:
                return b""
            file.seek(offset)
            return file.read(min(most, LARGEST_JSON))
    except OSError:
        return b""


@in_thread
def write(run_id: str, key: str, name: str, content: bytes, worker: Any) -> None:
    """Write a small file into an attempt's tree."""
    tree = _tree(run_id, key, worker)
    if (tree / name).parent.is_dir() and ".." not in Path(name).parts:
        write_atomically(tree / name, content, below=tree)


@in_thread
def drop(run_id: str, key: str, digest: str, worker: Any) -> None:
    """Remove the files of an attempt, and the parcel that was its own."""
    for path in (_tree(run_id, key, worker), _enter(worker, run_id) / "parcels" / digest):
        shutil.rmtree(path, ignore_errors=True)
