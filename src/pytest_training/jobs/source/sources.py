"""Python files as syntax trees, and what they import: installed modules, and local ones that are followed."""

import ast
import contextlib
import functools
import importlib.machinery
import itertools
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from pytest_training.jobs.source.literals import Constants, last_name, module_statements, walk, why_fresh
from pytest_training.jobs.source.search_path import added_folders, added_texts, search_path
from pytest_training.wording import label

LARGEST_FOLLOWED = 200  # local files to follow at most: a hint for the job server is not worth parsing a repository
_INDENTED_IMPORT = re.compile(rb"^[ \t]+(?:from|import)\b", re.MULTILINE)
_DECLARES = re.compile(
    rb"add_argument|optparse|DEFINE_|exec\(\s*open|\b(click|typer|HfArgumentParser|TrlParser|LightningCLI|tyro|fire|jsonargparse|hydra"
    rb"|simple_parsing|pyrallis|draccus)\b"
)
_EXTENDS = re.compile(rb"sys\s*\.\s*path\b|addsitedir|import_module|__import__")
_ASKS_FOR_DATA = re.compile(rb"\brun\s*\.\s*data")


class Unreadable(Exception):  # noqa: N818  (it names the file's state and becomes the job's problem, not an error)
    """A file that is no Python source, with the reason."""


class Source(Struct, frozen=True, dict=True):
    """A file that has been read."""

    path: Path
    label: str  # the path as messages give it
    content: bytes
    tree: ast.Module

    @functools.cached_property
    def constants(self) -> Constants:
        """Return the module's constants."""
        return Constants(self.tree)

    def where(self, node: ast.stmt | ast.expr | ast.arg) -> str:
        """Return `training/train_x.py:3` for a node of the tree."""
        return f"{self.label}:{node.lineno}"


class Candidate(NamedTuple):
    """A file that was read to see whether it trains."""

    is_job: bool
    why: str
    is_unreadable: bool = False


class Import(NamedTuple):
    """One imported module, with the names taken from it and the dots of a relative import."""

    module: str
    names: tuple[str, ...] = ()
    level: int = 0

    @property
    def modules(self) -> list[str]:
        """The dotted names that may be modules: the module's own, and one below it for each name."""
        return [".".join(filter(None, (self.module, name))) for name in ("", *self.names)]


class Facts(Struct, frozen=True):
    """What a file imports when it is imported, what it imports later, and the datasets that it names."""

    imports: tuple[Import, ...] = ()
    later: tuple[Import, ...] = ()
    data: tuple[str, ...] = ()
    fresh: str | None = None  # why a script that executes the file needs an interpreter of its own
    declares: bool = False  # True if the file may declare options of a command line
    added: tuple[str, ...] = ()  # what it may add to `sys.path`: parts of paths


