"""Finds the files of jobs below a folder, by their names or by what they do; never imports a job."""

import itertools
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec.structs import replace

from pytest_training.errors import FROM_OTHERS, DeclarationError
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import File, Kind, Kinds
from pytest_training.jobs.lookup import PATTERNS, READING, FileFilter
from pytest_training.jobs.model import Job
from pytest_training.jobs.source.sources import Candidate, Sources, Unreadable
from pytest_training.wording import counted, label, listing

SKIPPED_FOLDERS = {"__pycache__", "build", "dist", "node_modules", "site-packages"}
OF_OTHERS = {"third_party", "thirdparty", "3rdparty", "vendor", "vendored"}
"""Folders whose trainings are not the repository's own."""
SILENT = re.compile(r"_*(main|train(ing)?|pre_?train|run(_train(ing)?)?)_*")
"""Stems of files that say less than their folder: `mnist/main.py` is the job `mnist`."""
PLAIN_FOLDERS = {"src", "scripts", "script", "code", "tools", "examples", "bin", "app", "training", "train"}
"""Folders that say nothing either."""
DEEPEST = 100  # nested folders that are searched: paths end at 4,096 bytes, Python's recursion at 1,000 calls
MARKS = ("pyvenv.cfg", "conda-meta", "begun.json")  # what lies in a virtual or conda environment, and in a run's folder


def discover(training_root: Path, project: Path, files: FileFilter | None = None, kinds: Kinds = KINDS) -> list[Job]:
    """Return the job of every file below the training root that the filter takes, sorted by path."""
    training_root, files = absolute(training_root), files or FileFilter()
    sources = Sources(training_root, absolute(project))
    taken = {path: each.why for path, each in candidates(sources, training_root, files, kinds).items() if each.is_job}
    ids = _ids(list(taken), training_root)
    limited = itertools.islice(taken.items(), files.limit)
    read = ((read_job(path, ids[path], sources, training_root, kinds), why) for path, why in limited)
    return [replace(job, evidence=why) if why else job for job, why in read if job is not None]


def candidates(sources: Sources, training_root: Path, files: FileFilter, kinds: Kinds) -> dict[Path, Candidate]:
    """Return the files that patterns take, and where others are read those that look like trainings, sorted by path."""
    paths = job_files(training_root, files, suffixes_of(kinds))
    paths.sort(key=lambda path: path.relative_to(training_root).as_posix())
    judged = ((path, _candidate(path, sources, training_root, files, kinds)) for path in paths)
    return {path: each for path, each in judged if each is not None}


def nothing_below(
    root: Path, project: Path, files: FileFilter, *, kinds: Kinds = KINDS, option: str = "--training-include"
) -> str:
    """Return why there is no job below a folder, with what looks like a training and the option that takes it."""
    place = absolute(root if root.is_dir() else project)
    named = "files like train_als.py" if files.include == PATTERNS else f"files named {', '.join(files.include)}"
    reason = f"no training jobs: expected {'files that train when they are run' if files.reads else named} in {root}"
    everything = candidates(Sources(place, absolute(project)), place, replace(files, include=(READING,)), kinds)
    others = {label(path, place): each for path, each in everything.items() if not files.takes(label(path, place))}
    if trains := [name for name, each in others.items() if each.is_job]:
        taking = f"{option} {READING}" if root.is_dir() else f"--training-root {os.path.relpath(place)}"
        return f"{reason}; {taking} takes what trains: {listing('', trains)}"
    near = listing("", (f"{name} ({each.why})" for name, each in others.items()))
    return f"{reason}; {option} takes a file by its name: {near}" if others else reason


def left_out(
    folders: Iterable[Path], project: Path, files: FileFilter, kinds: Kinds, *, is_brief: bool = False
) -> Iterator[str]:
    """Yield a line for each file that was read and is no job; a brief one counts those that cannot be read."""
    unreadable = untagged = 0
    for root in map(absolute, folders if files.reads else ()):
        for path, each in candidates(Sources(root, absolute(project)), root, files, kinds).items():
            unreadable += each.is_unreadable and not each.is_job
            untagged += path.suffix == ".ipynb" and not (each.is_job or each.is_unreadable)
            if not each.is_job and not is_brief:
                yield f"left out: {label(path, root)}: {each.why}"
    if is_brief and unreadable:
        yield f"{counted(unreadable, 'file')} left out that Python cannot read: -v names each"
    if is_brief and untagged:
        yield f"{counted(untagged, 'notebook')} left out without a cell that has the tag parameters: -v names each"


