"""What each call of `print` in a script's files has printed, as the attempt notes it, with its source."""

import ast
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_training.execution.attempt.startup.sitecustomize import LINE, PART, RECORD
from pytest_training.execution.job_files import open_own
from pytest_training.execution.readers.expressions import Source
from pytest_training.execution.readers.made_texts import pieces_of
from pytest_training.jobs.source.literals import last_name

LARGEST_NOTES, LARGEST_SOURCE, MOST_FILES, MOST_TIMES = 2**22, 2**20, 20, 30


class Noted(NamedTuple):
    """What the attempt has noted of a line that writes."""

    path: str
    line: int
    writes: int  # how often it wrote: twice for each value
    at: int  # as which one of all the last time
    first: list[str]
    last: list[str]


class Shown(NamedTuple):
    """A value that a call prints."""

    value: ast.expr
    before: str  # the text before it
    is_percent: bool
    is_alone: bool


class Call(NamedTuple):
    """A call whose source is known, and what it has printed."""

    noted: Noted
    source: Source
    node: ast.Call
    texts: tuple[str, ...]  # the constant ones
    shown: tuple[Shown, ...]  # the others
    times: int
    rows: list[tuple[str, ...]]  # what they were, each time, or at least the last time
    last: list[str]  # the texts of all its values, the last time
    repeated: ast.AST | None  # the innermost loop around it, else its function


def calls_of(notes: Path, workplace: Path) -> Iterator[Call]:
    """Yield the calls that were noted and whose source says what they print."""
    sources: dict[str, tuple[Source, dict[int, list[ast.Call]]] | None] = {}
    for each in _noted(notes):
        if each.path not in sources and len(sources) >= MOST_FILES:
            continue
        if each.path not in sources:
            sources[each.path] = _source(workplace / each.path)
        source, prints = sources[each.path] or (None, {})
        nodes = prints.get(each.line, [])
        if source and len(nodes) == 1 and (call := _call(each, source, nodes[0])):
            yield call


def _noted(notes: Path) -> Iterator[Noted]:
    """Yield what the attempt has noted; the job may have changed the file."""
    try:
        with open_own(notes) as file:
            content = file.read(LARGEST_NOTES + 1)
        for record in content.decode("utf-8").split(RECORD) if len(content) <= LARGEST_NOTES else ():
            head, first, last = record.split(LINE)
            path, *numbers = head.split(PART)
            line, writes, at = map(int, numbers)
            yield Noted(path, line, writes, at, first.split(PART), last.split(PART))
    except (OSError, ValueError):
        return  # none, or not as the attempt leaves them


def _source(path: Path) -> tuple[Source, dict[int, list[ast.Call]]] | None:
    """Return a file as far as it can be read, and its calls of `print` by line."""
    try:
        with open_own(path) as file:
            content = file.read(LARGEST_SOURCE)
        with warnings.catch_warnings(action="ignore"):  # an invalid escape is the job's own affair
            source = Source(ast.parse(content))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    prints: dict[int, list[ast.Call]] = defaultdict(list)
    for node in source.nodes:
        if isinstance(node, ast.Call) and last_name(node.func) == "print":
            prints[node.lineno].append(node)
    return source, prints


def _call(noted: Noted, source: Source, node: ast.Call) -> Call | None:
    """Return a call with the values in what it printed, or None if its source does not say which these are."""
    size = 2 * len(node.args)  # each value, and what follows it
    if not 0 < size <= len(noted.last) or noted.writes % size:
        return None
    pieces, times, last = [pieces_of(value) for value in node.args], noted.writes // size, noted.last[-size::2]
    has_all = times <= MOST_TIMES and len(noted.first) >= noted.writes
    printed = [noted.first[at : at + size : 2] for at in range(0, noted.writes, size)] if has_all else [last]
    rows = [_values_in(pieces, texts) for texts in printed]
    flat = [piece for part in pieces for piece in part]
    shown = tuple(
        Shown(piece, str(before), is_percent=str(after).lstrip().startswith("%"), is_alone=len(flat) == 1)
        for before, piece, after in zip(["", *flat], flat, [*flat[1:], ""], strict=False)
        if not isinstance(piece, str)
    )
    loops = (each for each in source.around(node) if isinstance(each, ast.For | ast.While))
    repeated = next(loops, None) or source.function(node)
    texts = tuple(piece for piece in flat if isinstance(piece, str))
    if None in rows or not rows:
        return None
    return Call(noted, source, node, texts, shown, times, [row for row in rows if row is not None], last, repeated)


def _values_in(pieces: Sequence[list[str | ast.expr]], texts: Sequence[str]) -> tuple[str, ...] | None:
    """Return what the values were in the texts that were printed."""
    if len(pieces) != len(texts):
        return None
    values: list[str] = []
    for parts, text in zip(pieces, texts, strict=True):
        own = _between(parts, text)
        if own is None:
            return None
        values += own
    return tuple(values)


def _between(parts: Sequence[str | ast.expr], text: str) -> list[str] | None:
    """Return the values between the constant parts of a text, each as short as can be."""
    values: list[str] = []
    start, is_open = 0, False
    for place, part in enumerate(parts, 1):
        if not isinstance(part, str):
            values += [""] if is_open else []
            is_open = True
            continue
        begin = len(text) - len(text[start:].lstrip()) if is_open and part.isspace() else start  # `{x:>9}  {y:>9}`
        at = len(text) - len(part) if is_open and place == len(parts) else text.find(part, begin)
        if at < start or not text.startswith(part, at) or (at > start and not is_open):
            return None
        values += [text[start:at]] if is_open else []
        start, is_open = at + len(part), False
    values += [text[start:]] if is_open else []
    return values if is_open or start == len(text) else None
