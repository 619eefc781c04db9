"""Loops over literals that declare options: `for name, default in {"lr": 0.1}.items(): parser.add_argument(…)`."""

import ast
import copy
from collections.abc import Iterable, Iterator
from typing import Any

from pytest_training.jobs.source.literals import Constants, last_name, walk


def unrolled(nodes: Iterable[ast.AST], constants: Constants) -> list[ast.AST]:
    """Return the nodes; instead of a loop over a literal, those of each of its rounds."""
    result: list[ast.AST] = []
    done: set[ast.AST] = set()
    aliases: dict[str, ast.expr] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and getattr(node.value, "attr", "") == "add_argument":
            aliases[last_name(node.targets[0])] = node.value  # add = parser.add_argument
        if isinstance(node, ast.For) and node not in done and (rounds := [*_rounds(node, constants)]):
            done.update(walk(node))
            bodies = [_Filled(values).visit(copy.deepcopy(item)) for values in rounds for item in node.body]
            result += unrolled((part for item in bodies for part in walk(item)), constants)
        elif node not in done:
            if isinstance(node, ast.Call) and (method := aliases.get(last_name(node.func))):
                node = ast.copy_location(ast.Call(method, node.args, node.keywords), node)  # noqa: PLW2901  (as it reads)
            result.append(node)
    return result


def _rounds(loop: ast.For, constants: Constants) -> Iterator[dict[str, ast.expr]]:
    """Yield what the loop's variables stand for in each round, if it declares options and its values are literal."""
    if any(isinstance(node, ast.Attribute) and node.attr == "add_argument" for node in walk(loop)):
        called = loop.iter.func if isinstance(loop.iter, ast.Call) else None
        table = called.value if isinstance(called, ast.Attribute) else loop.iter
        table = constants.node(last_name(table)) or table
        if isinstance(table, ast.Dict):
            for key, value in ((key, value) for key, value in zip(table.keys, table.values, strict=True) if key):
                item = {"items": ast.Tuple([key, value]), "values": value}.get(getattr(called, "attr", ""), key)
                yield _bound(loop.target, item)
        elif isinstance(table, ast.List | ast.Tuple):
            yield from (_bound(loop.target, item) for item in table.elts)


def _bound(target: ast.expr, value: ast.expr) -> dict[str, ast.expr]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple | ast.List):
        pairs = zip(target.elts, value.elts, strict=False)
        return {name: each for part, item in pairs for name, each in _bound(part, item).items()}
    return {last_name(target): value}


class _Filled(ast.NodeTransformer):
    """Puts values in the place of names, and joins the texts that arise."""

    def __init__(self, values: dict[str, ast.expr]) -> None:
        self._values = values

    def visit(self, node: ast.AST) -> Any:
        """Return what stands in the place of a node."""
        return self._values.get(node.id, node) if isinstance(node, ast.Name) else _folded(super().visit(node))


def _folded(node: ast.AST) -> ast.AST:
    match node:
        case ast.FormattedValue(value=ast.Constant(value=value), format_spec=None):
            return ast.Constant(str(value))
        case ast.JoinedStr(values=parts) if all(isinstance(part, ast.Constant) for part in parts):
            return ast.Constant("".join(str(getattr(part, "value", "")) for part in parts))
        case ast.BinOp(left=ast.Constant(value=str(left)), op=ast.Add(), right=ast.Constant(value=str(right))):
            return ast.Constant(left + right)
        case ast.Call(func=ast.Name(id="type"), args=[ast.Constant(value=value)]):
            return ast.Name(type(value).__name__)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="replace"), args=[old, new]):
            return ast.Constant(text.replace(str(getattr(old, "value", "")), str(getattr(new, "value", ""))))
    return node
