"""Paths that a source names literally: `open("a.yaml")`, `HERE / "configs" / "a.json"`, `join("a", "b.csv")`."""

import ast
import itertools
import re
import warnings
from collections.abc import Iterator

from pytest_training.jobs.source.literals import Constants, last_name, walk

LONGEST_PATH = 300
DEEPEST = 6  # operators and names in one expression of a path
_JOINS = {"join", "joinpath", "Path", "PurePath"}
_PATHS = (ast.Constant, ast.JoinedStr, ast.BinOp, ast.Call, ast.Name)
_HINTS = re.compile(rb"""\.\w+['"]|\b(open|Path|join|read\w*|load\w*)\b""")
_WRITES = re.compile(r"write_.*|to_.*|save.*|dump|mkdir|touch|unlink|FileHandler|basicConfig")


def named_paths(content: bytes) -> set[str]:
    """Return what may be a path among the literals of a Python source, but for what it writes."""
    if not _HINTS.search(content):
        return set()
    try:
        with warnings.catch_warnings(action="ignore"):  # an invalid escape is the job's own affair
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    ends = (_known_end(parts) for _, parts in _all_paths(tree, Constants(tree)))
    return {path for path in ends if path and len(path) <= LONGEST_PATH and path.isprintable()}


def whole_paths(tree: ast.Module, constants: Constants) -> set[str]:
    """Return the paths of a source that are literal from their beginning, but for what it writes."""
    paths = dict(_all_paths(tree, constants))
    inside = {below for node, parts in paths.items() if len(parts) > 1 for below in walk(node) if below is not node}
    literal = (list(filter(None, parts)) for node, parts in paths.items() if node not in inside and all(parts))
    return {path for parts in literal if len(path := "/".join(parts)) <= LONGEST_PATH and path.isprintable()}


def _all_paths(tree: ast.Module, constants: Constants) -> Iterator[tuple[ast.AST, list[str | None]]]:
    """Yield each expression that may be a path that is read, with its parts."""
    nodes = list(walk(tree))
    written = {node for call in nodes if _writes(call, constants) for node in walk(call)}
    outputs = filter(None, (constants.node(node.id) for node in written if isinstance(node, ast.Name)))
    written |= {node for output in outputs for node in walk(output)}
    paths = (node for node in nodes if isinstance(node, _PATHS) and node not in written)
    yield from ((node, _parts(node, constants, 0)) for node in paths)


def known_path(node: ast.expr | None, constants: Constants) -> str:
    """Return the path that an expression stands for, without what lies above its literal part."""
    return _known_end(_parts(node, constants, 0))


def _known_end(parts: list[str | None]) -> str:
    """Return the path behind the last unknown part."""
    return "/".join(filter(None, reversed([*itertools.takewhile(bool, reversed(parts))])))


def _parts(node: ast.AST | None, constants: Constants, depth: int) -> list[str | None]:
    """Return the parts of a path that an expression stands for, with None for each unknown one."""
    below: list[ast.expr | None] = []
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=[*_, ast.Constant(value=str(text))]) if text.startswith("/"):
            return [None, text.lstrip("/")]
        case ast.Name(id=name, ctx=ast.Load()):
            below = [constants.node(name)]
        case ast.BinOp(op=ast.Div()):
            below = [node.left, node.right]
        case ast.Call(func=ast.Attribute() | ast.Name() as function) if last_name(function) in _JOINS:
            below = [
                *([function.value] if isinstance(function, ast.Attribute) and function.attr == "joinpath" else []),
                *node.args,
            ]
    if not below or depth > DEEPEST:
        return [None]
    return [part for each in below for part in _parts(each, constants, depth + 1)]


def _writes(node: ast.AST, constants: Constants) -> bool:
    """Return True for a call that writes a file: `path.write_text(…)`, `frame.to_csv(…)`, `open(path, "w")`."""
    if not isinstance(node, ast.Call):
        return False
    name = last_name(node.func)
    if name != "open":
        return bool(_WRITES.fullmatch(name))
    modes = [*node.args[1:2], *(item.value for item in node.keywords if item.arg == "mode")]
    return any({*"wax"} & {*text} for mode in modes for text in constants.strings(mode))
