"""Files that a job wrote, read with suspicion: through no link, without waiting, of a large one only the end."""

import contextlib
import os
from collections.abc import Collection, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from pytest_training import atomic, errors, places, text, wording
from pytest_training.execution.attempt.messages import Failure
from pytest_training.execution.folder import JobFolder
from pytest_training.jobs.model import UNDECODABLE

T = TypeVar("T")
LARGEST_JSON = 64 * 2**20
FIRST_PART = 2**16  # most files are smaller: Python makes room for as much as it is asked to read
LARGEST_RESULT = 16 * 2**20
FIRST_BYTES, END_BYTES = 2**16, 2**22  # what is read of a log's end: at first, and at most if that has too few lines
CHUNK = 2**20
MOST_ENTRIES = 10_000  # files and folders of a job that are listed
TAIL_LINES = 20
TRACEBACK_LINES = 80  # of a traceback in them all: its first frames are the job's own
NOT_THE_JOBS = (f'File "{Path(__file__).resolve().parents[1]}', 'File "<frozen runpy>"')
"""Frames that faulthandler shows of a crash, below those of the job."""


open_own = places.open_plain  # a job could put a link there to any file of the user's, or a pipe without a writer


def read_json(path: Path, kind: type[T]) -> T | None:
    """Return the value in a file, or None if it is missing, larger than any of ours, or holds something else."""
    try:
        with open_own(path) as file:
            content = file.read(LARGEST_JSON + 1)
            return msgspec.json.decode(content, type=kind) if len(content) <= LARGEST_JSON else None
    except (OSError, *UNDECODABLE):
        return None


def read_small(path: Path) -> bytes | None:
    """Return the content of a file, or None if it is missing; raise ResultError if it is too large for metrics."""
    try:
        with open_own(path) as file:
            content = file.read(FIRST_PART)
            content += file.read(LARGEST_RESULT + 1 - FIRST_PART) if len(content) == FIRST_PART else b""
    except OSError:
        return None
    if len(content) > LARGEST_RESULT:
        raise errors.ResultError(f"{path.name} is larger than {LARGEST_RESULT // 2**20} MiB; expected metrics only")
    return content


class Walk(msgspec.Struct):
    """The files below a folder, each with its relative path: through no link, however deep, at most so many."""

    folder: Path
    most: int = MOST_ENTRIES
    seen: int = 0
    unreadable: int = 0  # folders that could not be listed
    without: Collection[str] = ()  # names and paths of folders that are left out

    def __iter__(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Yield whatever is no folder."""
        folders = [] if self.folder.is_symlink() else [""]
        while folders:
            above = folders.pop()
            for entry in self._listed(above):
                relative = os.path.join(above, entry.name)  # noqa: PTH118  (thousands of times)
                if entry.is_dir(follow_symlinks=False):
                    folders += [relative] if not {entry.name, entry.path} & {*self.without} else []
                else:
                    yield relative, entry

    @property
    def is_cut(self) -> bool:
        """True if there is more than was listed."""
        return self.seen > self.most

    def _listed(self, relative: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(os.path.join(self.folder, relative)) as entries:  # noqa: PTH118  (as above)
                listed = list(islice(entries, max(0, self.most - self.seen + 1)))
        except FileNotFoundError:
            return []
        except OSError:
            self.unreadable += 1
            return []
        self.seen += len(listed)
        return listed[: len(listed) - self.is_cut]


def artifacts(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the files below a job's folder, relative to it, and remarks; a link to a file elsewhere is ignored."""
    walk = Walk(folder)
    paths = [wording.in_utf8(relative) for relative, entry in walk if _is_own_file(folder, entry)]
    notes: tuple[str, ...] = (f"only {walk.most} of its artifacts are listed",) if walk.is_cut else ()
    notes += (f"artifacts in {walk.unreadable} folder(s) cannot be listed",) if walk.unreadable else ()
    return tuple(sorted(paths)), notes


def _is_own_file(folder: Path, entry: os.DirEntry[str]) -> bool:
    if entry.is_symlink():
        return lies_below(folder, Path(entry.path)) and Path(entry.path).is_file()
    return entry.is_file(follow_symlinks=False)


def copy_files(source: Path, target: Path, *, below: Path | None) -> tuple[str, ...]:
    """Copy the regular files of a folder to a new one, which appears when it is whole; return remarks."""
    files, left_out = Walk(source), 0
    partly = target.with_name(f".{target.name}.{os.urandom(4).hex()}.partial")
    with places.entered(partly, below):  # without files it is empty
        pass
    for relative, entry in files:
        try:
            opened = open_own(Path(entry.path))
        except OSError:
            left_out += 1
            continue
        with opened as file:
            atomic.write_pieces(partly / relative, iter(partial(file.read, CHUNK), b""), below=below)
    with places.entered(target.parent, below) as place:
        place.replace(partly.name, target.name)
    left_out += files.unreadable + files.is_cut
    notes = (f"{left_out} link(s) or pipe(s) in its {target.name} were not copied from the resumed run",)
    return notes if left_out else ()


def renew_checkpoint(checkpoint: Path, below: Path | None) -> None:
    """Copy a job's checkpoint to a new folder for its next attempts: one that was given up may still write to this."""
    newer = JobFolder(checkpoint.parent).newer_checkpoint
    with contextlib.suppress(OSError):  # without a copy they begin anew, in that folder
        copy_files(checkpoint, newer, below=below)
    with places.entered(newer, below):
        pass


def lies_below(folder: Path, path: Path) -> bool:
    """Return True if a path, links followed, is below the folder."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def log_tail(path: Path, *, without: Failure | None = None) -> tuple[str, ...]:
    """Return the last lines of a log, a traceback among them whole, without the one to leave out and our own frames."""
    traceback = text.final_lines((without.traceback or "").rstrip("\n")) if without else [""]
    lines, _ = _last_lines(path, TRACEBACK_LINES + len(traceback))
    first = lines[-len(traceback)] if len(traceback) <= len(lines) else ""
    if any(traceback) and first.endswith(traceback[0]) and lines[len(lines) - len(traceback) + 1 :] == traceback[1:]:
        lines[-len(traceback) :] = filter(None, [first.removesuffix(traceback[0])])  # it is shown beside the log
    lines = [line for line in lines if not line.lstrip().startswith(NOT_THE_JOBS)][-TRACEBACK_LINES:]
    begin = next((number for number, line in enumerate(lines) if line.startswith("Traceback (most ")), len(lines))
    return tuple(lines[min(begin, max(0, len(lines) - TAIL_LINES)) :])


def log_end(path: Path, count: int, *, line_limit: int = 300) -> list[str]:
    """Return the last lines of a log, cleaned; a first line stands for any before them."""
    lines, is_cut = _last_lines(path, count)
    end = [text.clean_line(line, line_limit) for line in lines[-count:]]
    return ["… the log has more before this …", *end] if is_cut or len(lines) > count else end


def _last_lines(path: Path, count: int) -> tuple[list[str], bool]:
    """Return at least so many last lines, and whether the log has more; a line may have many states of a bar."""
    size = FIRST_BYTES
    with contextlib.suppress(OSError), open_own(path) as file:
        length = file.seek(0, os.SEEK_END)
        while True:
            file.seek(max(0, length - size))
            lines = text.final_lines(file.read(size).decode("utf-8", "replace"))
            if length <= size or len(lines) > count or size >= END_BYTES:
                return lines[: len(lines) - (not lines[-1].strip())], length > size
            size *= 8
    return [], False
