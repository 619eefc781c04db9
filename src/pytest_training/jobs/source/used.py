"""The code of local modules that a script uses: what runs when they are imported, and what it reaches by name."""

from __future__ import annotations

import ast
import contextlib
import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_training.jobs.source.literals import Constants, is_guard, last_name, module_statements, walk
from pytest_training.jobs.source.sources import LARGEST_FOLLOWED, Import, Source, Sources, Unreadable, imports_of

Definition = ast.FunctionDef | ast.ClassDef
DEEPEST = 8  # imports in a row through which a name comes
MOST_READ = 3 * LARGEST_FOLLOWED  # local modules that are read for all scripts
Piece = tuple[Path, str]  # a file, and a name that it defines, or nothing for what runs when it is imported


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


def constants_of(source: Source, sources: Sources) -> Constants:
    """Return the constants of a file, and those that it imports from local modules."""

    def imported(node: ast.expr) -> ast.expr | None:
        module = Module.load(source.path, sources)
        return module.constant(node) if module else None

    return source.constants.following(imported)


def reached(
    script: Source, nodes: Iterable[ast.AST], sources: Sources, *, words: bytes = b"", most: int = LARGEST_FOLLOWED
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
            found = Module.load(path, sources) if path in sources.modules or len(sources.modules) < MOST_READ else None
            is_passed = found and (path.name == "__init__.py" or re.search(words, found.source.content))
            modules[path] = found if is_passed else None
        if module := modules.get(path):
            new = [statement for statement in module.defined.get(name, ()) if statement not in done]
            done.update(new)
            if nodes := [node for statement in new for node in module.parts(statement)[0]]:
                yield module.source, nodes
            todo += (piece for statement in new for piece in module.parts(statement)[1] if piece not in done)
            behind = () if not name or name in module.defined or module.bound(name) else map(module.bound, module.stars)
            todo += [(star[0], name) for star in behind if star]
            todo += filter(None, [module.bound(name)])


class Module:
    """A Python file: its definitions, and what its imported names stand for."""

    @classmethod
    def load(cls, path: Path, sources: Sources) -> Module | None:
        """Return what a file defines and imports, read once, or None if it cannot be read."""
        if path not in sources.modules:
            sources.modules[path] = None
            with contextlib.suppress(Unreadable, RecursionError):  # the job fails with Python's own message
                sources.modules[path] = cls(sources.parse(path), sources)
        module: Module | None = sources.modules[path]
        return module

    def __init__(self, source: Source, sources: Sources) -> None:
        self.source, self._sources = source, sources
        self.bound = functools.cache(self._bound)
        self.parts = functools.cache(self._parts)
        self.imported: dict[str, Import] = {}  # what a name is imported from: a module, or a module and one name in it
        self.defined: dict[str, list[ast.stmt]] = defaultdict(list)
        """By name, what defines it or is decorated by it; by the empty name all other statements."""
        self._set = set[str]()  # names of attributes that it sets, as in `config.EPOCHS = 3`
        for node in walk(source.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                self._set.add(node.attr)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    name = alias.asname or alias.name.rpartition(".")[2]
                    names = (alias.name,) if isinstance(node, ast.ImportFrom) else ()
                    module = (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
                    key = f"{module} *" if name == "*" else name
                    self.imported[key] = Import(module, names, getattr(node, "level", 0))
        self.stars = [name for name in self.imported if name.endswith(" *")]
        nested = [each for each in module_statements(source.tree.body) if each.col_offset]
        for statement in (*source.tree.body, *(each for each in nested if isinstance(each, Definition))):
            for name in _names(statement):
                self.defined[name].append(statement)

    def _bound(self, name: str, *, installed: bool = False) -> Piece | None:
        """Return the file, and the name in it, that an imported name stands for; that is empty for a module."""
        if (item := self.imported.get(name)) is None:
            return None
        find = functools.partial(self._sources.module_file, self.source.path, level=item.level, installed=installed)
        if module := find(item.modules[-1]):
            return module, ""
        above = find(item.module) if item.names else None
        return (above, item.names[0].strip("*")) if above else None

    def definition(self, node: ast.expr | None, depth: int = 0) -> tuple[Definition, Module] | None:
        """Return the function or class that a name or `module.name` stands for, in an installed module too."""
        name = node.value if isinstance(node, ast.Constant) else last_name(node)
        own = (each for each in self.defined.get(str(name), ()) if isinstance(each, Definition) and each.name == name)
        if not isinstance(node, ast.Attribute) and (defined := next(own, None)):
            return defined, self
        pieces = [self.bound(last_name(node.value) if isinstance(node, ast.Attribute) else str(name), installed=True)]
        pieces = pieces if any(pieces) else [self.bound(star, installed=True) for star in self.stars]
        for file, original in filter(None, pieces if depth < DEEPEST else ()):
            above = Module.load(file, self._sources)
            if above and (found := above.definition(ast.Name(original or str(name)), depth + 1)):
                return found
        return None

    def constant(self, node: ast.expr, depth: int = 0) -> ast.expr | None:
        """Return the expression that a local module assigns once to an imported name, or to `module.name`."""
        module, name = (last_name(node.value), node.attr) if isinstance(node, ast.Attribute) else ("", last_name(node))
        if module:
            places = [(piece[0], name) for piece in [self.bound(module)] if piece and not piece[1]]
            places = places if name not in self._set else []
        elif piece := self.bound(name):
            places = [piece] if piece[1] else []
        else:
            places = [(piece[0], name) for star in self.stars if (piece := self.bound(star))]
        for path, original in places if depth < DEEPEST else ():
            if above := Module.load(path, self._sources):
                own = above.source.constants
                value = own.node(original) if original in own else above.constant(ast.Name(original), depth + 1)
                if value is not None:
                    return value
        return None

    def _parts(self, statement: ast.stmt) -> tuple[list[ast.AST], list[Piece]]:
        """Return the nodes of a statement and what they name: for all scripts that reach it."""
        nodes = [*walk(statement)]
        return nodes, [*dict.fromkeys(self.references(nodes))]

    def references(self, nodes: Iterable[ast.AST]) -> Iterator[Piece]:
        """Yield what the nodes name, in this module and in others."""
        stars = [piece[0] for star in self.stars if (piece := self.bound(star))]
        for node in nodes:
            if isinstance(node, ast.Name):
                yield self.bound(node.id) or (self.source.path, node.id)
                yield from ((star, node.id) for star in stars)
            elif isinstance(node, ast.Attribute):
                module, name = self.bound(last_name(node.value)) or (None, "")
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
