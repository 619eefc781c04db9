"""The code of local modules that a script uses: what runs when they are imported, and what it reaches by name."""

import ast
import contextlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_training.jobs.source.literals import is_guard, last_name, walk
from pytest_training.jobs.source.sources import LARGEST_FOLLOWED, Source, Sources, Unreadable, imports_of

MOST_READ = 3 * LARGEST_FOLLOWED
"""Local modules that are read for all scripts."""
ANY = re.compile(b"")
Piece = tuple[Path, str]
"""A file, and a name that it defines; an empty name stands for what runs when the file is imported."""


def used_code(script: Source, sources: Sources) -> list[tuple[Source, list[ast.AST]]]:
    """Return the nodes of the script, then those of the local modules that it uses, with their source."""
    declaring = sources.declaring(script.path)
    used = {script.path: (script, list(walk(script.tree)) if declaring else [])}
    if {*declaring} <= {script.path} and b"typer" not in script.content:  # its commands may be any functions
        return [*used.values()]
    for source, nodes in reached(script, used[script.path][1], sources):
        if source.path != script.path:
            used.setdefault(source.path, (source, []))[1].extend(nodes)
    return [*used.values()]


def reached(
    script: Source,
    nodes: Iterable[ast.AST],
    sources: Sources,
    *,
    words: re.Pattern[bytes] = ANY,
    most: int = LARGEST_FOLLOWED,
) -> Iterator[tuple[Source, list[ast.AST]]]:
    """Yield the definitions that a script's nodes reach, nearest first, also in `most` local modules with the words."""
    start = Module(script, sources)
    modules: dict[Path, Module | None] = {script.path: start}
    todo, done = list(start.references(nodes)), set[Piece | ast.stmt]()
    while todo:
        path, name = piece = todo.pop(0)
        if piece in done:
            continue
        done.add(piece)
        if path not in modules and len(modules) <= most:
            modules[path] = _module(path, sources, words)
        if module := modules.get(path):
            new = [statement for statement in module.defined[name] if statement not in done]
            done.update(new)
            if nodes := [node for statement in new for node in walk(statement)]:
                yield module.source, nodes
            todo += [*module.references(nodes), *filter(None, [module.bound.get(name)])]


def _module(path: Path, sources: Sources, words: re.Pattern[bytes]) -> "Module | None":
    """Return a local module, read once; None if it cannot be read or has none of the words."""
    if path not in sources.modules and len(sources.modules) < MOST_READ:
        sources.modules[path] = None
        with contextlib.suppress(Unreadable, RecursionError):  # the job fails with Python's own message
            sources.modules[path] = Module(sources.parse(path), sources)
    module: Module | None = sources.modules.get(path)
    return module if module and words.search(module.source.content) else None


class Module:
    """A Python file: its definitions, and what its imported names stand for."""

    def __init__(self, source: Source, sources: Sources) -> None:
        self.source, self._sources = source, sources
        self.bound: dict[str, Piece] = {}
        self.defined: dict[str, list[ast.stmt]] = defaultdict(list)
        """By name, what defines it or is decorated by it; by the empty name all other statements."""
        self._stars: list[Path] = []
        for node in walk(source.tree):
            if isinstance(node, ast.Import):
                self._bind(node, None)
            elif isinstance(node, ast.ImportFrom):
                self._bind(node, sources.module_file(source.path, node.module or "", node.level))
        for statement in source.tree.body:
            for name in _names(statement):
                self.defined[name].append(statement)

    def _bind(self, node: ast.Import | ast.ImportFrom, above: Path | None) -> None:
        package, level = (node.module or "", node.level) if isinstance(node, ast.ImportFrom) else ("", 0)
        for alias in node.names:
            name = alias.asname or alias.name.rpartition(".")[2]
            if module := self._sources.module_file(self.source.path, f"{package}.{alias.name}".strip("."), level):
                self.bound[name] = (module, "")
            elif above and name == "*":
                self._stars.append(above)
            elif above:
                self.bound[name] = (above, alias.name)

    def references(self, nodes: Iterable[ast.AST]) -> Iterator[Piece]:
        """Yield what the nodes name, in this module and in others."""
        for node in nodes:
            if isinstance(node, ast.Name):
                yield self.bound.get(node.id) or (self.source.path, node.id)
                yield from ((star, node.id) for star in self._stars)
            elif isinstance(node, ast.Attribute):
                module, name = self.bound.get(last_name(node.value), (None, ""))
                if module and not name:
                    yield module, node.attr
            for item in imports_of(node):
                yield from ((file, "") for file in self._sources.files_of(self.source.path, item) or ())


def _names(statement: ast.stmt) -> set[str]:
    """Return the names that reach a statement of a module."""
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return set() if is_guard(statement) else {""}
    parts = (part for decorator in statement.decorator_list for part in walk(decorator))
    return {statement.name, *(part.id for part in parts if isinstance(part, ast.Name))}
