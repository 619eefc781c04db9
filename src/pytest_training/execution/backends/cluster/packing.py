"""Parcels: files in one archive without a name on disk, which is sent once to a node, whatever needs it there."""

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from pytest_training.errors import DeclarationError
from pytest_training.execution.backends.cluster.node_files import PROJECT
from pytest_training.execution.job_files import Walk, lies_below, open_own
from pytest_training.execution.strays import LEFT_OUT
from pytest_training.git import ask_git
from pytest_training.jobs.model import Dataset
from pytest_training.wording import listing

CHUNK = 4 * 2**20  # bytes that cross at a time
MIB = 2**20
LARGEST_FILE, MOST_OF_PROJECT = 32 * MIB, 256 * MIB  # of a project; what is larger is data, and declared as such
MOST_BYTES, MOST_FILES = 2**31, 200_000  # of a parcel


class Parcel(Struct, frozen=True, eq=False):
    """An archive; its entries are named by their place below an attempt's folder on the node."""

    digest: str
    file: BinaryIO
    size: int
    names: frozenset[str]
    left_out: Mapping[str, str]  # entries that did not fit, or cannot be read, with the reason

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """Yield the archive in parts with their offsets; several threads may send it at once."""
        for offset in range(0, self.size, CHUNK):
            yield offset, os.pread(self.file.fileno(), CHUNK, offset)


def pack(
    entries: Mapping[str, Path],
    *,
    folders: Iterable[str] = (),
    below: Path | None = None,
    largest: int = MOST_BYTES,
    most: int = MOST_BYTES,
) -> Parcel:
    """Pack files, also those that links lead to, if below a folder; the largest are left out of too many bytes."""
    file, names, left_out, total = tempfile.TemporaryFile(), set[str](), dict[str, str](), 0  # noqa: SIM115  (the parcel's)
    with tarfile.open(fileobj=file, mode="w", dereference=True) as archive:
        for folder in folders:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, path in sorted(entries.items(), key=lambda each: (_size(each[1]), each[0])):
            if below and not lies_below(below, path):
                left_out[name] = "a link that leads elsewhere"
                continue
            try:
                opened = open_own(Path(os.path.realpath(path)))
            except OSError as error:
                left_out[name] = error.strerror or "no file"
                continue
            with opened:
                entry = archive.gettarinfo(arcname=name, fileobj=opened)
                if entry.size > largest or total + entry.size > most:
                    left_out[name] = f"{entry.size / MIB:,.0f} MiB"
                    continue
                archive.addfile(entry, opened)
            total += entry.size
            names.add(name)
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Parcel(digest, file, os.fstat(file.fileno()).st_size, frozenset(names), left_out)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def project_files(root: Path, reports: Path) -> dict[str, Path]:
    """Return the project's files by their place: what git does not ignore, without git all but usual folders."""
    listed = ask_git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", timeout_s=30)
    names = list(filter(None, (listed or "").split("\0")))
    if not names:
        without = (*LEFT_OUT, ".mypy_cache", ".ruff_cache", ".tox", ".nox", str(reports))
        names = [name for name, _ in Walk(root, MOST_FILES, without=without)]
    paths = {name: root / name for name in names}
    return {
        f"{PROJECT}/{name}": path
        for name, path in paths.items()
        if not path.is_relative_to(reports) and os.path.lexists(path)
    }


def in_project(name: str) -> str:
    """Return the name of an entry as the user knows it."""
    return name.removeprefix(f"{PROJECT}/")


def data_files(dataset: Dataset) -> list[Path]:
    """Return the files of a dataset on this machine."""
    if dataset.path is None:
        return []
    path = data_path(dataset)
    return [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]


def data_path(dataset: Dataset) -> Path:
    """Return the normal absolute path of a dataset that is a file or folder."""
    path = os.path.join(dataset.home, os.path.expanduser(dataset.path or ""))  # noqa: PTH111, PTH118  (see `obtain`)
    return Path(os.path.abspath(path))  # noqa: PTH100  (links stay)


def expect_whole(parcel: Parcel, what: str) -> Parcel:
    """Return the parcel; raise DeclarationError if a part of what a job cannot do without was left out."""
    if parcel.left_out:
        names = [f"{in_project(name)} ({reason})" for name, reason in parcel.left_out.items()]
        raise DeclarationError(
            f"{what}: cannot send {listing('', names, limit=3)} to a node without shared files: at most "
            f"{MOST_BYTES // MIB:,} MiB travel. Put the files into a folder that every node shares."
        )
    return parcel
