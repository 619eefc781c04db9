"""YAML as a tree that knows its lines. Owns reading and the questions a validator asks; knows no catalogue.

Scalars follow YAML 1.2: `yes` and dates are text, `1e-3` is a number. Tags are refused. An alias counts as
all that it stands for, so that a few lines cannot expand into a huge document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from pytest_training.errors import DeclarationError
from pytest_training.wording import listing, printable, shown

if TYPE_CHECKING:
    import yaml

LARGEST_FILE = 4 * 2**20
LARGEST_ALIASES = 10_000
DEEPEST = 30

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|nan)", re.IGNORECASE)


class Node(NamedTuple):
    """A scalar, a list of nodes, or a mapping of texts to the line of the key and the node."""

    value: Any
    line: int
    size: int = 1
    """Nodes in it, aliases counted as what they stand for."""


@dataclass(frozen=True)
class Entry:
    """A node with its place: every message about it names file, line and key."""

    file: str
    line: int
    key: str
    """Dotted: `jobs.als.timeout`; empty for the whole document."""
    node: Node

    @property
    def where(self) -> str:
        """Return the start of every message: `training/jobs.yaml:7: jobs.als.timeout`."""
        place = f"{self.file}:{self.line}"
        return f"{place}: {printable(self.key, 100)}" if self.key else place

    def error(self, message: str) -> DeclarationError:
        """Return an error that begins with the place."""
        return DeclarationError(f"{self.where}: {message}")

    def expected(self, what: str) -> DeclarationError:
        """Return an error that says what was expected and what was found."""
        return self.error(f"expected {what}, found {self.found}")

    @property
    def found(self) -> str:
        """Return what stands here, in words."""
        value = self.node.value
        return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else shown(value)

    @property
    def plain(self) -> Any:
        """Return the value as Python has it, without lines."""
        return _plain(self.node)

    def mapping(self, *, allowed: tuple[str, ...] = ()) -> dict[str, Entry]:
        """Return the entries of a mapping; nothing at all counts as an empty one."""
        value = {} if self.node.value is None else self.node.value
        if not isinstance(value, dict):
            raise self.expected(f"a mapping of {', '.join(allowed)}" if allowed else "a mapping")
        entries = {key: self._below(key, line, node) for key, (line, node) in value.items()}
        for key, entry in entries.items():
            if allowed and key not in allowed:
                raise entry.error(f"unknown key: expected one of {listing(key, allowed, limit=len(allowed))}")
        return entries

    def _below(self, key: str, line: int, node: Node) -> Self:
        return type(self)(self.file, line, f"{self.key}.{key}" if self.key else key, node)

    def items(self, what: str = "a list") -> list[Entry]:
        """Return the entries of a list."""
        if not isinstance(self.node.value, list):
            raise self.expected(what)
        pairs = enumerate(self.node.value)
        return [type(self)(self.file, node.line, f"{self.key}[{index}]", node) for index, node in pairs]

    def text(self, what: str = "text") -> str:
        """Return a text that is not empty."""
        if not isinstance(self.node.value, str) or not self.node.value.strip():
            raise self.expected(what)
        return self.node.value

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.node.value, bool):
            raise self.expected("true or false")
        return self.node.value

    def whole(self, *, minimum: int, maximum: int = 1_000_000) -> int:
        """Return a whole number within the limits."""
        value = self.node.value
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise self.expected(f"a whole number of at least {minimum}")
        return value


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _plain(below) for key, (_, below) in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(below) for below in node.value]
    return node.value


def read_scalar(text: str) -> Any:
    """Return what a plain scalar stands for in YAML 1.2's core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if _NOT_FINITE.fullmatch(text) else text


