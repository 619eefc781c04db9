"""Loops over literals that declare options: `for name, default in {"lr": 0.1}.items(): parser.add_argument(…)`."""

import ast
import copy
from collections.abc import Iterator, Sequence
from typing import Any

from pytest_training.jobs.source.literals import Constants, last_name, walk

MOST_ROUNDS = 500


def unrolled(nodes: Sequence[ast.AST], constants: Constants) -> list[ast.AST]:
    """Return the nodes; instead of a loop over a literal, those of each of its rounds."""
    result: list[ast.AST] = []
    done: set[ast.AST] = set()
    for node in nodes:
        if node in done:
            continue
        rounds = _rounds(node, constants) if isinstance(node, ast.For) and _declares(node) else []
        done.update(walk(node) if rounds else ())
        for values in rounds[:MOST_ROUNDS]:
            body = [_Filled(values).visit(copy.deepcopy(item)) for item in getattr(node, "body", ())]
            result += unrolled([part for item in body for part in walk(item)], constants)
        result += [] if rounds else [node]
    return result


def _declares(loop: ast.For) -> bool:
    return any(isinstance(node, ast.Call) and last_name(node.func) == "add_argument" for node in walk(loop))


def _rounds(loop: ast.For, constants: Constants) -> list[dict[str, ast.expr]]:
    """Return what the loop's variables stand for in each round; nothing if its values are no literal."""
    return [_bound(loop.target, item) for item in _items(loop.iter, constants)]


def _items(node: ast.expr, constants: Constants) -> list[ast.expr]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "items":
        table = _literal(node.func.value, constants)
        pairs = zip(table.keys, table.values, strict=True) if isinstance(table, ast.Dict) else ()
        return [ast.Tuple([key, value], ast.Load()) for key, value in pairs if key]
    node = _literal(node, constants)
    if isinstance(node, ast.Dict):
        return [key for key in node.keys if key]
    return node.elts if isinstance(node, ast.List | ast.Tuple) else []


def _literal(node: ast.expr, constants: Constants) -> ast.expr:
    return (constants.node(node.id) or node) if isinstance(node, ast.Name) else node


def _bound(target: ast.expr, value: ast.expr) -> dict[str, ast.expr]:
    if isinstance(target, ast.Name):
        return {target.id: value}
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple | ast.List):
        pairs = zip(target.elts, value.elts, strict=False)
        return {name: each for part, item in pairs for name, each in _bound(part, item).items()}
    return {}


class _Filled(ast.NodeTransformer):
    """Puts values in the place of names, and joins the texts that arise."""

    def __init__(self, values: dict[str, ast.expr]) -> None:
        self._values = values

    def visit(self, node: ast.AST) -> Any:
        """Return what stands in the place of a node."""
        if isinstance(node, ast.Name):
            return self._values.get(node.id, node)
        return _folded(super().visit(node))


def _folded(node: ast.AST) -> ast.AST:
    match node:
        case ast.JoinedStr(values=parts) if all(isinstance(_part(part), ast.Constant) for part in parts):
            return ast.Constant("".join(str(getattr(_part(part), "value", "")) for part in parts))
        case ast.BinOp(left=ast.Constant(value=str(left)), op=ast.Add(), right=ast.Constant(value=str(right))):
            return ast.Constant(left + right)
        case ast.Subscript(value=ast.Dict(keys=keys, values=values), slice=ast.Constant(value=name)):
            pairs = zip(keys, values, strict=True)
            return next((value for key, value in pairs if getattr(key, "value", None) == name), node)
        case ast.Call(func=ast.Name(id="type"), args=[ast.Constant(value=value)]):
            return ast.Name(type(value).__name__)
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str(text)), attr="replace"),
            args=[ast.Constant(value=str(old)), ast.Constant(value=str(new))],
        ):
            return ast.Constant(text.replace(old, new))
        case ast.Call():
            node.keywords = [each for item in node.keywords for each in _keywords(item)]
    return node


def _part(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.FormattedValue) and node.format_spec is None else node


def _keywords(item: ast.keyword) -> Iterator[ast.keyword]:
    """Yield what `**{"type": int}` and `**dict(type=int)` pass."""
    if item.arg is None and isinstance(item.value, ast.Dict):
        pairs = zip(item.value.keys, item.value.values, strict=True)
        yield from (ast.keyword(str(getattr(key, "value", "")), value) for key, value in pairs)
    elif item.arg is None and isinstance(item.value, ast.Call) and last_name(item.value.func) == "dict":
        yield from item.value.keywords
    else:
        yield item
