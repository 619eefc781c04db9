"""Finds `train_*` files below a folder and has the kinds of job read them; never imports a job."""

import os
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pytest_training.errors import FROM_OTHERS, DeclarationError
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import File, Kind, Kinds
from pytest_training.jobs.model import Job
from pytest_training.jobs.search import FileFilter
from pytest_training.jobs.source.sources import Sources, Unreadable

SKIPPED_FOLDERS = {"__pycache__", "build", "dist", "node_modules", "site-packages"}
DEEPEST = 100
"""Folders in one another that are searched: paths end at 4,096 bytes, and Python's recursion at 1,000 calls."""
ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")
"""What lies in the folder of a virtual or conda environment."""


def discover(
    training_root: Path, project_root: Path, files: FileFilter | None = None, kinds: Kinds = KINDS
) -> list[Job]:
    """Return a job for every `train_<id>.py` below the training root, sorted by path."""
    training_root, project_root = absolute(training_root), absolute(project_root)
    files = files or FileFilter()
    paths = job_files(training_root, files, suffixes_of(kinds))
    paths.sort(key=lambda path: path.relative_to(training_root).as_posix())
    sources = Sources(training_root, project_root)
    ids = _ids(paths, training_root)
    read = (read_job(path, ids[path], sources, training_root, kinds) for path in paths[: files.limit])
    return [job for job in read if job is not None]


def suffixes_of(kinds: Kinds) -> tuple[str, ...]:
    """Return the endings of the files of any kind."""
    return tuple(dict.fromkeys(suffix for kind in kinds.values() for suffix in kind.suffixes))


def absolute(path: Path) -> Path:
    """Return the path from the root of the file system, links left as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100  (Path.resolve would follow links)


def _ids(files: list[Path], training_root: Path) -> dict[Path, str]:
    """Return the shortest name that no other file has: train_x.sh beside train_x.py has its whole path as id."""
    relative = {path: path.relative_to(training_root) for path in files}
    ids = {path: path.stem.removeprefix("train_") for path in files}
    for longer in (_with_folder, lambda path: path.with_suffix("").as_posix(), Path.as_posix):
        counts = Counter(ids.values())
        ids = {path: job_id if counts[job_id] == 1 else longer(relative[path]) for path, job_id in ids.items()}
    return ids


def _with_folder(path: Path) -> str:
    return (path.parent / path.stem.removeprefix("train_")).as_posix()


def job_files(training_root: Path, files: FileFilter, suffixes: tuple[str, ...]) -> list[Path]:
    """Return every `train_*` with one of the suffixes once: a second link to a file or folder adds nothing."""
    visited: set[str] = set()
    jobs: list[Path] = []
    folders, links = [training_root], list[Path]()
    while folders or links:
        link = not folders
        entry = links.pop(0) if link else folders.pop()
        real = os.path.realpath(entry)
        if real in visited or (link and Path(real) in training_root.parents):
            continue
        visited.add(real)
        if entry == training_root or entry.is_dir():
            for below in _scan(entry, training_root, files, suffixes):
                (links if below.is_symlink() else folders).append(Path(below.path))
        else:
            jobs.append(entry)
    return jobs


def _scan(
    folder: Path, training_root: Path, files: FileFilter, suffixes: tuple[str, ...]
) -> Iterator[os.DirEntry[str]]:
    """Yield the folders and the files of jobs in a folder."""
    for entry in _entries(folder, training_root):
        path = Path(entry.path)
        relative = path.relative_to(training_root).as_posix()
        is_job = entry.name.endswith(suffixes) and path.stem != "train_" and files.takes(relative)
        is_link = entry.is_symlink()
        # Of a link to itself, or into a closed folder, the entry's own is_dir raises an error.
        if os.path.isdir(path) if is_link else entry.is_dir():  # noqa: PTH112  (Path.is_dir may raise too)
            if relative.count("/") < DEEPEST and not _is_skipped(path):
                yield entry
        elif is_job and (is_link or entry.is_file()):
            yield entry


def _entries(folder: Path, training_root: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        if folder == training_root:
            raise DeclarationError(f"{folder}: expected a folder of training files: {error.strerror}") from error
        return []


def _is_skipped(folder: Path) -> bool:
    name = folder.name
    is_tools = name.startswith(".") or name.endswith(".egg-info") or name in SKIPPED_FOLDERS
    return is_tools or any((folder / mark).exists() for mark in ENVIRONMENT_MARKS)


def read_job(path: Path, job_id: str, sources: Sources, training_root: Path, kinds: Kinds = KINDS) -> Job | None:
    """Return a file's job, or None if no kind recognises it; a file that cannot be read is a job with a problem."""
    file = File(path, job_id, training_root, sources)
    readers = (kind for kind in reversed([*kinds.values()]) if path.name.endswith(kind.suffixes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape is the job's own affair
        return next((job for kind in readers if (job := _recognise(kind, file)) is not None), None)


def _recognise(kind: Kind, file: File) -> Job | None:
    try:
        return kind.recognise(file)
    except (DeclarationError, Unreadable) as error:
        problem = "; ".join(str(error).splitlines())
    except RecursionError:
        problem = f"{file.label}:1: nested too deeply to be read"
    except FROM_OTHERS as error:  # a kind from outside may raise anything: it fails this job alone
        problem = f"{file.label}: kind {kind.name!r} cannot read it: {type(error).__name__}: {error}"
    return file.job(kind.name, title="cannot be read", problem=problem, files=())
