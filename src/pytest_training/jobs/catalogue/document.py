"""YAML as a tree with line numbers, the readers of its values, and what YAML's own errors mean.

Scalars follow YAML 1.2: `yes` and dates are text, `1e-3` is a number. Tags are refused. An alias counts as
all that it stands for, so that a few lines cannot expand into a huge document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pytest_training.errors import DeclarationError, Mistakes
from pytest_training.wording import SHOWN_NAMES, describe, one_of, printable

T = TypeVar("T")
LARGEST_FILE = 4 * 2**20
LARGEST_ALIASES = 10_000
DEEPEST = 30
_FLAGS = {**dict.fromkeys(("true", "True", "TRUE"), True), **dict.fromkeys(("false", "False", "FALSE"), False)}
_WORDS = {**dict.fromkeys(("", "~", "null", "Null", "NULL")), **_FLAGS}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_GLUED = re.compile(r"[\w-]+:\S.*")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|nan)", re.IGNORECASE)
_LOOKALIKES = {"\u00a0": "a space", "\u2003": "a space", "\u3000": "a space", "\uff1a": "a colon"}
_LONGEST_LINE = 500  # characters of a line that are searched: the time grows with their square
_HINTS = (
    ("", "here", r"^\s*\t", "a tab stands there: YAML is indented with spaces"),
    ("", "here", r"(?:[:\[,]\s+|\[)(>=?\s*[-+.\d][\w.+-]*)", "put the gate in quotes: '{sign}'"),
    ("", "here", r"(?:[:\[,-]\s+|\[)([*&%@`!])", "put a text that begins with {sign} in quotes"),
    ("unexpected end of stream", "here", "", "the quote that opens in line {begun} is not closed"),
    ("escape|hexdecimal", "here", "", "a backslash in double quotes begins a code: use single quotes"),
    ("", "here", r"\[.*?([\w/.=-]*\{\w+\}[\w/.=-]*)", "put a text with braces in quotes: '{sign}'"),
    (
        *("", "here", r"""[:\-\[,]\s+(['"]).*?\1\s*[^\s,\]}#]"""),
        "text stands behind the closing quote: put all of it in quotes, and write a quote inside twice",
    ),
    ("',' or", "here", "", "the list or mapping that opens in line {begun} is not closed, or a comma is missing"),
    ("expected ':'", "here", "", "line {begun} has no colon, or no space behind its dash"),
    ("not allowed", "above", r"^\s*([\w-]+:[^\s/].*?)\s*$", "a space belongs behind the colon of {sign}"),
    ("not allowed", "here", ": .*: ", "put a text with a colon in quotes"),
    (
        *("not allowed|expected key|indicator", "here", ""),
        "the lines of one list or mapping begin in the same column, and this one does not",
    ),
)  # patterns of the parser's problem, of the line where it stopped or the one above, and what to do about it


class Entry(NamedTuple):
    """A value with its place: every message about it names file, line and key."""

    file: str
    line: int = 1
    key: str = ""  # dotted: `jobs.als.timeout`; empty for the whole document
    value: Any = None  # a scalar, a list of entries, or a mapping of texts to entries

    @property
    def where(self) -> str:
        """Return the start of every message: `training/jobs.yaml:7: jobs.als.timeout`."""
        return f"{self.file}:{self.line}" + (f": {printable(self.key, 100)}" if self.key else "")

    def error(self, message: str) -> DeclarationError:
        """Return an error that begins with the place."""
        return DeclarationError(f"{self.where}: {message}")

    def expected(self, what: str) -> DeclarationError:
        """Return an error with the expected and the found value."""
        is_mapping, is_list = isinstance(self.value, dict), isinstance(self.value, list)
        words = "a mapping" if is_mapping else "a list" if is_list else describe(self.value)
        is_glued = what.startswith("a mapping") and isinstance(self.value, str) and _GLUED.fullmatch(self.value)
        is_flag = what == "true or false" and str(self.value).lower() in {"yes", "no", "on", "off", "1", "0"}
        hint = "; a space belongs behind the colon" if is_glued else "; write true or false" if is_flag else ""
        return self.error(f"expected {what}, found {words}{hint}")

    @property
    def plain(self) -> Any:
        """Return the value as Python has it, without lines."""
        if isinstance(self.value, dict):
            return {key: entry.plain for key, entry in self.value.items()}
        return [entry.plain for entry in self.value] if isinstance(self.value, list) else self.value

    def mapping(self, *, allowed: tuple[str, ...] = ()) -> dict[str, Entry]:
        """Return the entries of a mapping; no value counts as an empty one."""
        entries: dict[str, Entry] = {} if self.value is None else self.value
        if not isinstance(entries, dict):
            raise self.expected(f"a mapping of {', '.join(allowed)}" if 0 < len(allowed) < SHOWN_NAMES else "a mapping")
        mistakes = Mistakes()
        for key, entry in entries.items() if allowed else ():
            with mistakes:
                if key not in allowed:
                    raise entry.error(f"unknown key {key!r}: {one_of(key, allowed, limit=len(allowed))}")
        mistakes.check()
        return entries

    def each(self, read: Callable[[str, Entry], T]) -> dict[str, T]:
        """Return what `read` makes of each entry of a mapping, by its key; raise one error with all mistakes."""
        values, mistakes = dict[str, T](), Mistakes()
        for key, entry in self.mapping().items():
            with mistakes:
                values[key] = read(key, entry)
        mistakes.check()
        return values

    def items(self, what: str = "a list") -> list[Entry]:
        """Return the entries of a list."""
        return list(self._checked(isinstance(self.value, list), what))

    def text(self, what: str = "text") -> str:
        """Return a text that is not empty."""
        return str(self._checked(isinstance(self.value, str) and self.value.strip(), what))

    def flag(self) -> bool:
        """Return true or false."""
        return bool(self._checked(isinstance(self.value, bool), "true or false"))

    def whole(self, *, minimum: int, maximum: int = 1_000_000) -> int:
        """Return a whole number within the limits."""
        is_within = type(self.value) is int and minimum <= self.value <= maximum
        if type(self.value) is int and self.value > maximum:
            raise self.expected(f"a whole number of at most {maximum}")
        return int(self._checked(is_within, f"a whole number of at least {minimum}"))

    def _checked(self, is_right: object, what: str) -> Any:
        if not is_right:
            raise self.expected(what)
        return self.value


def read_scalar(text: str) -> Any:
    """Return what a plain scalar stands for in YAML 1.2's core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if FLOAT.fullmatch(text):
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
        problem = f"{file}:{line}: expected text in UTF-8, found the byte {error.object[error.start]:#04x}"
        raise DeclarationError(problem) from error
    return read_document(text, file)


def read_document(text: str, file: str) -> Entry:
    """Read a YAML text; the file's name is for messages."""
    import yaml  # noqa: PLC0415  (a project without jobs.yaml never pays for it)

    try:
        return _Composer(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), file).document()
    except yaml.MarkedYAMLError as error:
        mark, begun = error.problem_mark or error.context_mark, error.context_mark
        problem, line = str(error.problem or error.context), mark.line if mark else 0
        hint = _explain(problem, text.splitlines(), line, begun.line if begun else None)
        raise DeclarationError(f"{file}:{line + 1}: not valid YAML: {problem}{f': {hint}' if hint else ''}") from error
    except yaml.reader.ReaderError as error:
        line = text.encode(errors="replace")[: error.position].count(b"\n") + 1
        raise DeclarationError(f"{file}:{line}: not valid YAML: {error.reason}") from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise DeclarationError(f"{file}: not valid YAML: {printable(str(error), 200)}") from error


