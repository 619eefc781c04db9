"""Finds `train_*.py` below a folder and reads each as a job, from its syntax tree; never imports a job."""

from __future__ import annotations

import ast
import os
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from pytest_training.errors import DeclarationError
from pytest_training.jobs.kinds import function as functions
from pytest_training.jobs.kinds.script import options as scripts
from pytest_training.jobs.model import Job
from pytest_training.jobs.search import FileFilter
from pytest_training.jobs.source.literals import is_guard, is_main_guard, walk
from pytest_training.jobs.source.sources import Source, Sources, Unreadable, read_source
from pytest_training.wording import label

SKIPPED_FOLDERS = {"__pycache__", "build", "dist", "node_modules", "site-packages"}


def discover(training_root: Path, project_root: Path, files: FileFilter | None = None) -> list[Job]:
    """Return a job for every `train_<id>.py` below the training root, sorted by path."""
    training_root, project_root = absolute(training_root), absolute(project_root)
    files = files or FileFilter()
    found = sorted(job_files(training_root, files), key=lambda path: path.relative_to(training_root).as_posix())
    sources = Sources(training_root, project_root)
    ids = _ids(found, training_root)
    return [read_job(path, ids[path], sources, training_root) for path in found[: files.limit]]


def absolute(path: Path) -> Path:
    """Return the path from the root of the file system, links left as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve would follow links


def _ids(files: list[Path], training_root: Path) -> dict[Path, str]:
    stems = {path: path.stem.removeprefix("train_") for path in files}
    counts = Counter(stems.values())
    ids = {
        path: stem if counts[stem] == 1 else (path.parent.relative_to(training_root) / stem).as_posix()
        for path, stem in stems.items()
    }
    counts = Counter(ids.values())  # x.py beside train_x.py, where a pattern takes both
    return {
        path: job_id if counts[job_id] == 1 else path.relative_to(training_root).with_suffix("").as_posix()
        for path, job_id in ids.items()
    }


def job_files(training_root: Path, files: FileFilter | None = None) -> list[Path]:
    """Return every `train_*.py` once: a link to a file or folder that was already seen adds nothing."""
    seen: set[str] = set()
    found: list[Path] = []
    folders, links = [training_root], list[Path]()
    while folders or links:
        link = not folders
        entry = links.pop(0) if link else folders.pop()
        real = os.path.realpath(entry)
        if real in seen or (link and Path(real) in training_root.parents):
            continue
        seen.add(real)
        if entry == training_root or entry.is_dir():
            _scan(entry, training_root, files or FileFilter(), folders, links)
        else:
            found.append(entry)
    return found


def _scan(folder: Path, training_root: Path, files: FileFilter, folders: list[Path], links: list[Path]) -> None:
    for entry in _entries(folder, training_root):
        path = Path(entry.path)
        is_job = entry.name.endswith(".py") and entry.name != "train_.py" and files.takes(_below(path, training_root))
        if entry.is_dir():
            if not _is_skipped(path):
                (links if entry.is_symlink() else folders).append(path)
        elif is_job and (entry.is_file() or entry.is_symlink()):
            (links if entry.is_symlink() else folders).append(path)


def _below(path: Path, folder: Path) -> str:
    return path.as_posix().removeprefix(f"{folder.as_posix().rstrip('/')}/")


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
    return (
        name.startswith(".")
        or name in SKIPPED_FOLDERS
        or name.endswith(".egg-info")
        or (folder / "pyvenv.cfg").exists()
        or (folder / "conda-meta").exists()
    )


def read_job(path: Path, job_id: str, sources: Sources, training_root: Path) -> Job:
    """Read one file as a job; a file that cannot be read is a job too, and carries the problem."""
    known: dict[str, Any] = {
        "id": job_id,
        "source": label(path, sources.root),
        "path": str(path),
        "home": str(training_root),
        "root": str(sources.root),
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape is the job's own affair
            source = read_source(path, sources.root)
            return _job(source, sources, known)
    except Unreadable as error:
        return Job(kind="function", title="cannot be read", problem=str(error), **known)
    except RecursionError:
        problem = f"{known['source']}:1: nested too deeply to be read"
        return Job(kind="function", title="cannot be read", problem=problem, **known)


def _job(source: Source, sources: Sources, known: dict[str, Any]) -> Job:
    sources.remember(source)
    imports, data, files = sources.reach(source.path)
    train = functions.find_train(source)
    common = {**known, "files": files, "imports": imports, "data": data, "title": _title(source, train)}
    if train is not None and _is_function_job(train, source):
        declared, values = functions.read_parameters(train, source)
        gates = functions.read_gates(source, strict=True)
        return Job(kind="function", declared=declared, parameters=values, gates=gates, **common)
    options = scripts.read_options(source)
    return Job(
        kind="script",
        declared=options.declared,
        parameters=options.defaults,
        output_option=options.output_option,
        gates=functions.read_gates(source, strict=False),
        problem=_idle(source, train),
        fresh=sources.why_fresh(source.path),
        **common,
    )


def _is_function_job(train: functions.Function, source: Source) -> bool:
    """Tell a job's `train(run, *, …)` from a script's own `train(run, config)` behind a command line."""
    if not functions.takes_run(train):
        return False
    return functions.signature_mistake(train) is None or not scripts.read_options(source).declared


def _title(source: Source, train: functions.Function | None) -> str:
    text = ast.get_docstring(source.tree) or (train and ast.get_docstring(train)) or ""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _idle(source: Source, train: functions.Function | None) -> str | None:
    """Say why running the file as a script would do nothing, if it only defines functions and classes."""
    body = source.tree.body
    defines = [item for item in body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    if not defines or any(map(_does_something, body)):
        return None
    if train is None:
        return f"{source.label}:1: defines no train(run, *, …), and does nothing when it is run as a script"
    return (
        f"{source.where(train)}: train has no first parameter `run`, and the file does nothing "
        "when it is run as a script: write def train(run, *, …)"
    )


def _does_something(statement: ast.stmt) -> bool:
    if is_main_guard(statement):
        return True
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr):
        return any(isinstance(node, ast.Call) for node in walk(statement))
    quiet = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Pass)
    return not isinstance(statement, quiet) and not is_guard(statement)
