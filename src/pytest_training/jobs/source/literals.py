"""What a syntax tree shows without running it: constants, literal values, types, and the need of an own interpreter."""

from __future__ import annotations

import ast
import contextlib
import copy
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeGuard

from pytest_training.jobs.model import Type

MISSING: Final = object()  # stands for a value that the source alone does not show
UNREAD: Final = object()  # stands for a default that the source states and does not show
LARGEST_INTEGER = 2**63
_TYPES: dict[str, Type] = {
    **dict.fromkeys(("list", "List", "tuple", "Tuple", "Sequence", "Iterable", "Collection"), "list"),
    **dict.fromkeys(("dict", "Dict", "Mapping", "MutableMapping"), "dict"),
    **dict.fromkeys(("str", "Path", "PathLike", "PurePath"), "str"),
    "int": "int",
    "float": "float",
    "bool": "bool",
}
LIBRARY_VARIABLE = re.compile(
    r"\w+_NUM_THREADS|\w+_MAX_THREADS|LOKY_MAX_CPU_COUNT"
    r"|(CUDA|HF|JAX|KMP|MKL|MPL|NCCL|OMP|PYTORCH|TF|TOKENIZERS|TORCH|TRANSFORMERS|XLA)_\w+|MPLBACKEND|PYTHON\w+"
)  # variables that numeric libraries and Python itself read once, when they are loaded
_HINTS = re.compile(rb"executable|orig_argv|spawn|forkserver|environ|putenv|\bexec[lv]")
_OWN_PROGRAM = {"executable", "orig_argv"}
_NEW_INTERPRETERS = {"spawn", "forkserver"}
_WRITES = {"setdefault", "update", "pop", "clear", "__setitem__"}


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the node and all below it in source order; three times as fast as `ast.walk`."""
    todo = [node]
    while todo:
        node = todo.pop()
        yield node
        below: list[ast.AST] = []
        for value in node.__dict__.values():
            if isinstance(value, ast.AST):
                below.append(value)
            elif isinstance(value, list):
                below.extend(item for item in value if isinstance(item, ast.AST))
        todo.extend(reversed(below))


def module_statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield what runs when a module is imported: opens if, try, with and loops, not functions and classes."""
    for statement in body:
        if is_guard(statement):
            yield from module_statements(statement.orelse)
            continue
        yield statement
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for field in ("body", "handlers", "orelse", "finalbody"):
                for block in getattr(statement, field, ()):
                    yield from module_statements(block.body if isinstance(block, ast.ExceptHandler) else [block])


def is_guard(statement: ast.stmt) -> TypeGuard[ast.If]:
    """Return True if the statement is `if TYPE_CHECKING:` or `if __name__ == "__main__":`."""
    return is_main_guard(statement) or (isinstance(statement, ast.If) and last_name(statement.test) == "TYPE_CHECKING")


def is_main_guard(statement: ast.stmt) -> bool:
    """Return True if the statement is `if __name__ == "__main__":`."""
    return isinstance(statement, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in walk(statement.test)
    )