class _Composer:
    """Builds entries from YAML's events."""

    def __init__(self, events: Iterator[Any], file: str) -> None:
        self._events, self._file = events, file
        self._anchors: dict[str, Entry] = {}
        self._aliased = 0

    def document(self) -> Entry:
        """Return the only document; an empty file is an entry without a value."""
        document: Entry | None = None
        for event in (event for event in self._events if type(event).__name__ == "DocumentStartEvent"):
            if document is not None:
                raise self._error(event, "expected one YAML document, found a second one")
            root = next(self._events)
            document = self._entry(root, _line(root), "", 0)
        return document or Entry(self._file)

    def _error(self, event: Any, message: str) -> DeclarationError:
        return DeclarationError(f"{self._file}:{_line(event)}: {message}")

    def _entry(self, event: Any, line: int, key: str, depth: int) -> Entry:
        kind = type(event).__name__
        if kind == "AliasEvent":
            if event.anchor not in self._anchors:
                raise self._error(event, f"the alias *{event.anchor} stands for nothing that ends above it")
            return self._copy(self._anchors[event.anchor], line, key, event)
        if event.tag not in {None, "!"}:
            raise self._error(event, f"expected plain YAML without tags, found the tag {describe(event.tag)}")
        if depth > DEEPEST:
            raise self._error(event, f"expected at most {DEEPEST} levels of nesting")
        value: Any = None
        if kind == "ScalarEvent":
            value = read_scalar(event.value) if event.implicit[0] else event.value
        elif kind == "SequenceStartEvent":
            items = enumerate(self._until("SequenceEndEvent"))
            value = [self._entry(item, _line(item), f"{key}[{index}]", depth + 1) for index, item in items]
        elif kind == "MappingStartEvent":
            value = self._mapping(key, depth)
        entry = Entry(self._file, line, key, value)
        if event.anchor:
            self._anchors[event.anchor] = entry
        return entry

    def _copy(self, entry: Entry, line: int, key: str, alias: Any) -> Entry:
        """Return what an alias stands for, under its own keys."""
        self._aliased += 1
        if self._aliased > LARGEST_ALIASES:
            raise self._error(alias, f"the aliases stand for more than {LARGEST_ALIASES} values")
        value = entry.value
        if isinstance(value, dict):
            value = {name: self._copy(below, below.line, _dotted(key, name), alias) for name, below in value.items()}
        elif isinstance(value, list):
            value = [self._copy(below, below.line, f"{key}[{index}]", alias) for index, below in enumerate(value)]
        return Entry(self._file, line, key, value)

    def _until(self, end: str) -> Iterator[Any]:
        while type(event := next(self._events)).__name__ != end:
            yield event

    def _mapping(self, key: str, depth: int) -> dict[str, Entry]:
        own, merged = dict[str, Entry](), dict[str, Entry]()
        for event in self._until("MappingEndEvent"):
            if type(event).__name__ != "ScalarEvent" or event.tag not in {None, "!"}:
                raise self._error(event, "expected a plain word as key")
            name, line = event.value, _line(event)
            if name == "<<" and event.implicit[0]:
                merged = self._merged(event, key, depth) | merged
                continue
            entry = self._entry(next(self._events), line, _dotted(key, name), depth + 1)
            if name in own:
                raise self._error(event, f"the key {name!r} stands here and in line {own[name].line}: leave one")
            own[name] = entry
        return merged | own

    def _merged(self, event: Any, key: str, depth: int) -> dict[str, Entry]:
        entry = self._entry(next(self._events), _line(event), key, depth + 1)
        merged: dict[str, Entry] = {}
        for source in entry.value if isinstance(entry.value, list) else [entry]:
            if not isinstance(source.value, dict):
                raise self._error(event, "expected << to name a mapping")
            merged = source.value | merged
        return merged


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _dotted(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _explain(problem: str, lines: Sequence[str], line: int, begun: int | None) -> str:
    """Return what to do about the error, or nothing if the lines do not show it.

    Lines are counted from 0; in line `begun` begins the list, mapping or text that the parser was reading.
    """
    for number, text in enumerate(lines[: line + 1], 1):
        if sign := next((sign for sign in _LOOKALIKES if sign in text), None):
            return f"a character in line {number} only looks like {_LOOKALIKES[sign]}: type it anew"
    texts = {"here": "".join(lines[line : line + 1]), "above": next(filter(str.strip, reversed(lines[:line])), "")}
    for of_problem, place, pattern, hint in _HINTS:
        match = re.search(pattern, texts[place][:_LONGEST_LINE])
        if match and re.search(of_problem, problem) and not (begun is None and "{begun}" in hint):
            return hint.format(sign=(match.groups() or ("",))[0], begun=(begun or 0) + 1)
    return ""