def is_job_file(path: Path, root: Path, files: FileFilter, kinds: Kinds) -> bool:
    """Return True if discovery takes this file below the folder."""
    candidate = _candidate(path, Sources(root, root), root, files, kinds)
    return candidate is not None and candidate.is_job


def _candidate(path: Path, sources: Sources, root: Path, files: FileFilter, kinds: Kinds) -> Candidate | None:
    if (takes := files.takes(path.relative_to(root).as_posix())) is not None:
        return Candidate(is_job=True, why="") if takes else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape is the file's own affair
        return _judged(path, sources, root, kinds)


def _judged(path: Path, sources: Sources, training_root: Path, kinds: Kinds) -> Candidate | None:
    file = File(path, "", training_root, sources)
    try:
        judged = (kind.judge(file) for kind in _kinds_of(path, kinds))
        candidate = next((each for each in judged if each is not None), None)
    except (Unreadable, RecursionError) as error:
        return Candidate(path.stem.startswith("train"), str(error), is_unreadable=True)
    except FROM_OTHERS as error:  # a kind from outside may raise anything: it takes this file alone
        return Candidate(is_job=False, why=f"{type(error).__name__}: {error}")
    if not (candidate and candidate.is_job):
        sources.forget(path)
    return candidate


def _kinds_of(path: Path, kinds: Kinds) -> Iterator[Kind]:
    """Yield the kinds that may recognise a file, the last first."""
    return (kind for kind in reversed([*kinds.values()]) if path.name.endswith(kind.suffixes))


def suffixes_of(kinds: Kinds) -> tuple[str, ...]:
    """Return the endings of the files of any kind."""
    return tuple(dict.fromkeys(suffix for kind in kinds.values() for suffix in kind.suffixes))


def absolute(path: Path) -> Path:
    """Return the path from the root of the file system, links left as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100  (Path.resolve would follow links)


def _ids(files: list[Path], training_root: Path) -> dict[Path, str]:
    """Return the shortest name that no other file has: train_x.sh beside train_x.py has its whole path as id."""
    relative = {path: path.relative_to(training_root) for path in files}
    ids = {path: _words(relative[path])[-1] for path in files}
    for longer in (lambda path: "/".join(_words(path)), lambda path: path.with_suffix("").as_posix(), Path.as_posix):
        counts = Counter(ids.values())
        ids = {path: job_id if counts[job_id] == 1 else longer(relative[path]) for path, job_id in ids.items()}
    return ids


def _words(path: Path) -> list[str]:
    """Return a path's folders and its name, without what says nothing at the end."""
    words = [*path.parent.parts, path.stem]
    if SILENT.fullmatch(path.stem.lower()):
        while len(words) > 1 and words[-1] in {path.stem, *PLAIN_FOLDERS}:
            words.pop()
        return words if words[-1] not in PLAIN_FOLDERS else [path.stem]
    return [*words[:-1], re.sub(r"^train[_-](?=.)|(?<=.)[_-]train$", "", path.stem)]


def job_files(training_root: Path, files: FileFilter, suffixes: tuple[str, ...]) -> list[Path]:
    """Return every file with one of the suffixes once that may be taken; a second link adds nothing."""
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
        is_job = entry.name.endswith(suffixes) and path.stem != "train_" and files.takes(relative) is not False
        is_link = entry.is_symlink()
        # Of a link to itself, or into a closed folder, the entry's own is_dir raises an error.
        if os.path.isdir(path) if is_link else entry.is_dir():  # noqa: PTH112  (Path.is_dir may raise too)
            if relative.count("/") < DEEPEST and not _is_skipped(path, files):
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


def _is_skipped(folder: Path, files: FileFilter) -> bool:
    name = folder.name
    is_tools = name.startswith(".") or name.endswith(".egg-info") or name in SKIPPED_FOLDERS
    is_tools = is_tools or (files.reads and name in OF_OTHERS)
    return is_tools or any((folder / mark).exists() for mark in MARKS)


def read_job(path: Path, job_id: str, sources: Sources, training_root: Path, kinds: Kinds = KINDS) -> Job | None:
    """Return a file's job, or None if no kind recognises it; a file that cannot be read is a job with a problem."""
    file = File(path, job_id, training_root, sources)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape is the job's own affair
        return next((job for kind in _kinds_of(path, kinds) if (job := _recognise(kind, file)) is not None), None)


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
