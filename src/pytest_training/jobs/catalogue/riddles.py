"""What YAML's own errors mean: the sentence that helps, read from the line where the parser stopped."""

import re
from typing import NamedTuple

_LOOKALIKES = {"\u00a0": "a space", "\u2003": "a space", "\u3000": "a space", "\uff1a": "a colon"}
_COMPARISON = re.compile(r"(?:[:\[,]\s+|\[)(>=?\s*[-+.\d][\w.+-]*)")
_SPECIAL = re.compile(r"(?:[:\[,-]\s+|\[)([*&%@`!])")
_PLACEHOLDER = re.compile(r"\[.*?([\w/.=-]*\{\w+\}[\w/.=-]*)")
_GLUED = re.compile(r"\s*[\w-]+:[^\s/].*")
_AFTER_QUOTE = re.compile(r"""[:\-\[,]\s+(['"]).*?\1\s*[^\s,\]}#]""")


class Stop(NamedTuple):
    """Where the parser stopped, and why; lines are counted from 0."""

    problem: str
    lines: list[str]
    line: int
    begun: int | None
    """The line in which the list, mapping or text begins that it was reading."""

    @property
    def text(self) -> str:
        """Return the line where it stopped, or nothing behind the last one."""
        return self.lines[self.line] if self.line < len(self.lines) else ""

    @property
    def above(self) -> str:
        """Return the last line above that is not blank."""
        return next((line for line in reversed(self.lines[: self.line]) if line.strip()), "")


def explain(stop: Stop) -> str:
    """Return what to do about the error, or nothing if the line does not show it."""
    return (
        _of_lookalikes(stop.lines[: stop.line + 1])
        or _of_characters(stop.text)
        or _of_quotes(stop)
        or _of_structure(stop)
    )


def _of_lookalikes(lines: list[str]) -> str:
    lookalikes = ((number, sign) for number, text in enumerate(lines, 1) for sign in _LOOKALIKES if sign in text)
    number, sign = next(lookalikes, (0, ""))
    return f"a character in line {number} only looks like {_LOOKALIKES[sign]}: type it anew" if sign else ""


def _of_characters(text: str) -> str:
    indent = text[: len(text) - len(text.lstrip())]
    if "\t" in indent:
        return "a tab stands there: YAML is indented with spaces"
    if match := _COMPARISON.search(text):
        return f"put the gate in quotes: '{match[1]}'"
    if match := _SPECIAL.search(text):
        return f"put a text that begins with {match[1]} in quotes"
    return ""


def _of_quotes(stop: Stop) -> str:
    if "unexpected end of stream" in stop.problem and stop.begun is not None:
        return f"the quote that opens in line {stop.begun + 1} is not closed"
    if "escape" in stop.problem or "hexdecimal" in stop.problem:
        return "a backslash in double quotes begins a code: use single quotes"
    if match := _PLACEHOLDER.search(stop.text):
        return f"put a text with braces in quotes: '{match[1]}'"
    if _AFTER_QUOTE.search(stop.text):
        return "text stands behind the closing quote: put all of it in quotes, and write a quote inside twice"
    return ""


def _of_structure(stop: Stop) -> str:
    if "',' or" in stop.problem and stop.begun is not None:
        return f"the list or mapping that opens in line {stop.begun + 1} is not closed, or a comma is missing"
    if "expected ':'" in stop.problem and stop.begun is not None:
        return f"line {stop.begun + 1} has no colon, or no space behind its dash"
    if _GLUED.fullmatch(stop.above) and "not allowed" in stop.problem:
        return f"a space belongs behind the colon of {stop.above.strip()}"
    if "not allowed" in stop.problem and stop.text.count(": ") > 1:
        return "put a text with a colon in quotes"
    if "not allowed" in stop.problem or "expected key" in stop.problem or "indicator" in stop.problem:
        return "the lines of one list or mapping begin in the same column, and this one does not"
    return ""
