"""Script jobs: a file with a command line of its own, run as `python file --epochs 50`."""

import ast
import os
import sys
from pathlib import Path

from pytest_training.jobs.kinds.function import Function, find_train, python_fields, read_gates
from pytest_training.jobs.kinds.protocol import Command, File, Kind
from pytest_training.jobs.kinds.script import arguments, options
from pytest_training.jobs.model import Job
from pytest_training.jobs.source.literals import is_guard, is_main_guard, walk
from pytest_training.jobs.source.paths import workplace
from pytest_training.jobs.source.sources import Candidate, Source


class ScriptKind(Kind):
    """Any Python file; it leaves its metrics in a file."""

    name = "script"
    suffixes = (".py",)
    has_options = True

    def recognise(self, file: File) -> Job:
        """Return the job of any Python file; one that only defines things has a problem."""
        cwd = workplace(file.source, file.sources.root, file.sources.readmes)
        return file.job(
            self.name,
            gates=read_gates(file.source, strict=False),
            problem=_idle(file.source, find_train(file.source)),
            fresh=file.sources.why_fresh(file.path),
            cwd=cwd,
            module=_module_of(file.source),
            **options.read_options(file.source, file.sources, cwd),
            **python_fields(file),
        )

    def judge(self, file: File) -> Candidate | None:
        """Take a file that trains when it is run."""
        from pytest_training.jobs.source.trains import judge  # noqa: PLC0415  (its patterns take time to compile)

        place = os.path.relpath(file.path, file.home)
        return judge(file.path, place, file.path.read_bytes(), lambda: file.source, file.sources)

    def start(self, job: Job, *, folder: str, seed: int) -> Command:
        """Return the interpreter, the file and the options that are set."""
        return Command(
            argv=(sys.executable, str(job.path), *arguments.script_arguments(job, folder=folder, seed=seed)),
            environment=program_environment(job),
            files=arguments.file_copies(job),
            is_warm=not job.fresh,
            module=job.module,
        )


def program_environment(job: Job) -> dict[str, str]:
    """Return the variables of a program that is Python: its path is the root, its `src`, its package, the user's."""
    path, source = Path(job.path or ""), Path(job.root, "src")
    depth = max((job.module or "").count("."), _depth_in_package(path))
    outer = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    own = [job.root, *([str(source)] if source.is_dir() else []), *([str(path.parents[depth])] if depth else [])]
    search = os.pathsep.join(dict.fromkeys(filter(None, [*own, *outer])))
    return {"PYTHONPATH": search, "PYTHONDONTWRITEBYTECODE": "1"}  # the repository may be somebody else's


def _depth_in_package(path: Path) -> int:
    """Return how many folders above a file are packages, one in the other."""
    return next((depth for depth, folder in enumerate(path.parents) if not (folder / "__init__.py").is_file()), 0)


def _module_of(source: Source) -> str | None:
    """Return the dotted name under which `python -m` starts a file with relative imports, or None for other files."""
    level = max((node.level for node in source.tree.body if isinstance(node, ast.ImportFrom)), default=0)
    folders = source.path.parents[: max(level, _depth_in_package(source.path))]
    return ".".join([*(folder.name for folder in reversed(folders)), source.path.stem]) if level else None


def _idle(source: Source, train: Function | None) -> str | None:
    """Return why the file does nothing as a script, or None if it does more than define functions and classes."""
    body = source.tree.body
    bound = next((item for item in body if _binds_train(item)), None)
    if train is None and bound is not None and not any(_does_something(item) for item in body if item is not bound):
        return f"{source.where(bound)}: `train` is no function that this file defines: write def train(run, *, …)"
    defines = [item for item in body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    if not defines or any(map(_does_something, body)):
        return None
    if train is None:
        return f"{source.label}:1: defines no train(run, *, …), and does nothing when it is run as a script"
    return (
        f"{source.where(train)}: train has no first parameter `run`, and the file does nothing "
        "when it is run as a script: write def train(run, *, …)"
    )


def _binds_train(statement: ast.stmt) -> bool:
    """Return True for `train = …` and for `from x import train`."""
    if isinstance(statement, ast.ImportFrom):
        return any("train" in {name.asname, name.name if name.asname is None else None} for name in statement.names)
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == "train" for target in targets)


def _does_something(statement: ast.stmt) -> bool:
    if is_main_guard(statement):
        return True
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr):
        return any(isinstance(node, ast.Call) for node in walk(statement))
    quiet = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Pass)
    return not isinstance(statement, quiet) and not is_guard(statement)