def last_name(node: ast.AST | None) -> str:
    """Return `c` for the expressions `c` and `a.b.c`, else nothing."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def storable(value: Any) -> Any:
    """Return the value as it survives JSON (tuples become lists), or MISSING if it does not."""
    if isinstance(value, list | tuple):
        items = [storable(item) for item in value]
        return MISSING if any(item is MISSING for item in items) else items
    if isinstance(value, dict):
        pairs = {key: storable(item) for key, item in value.items()}
        sound = all(isinstance(key, str) and item is not MISSING for key, item in pairs.items())
        return pairs if sound else MISSING
    if isinstance(value, str):
        sound = not any("\ud800" <= character <= "\udfff" for character in value)
    elif isinstance(value, float):
        sound = math.isfinite(value)
    else:
        sound = value is None or (isinstance(value, int) and abs(value) < LARGEST_INTEGER)
    return value if sound else MISSING


class Constants:
    """The names that a module assigns exactly once, and the literals that they stand for."""

    def __init__(self, tree: ast.Module) -> None:
        self._values: dict[str, ast.expr | None] = {}
        self._imported: Callable[[ast.expr], ast.expr | None] = lambda _: None
        for statement in module_statements(tree.body):
            for name, value in _assigned(statement):
                self._values[name] = None if name in self._values else value

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def following(self, imported: Callable[[ast.expr], ast.expr | None]) -> Constants:
        """Return these, and what `imported` finds in other modules for a name or `module.name`."""
        constants = copy.copy(self)
        constants._imported = imported  # noqa: SLF001  (one of its own class)
        return constants

    def node(self, name: str) -> ast.expr | None:
        """Return the expression that the module assigns to the name, if it does so once."""
        return self._values[name] if name in self._values else self._imported(ast.Name(name))

    def literal(self, node: ast.expr | None) -> Any:
        """Return the value of a literal, or of a name that stands for one, else MISSING."""
        if isinstance(node, ast.Name):
            node = self.node(node.id)
        elif isinstance(node, ast.Attribute):
            node = self._imported(node)
        with contextlib.suppress(ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return MISSING if node is None else storable(ast.literal_eval(node))
        return MISSING

    def strings(self, node: ast.expr | None) -> list[str]:
        """Return the texts of a literal list, or of one text."""
        value = self.literal(node)
        values = value if isinstance(value, list) else [value]
        return [text for text in values if isinstance(text, str)]


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            parts = (part for part in walk(target) if isinstance(part, ast.Name))
            yield from ((part.id, statement.value if part is target else None) for part in parts)
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
        yield statement.target.id, statement.value
    elif isinstance(statement, ast.AugAssign | ast.For):
        yield from ((part.id, None) for part in walk(statement.target) if isinstance(part, ast.Name))


class Annotation(NamedTuple):
    """The types that an annotation allows beside None, and the values if it lists them."""

    types: frozenset[Type] = frozenset()
    choices: tuple[Any, ...] | None = None


def read_annotation(node: ast.expr | None) -> Annotation:
    """Read an annotation such as `int`, `"str | None"`, `Optional[float]` or `Literal["a", "b"]`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            node = ast.parse(node.value, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return Annotation(frozenset({"any"}))
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return Annotation()
    if isinstance(node, ast.BinOp):
        return _union([node.left, node.right])
    if isinstance(node, ast.Subscript):
        return _read_subscript(node)
    return Annotation(frozenset({_TYPES.get(last_name(node), "any")}))


def _read_subscript(node: ast.Subscript) -> Annotation:
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    name = last_name(node.value)
    if name in {"Optional", "Union"}:
        return _union(inner)
    if name == "Annotated":
        return read_annotation(inner[0])
    if name == "Literal":
        values = [item.value for item in inner if isinstance(item, ast.Constant) and item.value is not None]
        return Annotation(frozenset(map(type_of, values)), tuple(values))
    return read_annotation(node.value)


def _union(parts: list[ast.expr]) -> Annotation:
    read = [read_annotation(part) for part in parts]
    choices = next((part.choices for part in read if part.choices), None)
    types = frozenset().union(*(part.types for part in read))
    return Annotation(types, choices if sum(bool(part.types) for part in read) == 1 else None)


def type_of(value: Any) -> Type:
    """Return the type of a value in the project's words; `any` for None."""
    return _TYPES.get(type(value).__name__, "any")


def parameter_type(annotation: Annotation, default: Any) -> Type:
    """Return what a parameter's values must be: the default's type, widened by the annotation."""
    types: frozenset[Type] = frozenset({"float"}) if annotation.types == {"int", "float"} else annotation.types
    if default is None or default is MISSING:
        return next(iter(types)) if len(types) == 1 else "any"
    if len(types) > 1:
        return "any"
    kind = type_of(default)
    return "float" if kind == "int" and types == {"float"} else kind


def why_fresh(tree: ast.Module, content: bytes, label: str) -> str | None:
    """Return the first reason, with its file and line, for an interpreter of its own, or None.

    A fork has the libraries loaded already: too late to set what they read when they are imported.
    """
    if not _HINTS.search(content):
        return None
    nodes = list(walk(tree))
    last_import = max((node.lineno for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)), default=0)
    for node in nodes:
        if reason := _interpreter(node) or _environment(node, last_import):
            return f"{label}:{getattr(node, 'lineno', 1)}: {reason}"
    return None


def _interpreter(node: ast.AST) -> str | None:
    """Return how a node uses this interpreter's program, or starts new interpreters, if it does."""
    if isinstance(node, ast.Attribute) and last_name(node.value) == "sys" and node.attr in _OWN_PROGRAM:
        return f"reads sys.{node.attr}"
    if isinstance(node, ast.ImportFrom) and node.module == "sys":
        taken = {alias.name for alias in node.names} & _OWN_PROGRAM
        return f"reads sys.{min(taken)}" if taken else None
    return _call(node) if isinstance(node, ast.Call) else None


def _call(call: ast.Call) -> str | None:
    name = last_name(call.func)
    ways = {_text(part) for part in (*call.args, *(keyword.value for keyword in call.keywords))} & _NEW_INTERPRETERS
    if name in {"set_start_method", "get_context"} and ways:
        return f"starts processes by {min(ways)}"
    if name == "spawn":
        return "starts processes by spawn"
    if isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "os" and name.startswith("exec"):
        return f"calls os.{name}"
    return None


def _environment(node: ast.AST, last_import: int) -> str | None:
    """Return the variable that a node sets and that a library may read when it is imported, or None."""
    if (written := _written(node)) is not None and LIBRARY_VARIABLE.fullmatch(written):
        return f"sets {written}"
    is_early = written is not None and getattr(node, "lineno", 0) < last_import
    return f"sets {written or 'environment variables'} before an import" if is_early else None


def _written(node: ast.AST) -> str | None:
    """Return the variable that a node sets in os.environ, "" if its name is not literal, or None if it sets none."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return _text(node.slice) if last_name(node.value) == "environ" else None
    if isinstance(node, ast.Call) and last_name(node.func) == "putenv":
        return _text(node.args[0] if node.args else None)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _WRITES:
        return _text(node.args[0] if node.args else None) if last_name(node.func.value) == "environ" else None
    return None


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
