"""Parameters of functions and attributes of classes, nested ones too: what many libraries make options of."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from pytest_training.jobs.source.literals import last_name, walk
from pytest_training.jobs.source.used import DEEPEST, Definition, Module

_FIELD_CALLS, _NO_VALUE = {"field", "Field", "HfArg", "ib", "attrib"}, {"MISSING", "NOTHING"}
_DATA = {
    "dataclass",
    "define",
    "attrs",
    "frozen",
    "BaseModel",
    "BaseSettings",
}  # of classes with fields
_WRAPPERS = {"Optional", "Annotated", "Type", "type", "Union"}
Found = tuple[Definition, Module]  # a function or class, with the file that defines it


class Field(NamedTuple):
    """A parameter or attribute; one of a nested class has a dotted name."""

    name: str
    annotation: ast.expr | None
    default: ast.expr | None  # None if it has none; an expression that is no literal if the source does not show it
    module: Module


def fields(found: Found, prefix: str = "") -> Iterator[Field]:
    """Yield the parameters of a function, or what a class takes, its nested classes opened."""
    for member in _members(found).values():
        if (nested := _data_class(member.annotation, member.module) if prefix.count(".") < DEEPEST else None) is None:
            yield member._replace(name=prefix + member.name)
            continue
        call = member.default if isinstance(member.default, ast.Call) else None
        is_shown = member.default is None or (call and member.module.definition(call.func) == nested)
        stated = {item.arg: item.value for item in call.keywords} if call and is_shown else {}
        for field in fields(nested, f"{prefix}{member.name}."):
            default = stated.get(field.name.rpartition(".")[2], field.default) if is_shown else member.default
            yield field._replace(default=default)


def _data_class(annotation: ast.expr | None, module: Module) -> Found | None:
    """Return the dataclass, or the like, that an annotation names: `Config`, `configs.Config`, `Config | None`."""
    below: list[ast.expr] = []
    if isinstance(annotation, ast.Subscript) and last_name(annotation.value) in _WRAPPERS:
        below = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    elif isinstance(annotation, ast.BinOp):
        below = [annotation.left, annotation.right]
    elif found := module.definition(annotation):
        return found if _is_data(*found) else None
    return next(filter(None, (_data_class(each, module) for each in below)), None)


def _is_data(node: Definition, module: Module, depth: int = 0) -> bool:
    bases = node.bases if isinstance(node, ast.ClassDef) else []
    made = (item.func if isinstance(item, ast.Call) else item for item in node.decorator_list)
    if any(last_name(item) in _DATA for item in (*made, *bases)):
        return True
    return any(_is_data(*each, depth + 1) for base in bases if depth < DEEPEST and (each := module.definition(base)))


def _members(found: Found, depth: int = 0) -> dict[str, Field]:
    node, module = found
    if isinstance(node, ast.FunctionDef):
        named = ((argument.arg, argument.annotation, value) for argument, value in parameters(node))
        return {name: Field(name, annotation, _stated(value), module) for name, annotation, value in named}
    if init := next((item for item in functions(node) if item.name == "__init__"), None):
        return dict([*_members((init, module)).items()][1:])
    members: dict[str, Field] = {}
    for base in reversed(node.bases if depth < DEEPEST else []):
        above = module.definition(base) if last_name(base) not in _DATA else None
        members |= _members(above, depth + 1) if above else {}
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and _is_field(item):
            members[item.target.id] = Field(item.target.id, item.annotation, _stated(item.value), module)
    return members


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
        if (factory := stated.get("default_factory") or stated.get("factory")) is not None:
            empty = {"list": ast.List([]), "dict": ast.Dict([], [])}.get(last_name(factory))
            return factory.body if isinstance(factory, ast.Lambda) else empty or ast.Call(factory, [], [])
        value = stated.get("default", value.args[0] if value.args else None)
    is_none = last_name(value) in _NO_VALUE or (isinstance(value, ast.Constant) and value.value is Ellipsis)
    return None if is_none else value
