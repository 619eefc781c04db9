"""A text that a program makes, by its source: what is constant in it, and the values between."""

import ast
import re
import string
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

_FORMAT = re.compile(r"%(?:[-+ #0]*(?:\d+)?(?:\.\d+)?([a-zA-Z])|%)")
UNKNOWN = ast.Name("")
"""A value of which the source does not say what it is."""


def pieces_of(value: ast.expr) -> list[str | ast.expr]:
    """Return a text with values in it as its constant parts and its values; no two constant parts follow each other."""
    merged: list[str | ast.expr] = []
    for piece in _pieces(value):
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        elif piece != "":
            merged.append(piece)
    return merged


def _pieces(value: ast.expr) -> list[str | ast.expr]:  # noqa: PLR0911  (one form of a text each)
    match value:
        case ast.Constant(value=constant):
            return [str(constant)]
        case ast.JoinedStr(values=parts):
            return [piece for part in parts for piece in _pieces(part)]
        case ast.FormattedValue(value=inner):
            return [inner]
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod(), right=right):
            return _of_percent(text, right.elts if isinstance(right, ast.Tuple) else [right])
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format"), args=args, keywords=named
        ):
            return _of_format(text, args, {each.arg: each.value for each in named})
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            pieces = [*_pieces(left), *_pieces(right)]
            return pieces if any(isinstance(piece, str) for piece in pieces) and not _is_sum(left, right) else [value]
        case ast.Call(func=ast.Name(id="str"), args=[inner]):
            return [inner]
    return [value]


def _is_sum(*terms: ast.expr) -> bool:
    return any(isinstance(term, ast.Constant) and not isinstance(term.value, str) for term in terms)


def _of_percent(text: str, values: Sequence[ast.expr]) -> list[str | ast.expr]:
    """Return the parts of `"%d: %.3f" % (epoch, loss)`."""
    pieces: list[str | ast.expr] = []
    start, given = 0, iter(values)
    for field in _FORMAT.finditer(text):
        pieces += [text[start : field.start()], next(given, UNKNOWN) if field[1] else "%"]
        start = field.end()
    return [*pieces, text[start:]]


def _of_format(text: str, values: Sequence[ast.expr], named: Mapping[str | None, ast.expr]) -> list[str | ast.expr]:
    """Return the parts of `"{}: {loss:.3f}".format(epoch, loss=loss)`."""
    pieces: list[str | ast.expr] = []
    given: Mapping[Any, ast.expr] = {**dict(enumerate(values)), **named}
    numbers = count()
    try:
        for before, field, _, _ in string.Formatter().parse(text):
            key = None if field is None else int(field) if field.isdecimal() else field or next(numbers)
            pieces += [before] if key is None else [before, given.get(key, UNKNOWN)]
    except ValueError:  # braces that do not match
        return [UNKNOWN]
    return pieces