def read_source(path: Path, root: Path) -> Source:
    """Parse a file, or raise Unreadable with a sentence that starts with file and line."""
    name = label(path, root)
    try:
        content = path.read_bytes()
        return Source(path, name, content, ast.parse(content))
    except SyntaxError as error:
        raise Unreadable(f"{name}:{error.lineno or 1}: SyntaxError: {error.msg}") from error
    except OSError as error:
        raise Unreadable(f"{name}: {type(error).__name__}: {error.strerror}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"{name}:1: {type(error).__name__}: {error}") from error


class Sources:
    """Reads files once each and follows imports of modules in the file's folder, the training folder and the root."""

    def __init__(self, training_root: Path, project_root: Path) -> None:
        self.root = project_root
        self._folders = (training_root, project_root, project_root / "src")
        self._searched = [each for each in search_path(project_root) if each not in self._folders]
        self._facts: dict[Path, Facts] = {}
        self._followed = 0
        self.readmes: dict[Path, str] = {}  # by folder, as `paths.py` reads them
        self.modules: dict[Path, Any] = {}  # local modules as `used.py` reads them, once each
        self._parsed: dict[Path, Source] = {}
        self._below = functools.cache(_files_below)
        self._near: dict[tuple[Path, bool], list[Path]] = {}
        self._full: tuple[Path, list[Path]] | None = None
        self._local: dict[tuple[str, Import, tuple[str, ...]], list[Path] | None] = {}

    def parse(self, path: Path) -> Source:
        """Return a file as parsed Python, parsed once; raise Unreadable if Python cannot read it."""
        if path not in self._parsed:
            self._parsed[path] = read_source(path, self.root)
        return self._parsed[path]

    def forget(self, path: Path) -> None:
        """Free the memory of a syntax tree."""
        self._parsed.pop(path, None)
        self.modules.pop(path, None)

    def remember(self, source: Source) -> None:
        """Keep the facts of a file that has been read for another purpose."""
        self._facts[source.path], self._full = _facts(source), None
        for later in (False, True):
            self._near.pop((source.path, later), None)

    def reach(self, path: Path) -> dict[str, tuple[str, ...]]:
        """Return a job's imports, data and files, local modules followed; no files if they are too many to follow."""
        eager, full = self._closure(path, later=False), self._reached(path)
        imports = (name for file in eager for name in self._installed(file))
        data = (name for file in full for name in self._facts_of(file).data)
        files = map(str, full if self._followed <= LARGEST_FOLLOWED else ())
        return {"imports": tuple(dict.fromkeys(imports)), "data": tuple(dict.fromkeys(data)), "files": tuple(files)}

    def why_fresh(self, path: Path) -> str | None:
        """Return why a script, its local modules followed, needs an interpreter of its own, or None."""
        return next((reason for file in self._reached(path) if (reason := self._facts_of(file).fresh)), None)

    def declaring(self, path: Path) -> list[Path]:
        """Return the files that may declare options: the script, and the local modules that it imports."""
        return [file for file in self._reached(path) if self._facts_of(file).declares]

    def module_file(self, path: Path, module: str, level: int, *, installed: bool = False) -> Path | None:
        """Return the file of a local module as another file imports it, or None if it has none."""
        files = self.files_of(path, Import(module, level=level)) or (
            _installed(module) if installed and not level else ()
        )
        file = next(reversed(files), None)
        own = file and (file.parent if file.name == "__init__.py" else file.with_suffix(""))
        parts = tuple(filter(None, module.split(".")))
        return file if own and own.parts[len(own.parts) - len(parts) :] == parts else None

    def _reached(self, path: Path) -> list[Path]:
        """Return a script and all its local modules; of one script several ask in a row."""
        if self._full is None or self._full[0] != path:
            self._full = path, self._closure(path, later=True)
        return self._full[1]

    def _closure(self, path: Path, *, later: bool) -> list[Path]:
        files: dict[Path, None] = {}
        todo = [path]
        while todo:
            file = todo.pop()
            if file not in files:
                files[file] = None
                todo.extend(self._neighbours(file, later=later))
        return list(files)

    def _neighbours(self, file: Path, *, later: bool) -> list[Path]:
        """Return the local files that a file imports, the last first."""
        facts = self._facts_of(file)
        if (file, later) not in self._near:
            items = facts.imports + facts.later if later else facts.imports
            self._near[file, later] = [near for item in items for near in self.files_of(file, item) or ()][::-1]
        return self._near[file, later]

    def _facts_of(self, path: Path) -> Facts:
        if path not in self._facts:
            self._followed += 1
            self._facts[path] = Facts()
            # A job that imports a file with a mistake fails with Python's own message.
            with contextlib.suppress(Unreadable, RecursionError):
                if self._followed <= LARGEST_FOLLOWED:
                    self.remember(self.parse(path))
        return self._facts[path]

    def _installed(self, path: Path) -> Iterator[str]:
        for item in self._facts_of(path).imports:
            top = item.module.partition(".")[0]
            if item.level == 0 and top not in sys.stdlib_module_names:
                files, own = self.files_of(path, item), [folder / top for folder in self._searched]
                # What is on the interpreter's own search path the job server can import, as what is installed.
                if files is None or any(
                    place in (file.with_suffix(""), *file.parents) for file in files for place in own
                ):
                    yield from item.modules

    def files_of(self, path: Path, item: Import) -> list[Path] | None:
        """Return the local files that an import executes; None if the module is not local."""
        if item.level:
            folder = path.parents[min(item.level, len(path.parents)) - 1]
            return [file for module in item.modules for file in self._below(folder, module) or ()]
        if item.module.partition(".")[0] in sys.stdlib_module_names:
            return None
        # A thousand jobs import the same few modules; a path's text is a much faster key than the path.
        added = self._facts_of(path).added
        key = (os.path.dirname(path), item, added)  # noqa: PTH120  (faster than pathlib, once per import)
        if key not in self._local:
            folders = dict.fromkeys(
                (path.parent, *self._folders, *self._searched, *added_folders(path, self.root, added))
            )
            places = ((self._below(folder, module) for folder in folders) for module in item.modules)
            located = (next((files for files in below if files is not None), None) for below in places)
            local = [files for files in located if files is not None]
            self._local[key] = list(dict.fromkeys(itertools.chain(*local))) if local else None
        return self._local[key]


def _installed(module: str) -> list[Path]:
    """Return the files of an installed module, which is not imported for it."""
    top, _, below = module.partition(".")
    spec = None if top in {"", *sys.stdlib_module_names} else importlib.machinery.PathFinder.find_spec(top)
    if spec is None:
        return []
    own = [Path(spec.origin)] if spec.origin and spec.origin.endswith(".py") else []
    folders = [*map(Path, spec.submodule_search_locations or ())] if below else []
    return next((files for folder in folders if (files := _files_below(folder, below))), [] if below else own)


def _files_below(folder: Path, module: str) -> list[Path] | None:
    """Return the files executed by importing a dotted name from a folder; None if it holds no such module.

    A folder without `__init__.py` counts when it holds modules: `wandb/` with a run's files is no package.
    """
    files: list[Path] = []
    for part in filter(None, module.split(".")):
        if (folder / part / "__init__.py").is_file():
            files.append(folder / part / "__init__.py")
        elif (folder / f"{part}.py").is_file():
            return [*files, folder / f"{part}.py"]
        elif not (folder / part).is_dir():
            return files or None
        folder /= part
    return files or ([] if any(folder.glob("*.py")) else None)


def _facts(source: Source) -> Facts:
    eager = tuple(item for statement in module_statements(source.tree.body) for item in imports_of(statement))
    deep, asking = (
        walk(source.tree) if hint.search(source.content) else () for hint in (_INDENTED_IMPORT, _ASKS_FOR_DATA)
    )
    later = [item for node in deep for item in imports_of(node) if item not in eager]
    added: list[str] = []
    if _EXTENDS.search(source.content):
        later += [each for node in walk(source.tree) for each in _imported_by_name(node, source.constants)]
        added = list(added_texts(source.tree))
    data = tuple(dict.fromkeys(name for node in asking for name in _datasets(node, source.constants)))
    fresh = why_fresh(source.tree, source.content, source.label)
    declares = bool(_DECLARES.search(source.content))
    return Facts(eager, tuple(later), data, fresh, declares=declares, added=tuple(dict.fromkeys(added)))


def _imported_by_name(node: ast.AST, constants: Constants) -> Iterator[Import]:
    """Yield the module of `importlib.import_module("name")`."""
    if isinstance(node, ast.Call) and node.args and last_name(node.func) in {"import_module", "__import__"}:
        name = constants.literal(node.args[0])
        if isinstance(name, str):
            yield Import(name.lstrip("."), level=len(name) - len(name.lstrip(".")))


def imports_of(node: ast.AST) -> Iterator[Import]:
    """Yield what an import statement imports; nothing for any other node."""
    if isinstance(node, ast.Import):
        yield from (Import(alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield Import(node.module or "", tuple(alias.name for alias in node.names if alias.name != "*"), node.level)


def _datasets(node: ast.AST, constants: Constants) -> Iterator[str]:
    """Yield the name in `run.data("name")` or `run.dataset("name")`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        name = constants.literal(node.args[0])
        if node.func.attr in {"data", "dataset"} and last_name(node.func.value) == "run" and isinstance(name, str):
            yield name
