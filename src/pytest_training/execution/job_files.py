"""Files that a job wrote, read with suspicion: through no link, without waiting, of a large one only the end."""

import os
import stat
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from pytest_training.errors import ResultError
from pytest_training.execution.attempt.messages import Failure
from pytest_training.jobs.model import UNDECODABLE
from pytest_training.text import clean_line
from pytest_training.wording import in_utf8

T = TypeVar("T")

LARGEST_RESULT = 16 * 2**20
END_BYTES = 64 * 1024
TAIL_LINES = 20
NOT_THE_JOBS = (f'File "{Path(__file__).resolve().parents[1]}', 'File "<frozen runpy>"')
"""Frames that faulthandler shows of a crash, below those of the job."""


def open_own(path: Path) -> BinaryIO:
    """Open a file below a job's folder; raise OSError if it is missing or no plain file.

    A job could put a link there to any file of the user's, or a pipe without a writer.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except ValueError:  # a NUL in the name
        raise FileNotFoundError(f"{str(path)!r} is no file") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(f"{path} is no file")
    return os.fdopen(descriptor, "rb")


def read_json(path: Path, kind: type[T]) -> T | None:
    """Return the value in a file, or None if it is missing or holds something else."""
    try:
        with open_own(path) as file:
            return msgspec.json.decode(file.read(), type=kind)
    except (OSError, *UNDECODABLE):
        return None


def read_small(path: Path) -> bytes | None:
    """Return the content of a file, or None if it is missing; raise ResultError if it is too large for metrics."""
    try:
        with open_own(path) as file:
            content = file.read(LARGEST_RESULT + 1)
    except OSError:
        return None
    if len(content) > LARGEST_RESULT:
        raise ResultError(f"{path.name} is larger than {LARGEST_RESULT // 2**20} MiB; expected metrics only")
    return content


def artifacts(folder: Path) -> tuple[str, ...]:
    """Return the files below a job's folder, relative to it; a link to a file elsewhere is ignored."""
    paths: list[str] = []
    for path, _, names in () if folder.is_symlink() else os.walk(folder):
        files = [file for name in names if lies_below(folder, file := Path(path, name)) and file.is_file()]
        paths += [in_utf8(os.path.relpath(file, folder)) for file in files]
    return tuple(sorted(paths))


def lies_below(folder: Path, path: Path) -> bool:
    """Return True if a path, links followed, is below the folder."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def log_tail(path: Path, *, without: Failure | None = None) -> tuple[str, ...]:
    """Return the last lines of a log without the traceback at its end and the plugin's own frames."""
    lines = _end(path)[0].splitlines()
    traceback = (without.traceback or "").splitlines() if without else []
    if traceback and lines[-len(traceback) :] == traceback:  # it is shown beside the log
        del lines[-len(traceback) :]
    lines = [line for line in lines if not line.lstrip().startswith(NOT_THE_JOBS)]
    return tuple(lines[-TAIL_LINES:])


def log_end(path: Path, count: int, *, line_limit: int = 300) -> list[str]:
    """Return the last lines of a log, cleaned; a first line stands for any before them."""
    text, is_cut = _end(path)
    lines = text.split("\n")
    if not lines[-1].strip():
        lines.pop()
    end = [clean_line(line, line_limit) for line in lines[-count:]]
    return ["… the log has more before this …", *end] if is_cut or len(lines) > count else end


def _end(path: Path) -> tuple[str, bool]:
    """Return the end of a file as text, and whether it has more before that."""
    try:
        with open_own(path) as file:
            begin = max(0, file.seek(0, os.SEEK_END) - END_BYTES)
            file.seek(begin)
            return file.read(END_BYTES).decode("utf-8", "replace"), begin > 0
    except OSError:
        return "", False