def read_file(path: Path, file: str) -> Entry:
    """Read a YAML file; an empty one is an entry without a value."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DeclarationError(f"{file}: expected at most {LARGEST_FILE // 2**20} MiB of YAML")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DeclarationError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DeclarationError(
            f"{file}:{line}: expected text in UTF-8, found the byte {error.object[error.start]:#04x}"
        ) from error
    return read_document(text, file)


def read_document(text: str, file: str) -> Entry:
    """Read a YAML text; the file's name is for messages."""
    import yaml  # noqa: PLC0415 - a project without jobs.yaml never pays for it

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = _Composer(yaml.parse(text, Loader=loader), file).document()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, file) from error
    except yaml.reader.ReaderError as error:
        line = text.encode(errors="replace")[: error.position].count(b"\n") + 1
        raise DeclarationError(f"{file}:{line}: not valid YAML: {error.reason}") from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise DeclarationError(f"{file}: not valid YAML: {printable(str(error), 200)}") from error
    return Entry(file, node.line, "", node)


def _syntax_error(error: yaml.MarkedYAMLError, text: str, file: str) -> DeclarationError:
    mark = error.problem_mark or error.context_mark
    lines = text.splitlines()
    line = mark.line if mark else 0
    tab = line < len(lines) and "\t" in lines[line]
    hint = " (a tab stands there: YAML is indented with spaces)" if tab else ""
    return DeclarationError(f"{file}:{line + 1}: not valid YAML: {error.problem or error.context}{hint}")


class _Composer:
    """Builds nodes from YAML's events."""

    def __init__(self, events: Iterator[Any], file: str) -> None:
        self._events = events
        self._file = file
        self._anchors: dict[str, Node] = {}
        self._aliased = 0

    def document(self) -> Node:
        """Return the only document; an empty file is a node without a value."""
        found: Node | None = None
        for event in self._events:
            name = type(event).__name__
            if name == "DocumentStartEvent":
                if found is not None:
                    raise self._error(event, "expected one YAML document, found a second one")
                found = self._node(next(self._events), 0)
        return found or Node(None, 1)

    def _error(self, event: Any, message: str) -> DeclarationError:
        return DeclarationError(f"{self._file}:{event.start_mark.line + 1}: {message}")

    def _node(self, event: Any, depth: int) -> Node:
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._alias(event)
        if event.tag not in {None, "!"}:
            raise self._error(event, f"expected plain YAML without tags, found the tag {shown(event.tag)}")
        if depth > DEEPEST:
            raise self._error(event, f"expected at most {DEEPEST} levels of nesting")
        line = event.start_mark.line + 1
        if kind == "ScalarEvent":
            node = Node(read_scalar(event.value) if event.implicit[0] else event.value, line)
        elif kind == "SequenceStartEvent":
            node = self._sequence(line, depth)
        else:
            node = self._mapping(line, depth)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise self._error(event, f"the alias *{event.anchor} stands for nothing that ends above it")
        self._aliased += node.size
        if self._aliased > LARGEST_ALIASES:
            raise self._error(event, f"the aliases stand for more than {LARGEST_ALIASES} values")
        return node

    def _sequence(self, line: int, depth: int) -> Node:
        items: list[Node] = []
        while type(event := next(self._events)).__name__ != "SequenceEndEvent":
            items.append(self._node(event, depth + 1))
        return Node(items, line, 1 + sum(item.size for item in items))

    def _mapping(self, line: int, depth: int) -> Node:
        own: dict[str, tuple[int, Node]] = {}
        merged: dict[str, tuple[int, Node]] = {}
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            if type(event).__name__ != "ScalarEvent" or event.tag not in {None, "!"}:
                raise self._error(event, "expected a plain word as key")
            node = self._node(next(self._events), depth + 1)
            if event.value == "<<" and event.implicit[0]:
                self._merge(event, node, merged)
                continue
            if event.value in own:
                first = own[event.value][0]
                raise self._error(event, f"the key {event.value!r} stands here and in line {first}: leave one")
            own[event.value] = (event.start_mark.line + 1, node)
        entries = {**merged, **own}
        return Node(entries, line, 1 + sum(1 + node.size for _, node in entries.values()))

    def _merge(self, event: Any, node: Node, merged: dict[str, tuple[int, Node]]) -> None:
        for source in node.value if isinstance(node.value, list) else [node]:
            if not isinstance(source.value, dict):
                raise self._error(event, "expected << to name a mapping")
            for key, pair in source.value.items():
                merged.setdefault(key, pair)
