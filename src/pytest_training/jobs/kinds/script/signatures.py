"""Parameters of functions and attributes of classes, nested ones too: what many libraries make options of."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pytest_training.jobs.source.literals import last_name, walk
from pytest_training.jobs.source.sources import Source, Sources, Unreadable, read_source
from pytest_training.jobs.source.used import Module

DEEPEST = 8
"""Imports from which a name comes, and classes in one another."""
_FIELD_CALLS = {"field", "Field", "HfArg", "ib", "attrib"}
_NO_VALUE = {"MISSING", "NOTHING"}
_DATA = {"dataclass", "define", "attrs", "frozen", "BaseModel", "BaseSettings"}
"""Decorators and bases of classes whose attributes are fields."""


class Found(NamedTuple):
    """A function or class, with the file that defines it."""

    node: ast.FunctionDef | ast.ClassDef
    module: Module


class Field(NamedTuple):
    """A parameter or attribute; one of a nested class has a dotted name."""

    name: str
    annotation: ast.expr | None
    default: ast.expr | None
    """None if it has none; an expression that is no literal if the source does not show it."""
    module: Module


class Definitions:
    """Finds functions and classes in a script, in local modules, and in installed ones; imports nothing."""

    def __init__(self, sources: Sources, used: Iterable[Source]) -> None:
        self._sources, self._used = sources, {source.path: source for source in used}

    def module(self, path: Path) -> Module | None:
        """Return a file's definitions and imports, read once, or None if it cannot be read."""
        modules = self._sources.modules
        if path not in modules:
            try:
                source = self._used.get(path) or read_source(path, self._sources.root)
                modules[path] = Module(source, self._sources)
            except (Unreadable, RecursionError):
                modules[path] = None
        module: Module | None = modules[path]
        return module

    def installed(self, package: str, name: str) -> Found | None:
        """Return what an installed package has under a name."""
        file = self._sources.module_file(self._sources.root / "x", package, 0, installed=True)
        module = self.module(file) if file else None
        return self.named(name, module) if module else None

    def find(self, node: ast.expr | None, module: Module) -> Found | None:
        """Return the function or class that an expression stands for: `Config`, `configs.Config`, `Config | None`."""
        if isinstance(node, ast.Subscript) and last_name(node.value) in {"Optional", "Annotated", "Type", "type"}:
            return self.find(node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice, module)
        if isinstance(node, ast.BinOp):
            return self.find(node.left, module) or self.find(node.right, module)
        if isinstance(node, ast.Attribute):
            file, name = module.bound(last_name(node.value), installed=True) or (None, "")
            above = self.module(file) if file and not name else None
            return self.named(node.attr, above) if above else None
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else last_name(node)
        return self.named(text, module) if text else None

    def named(self, name: str, module: Module, depth: int = 0) -> Found | None:
        """Return what a file defines or imports under a name."""
        for node in module.defined.get(name, ()):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
                return Found(node, module)
        bound = module.bound(name, installed=True) if depth < DEEPEST else None
        stars = module.stars(installed=True) if depth < DEEPEST else ()
        for file, original in [bound] if bound else [(star, name) for star in stars]:
            above = self.module(file) if original else None
            if above and (found := self.named(original, above, depth + 1)):
                return found
        return None

    def fields(self, found: Found, prefix: str = "") -> Iterator[Field]:
        """Yield the parameters of a function, or what a class takes, its nested classes opened."""
        for member in self._members(found, 0).values():
            nested = self.find(member.annotation, member.module) if prefix.count(".") < DEEPEST else None
            if nested is None or not self._is_data(nested):
                yield member._replace(name=prefix + member.name)
                continue
            call = member.default if isinstance(member.default, ast.Call) else None
            is_shown = member.default is None or (call and self.find(call.func, member.module) == nested)
            stated = {item.arg: item.value for item in call.keywords} if call and is_shown else {}
            for field in self.fields(nested, f"{prefix}{member.name}."):
                default = stated.get(field.name.rpartition(".")[2], field.default) if is_shown else member.default
                yield field._replace(default=default)

    def _is_data(self, found: Found, depth: int = 0) -> bool:
        """Return True for a class whose attributes are fields: a dataclass and the like."""
        if not isinstance(found.node, ast.ClassDef):
            return False
        made = [item.func if isinstance(item, ast.Call) else item for item in found.node.decorator_list]
        if any(last_name(item) in _DATA for item in (*made, *found.node.bases)):
            return True
        bases = (self.find(base, found.module) for base in found.node.bases)
        return depth < DEEPEST and any(self._is_data(base, depth + 1) for base in bases if base)

    def _members(self, found: Found, depth: int) -> dict[str, Field]:
        node, module = found
        if isinstance(node, ast.FunctionDef):
            return {
                name.arg: Field(name.arg, name.annotation, _stated(value), module) for name, value in parameters(node)
            }
        if init := next((item for item in functions(node) if item.name == "__init__"), None):
            return dict([*self._members(Found(init, module), depth).items()][1:])
        fields: dict[str, Field] = {}
        for base in reversed(node.bases if depth < DEEPEST else []):
            if last_name(base) not in _DATA and (above := self.find(base, module)):
                fields |= self._members(above, depth + 1)
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and _is_field(item):
                fields[item.target.id] = Field(item.target.id, item.annotation, _stated(item.value), module)
        return fields


def functions(node: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef]:
    """Yield the functions that a file or class defines."""
    yield from (item for item in node.body if isinstance(item, ast.FunctionDef))


def parameters(function: ast.FunctionDef) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Yield the parameters of a function with their defaults."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    padding: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    yield from zip(positional, [*padding, *arguments.defaults], strict=True)
    yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)


def _is_field(item: ast.AnnAssign) -> bool:
    stated = item.value.keywords if isinstance(item.value, ast.Call) else []
    is_outside = any(each.arg == "init" and getattr(each.value, "value", True) is False for each in stated)
    return not is_outside and "ClassVar" not in map(last_name, walk(item.annotation))


def _stated(value: ast.expr | None) -> ast.expr | None:
    """Return the default that an expression states, itself or as `field(default=…)` or `field(default_factory=…)`."""
    if isinstance(value, ast.Call) and last_name(value.func) in _FIELD_CALLS:
        stated = {item.arg: item.value for item in value.keywords}
        factory = stated.get("default_factory") or stated.get("factory")
        if factory is not None:
            empty = {"list": ast.List([]), "dict": ast.Dict([], [])}.get(last_name(factory))
            return factory.body if isinstance(factory, ast.Lambda) else empty or ast.Call(factory, [], [])
        value = stated.get("default", value.args[0] if value.args else None)
    is_none = last_name(value) in _NO_VALUE or (isinstance(value, ast.Constant) and value.value is Ellipsis)
    return None if is_none else value
