"""What YAML's own errors mean: the sentence that helps, read from the line where the parser stopped."""

import re
from collections.abc import Sequence

_LOOKALIKES = {"\u00a0": "a space", "\u2003": "a space", "\u3000": "a space", "\uff1a": "a colon"}
LONGEST = 500  # characters of a line that are searched: the time grows with their square
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


def explain(problem: str, lines: Sequence[str], line: int, begun: int | None) -> str:
    """Return what to do about the error, or nothing if the lines do not show it.

    Lines are counted from 0; in line `begun` begins the list, mapping or text that the parser was reading.
    """
    for number, text in enumerate(lines[: line + 1], 1):
        if sign := next((sign for sign in _LOOKALIKES if sign in text), None):
            return f"a character in line {number} only looks like {_LOOKALIKES[sign]}: type it anew"
    texts = {"here": "".join(lines[line : line + 1]), "above": next(filter(str.strip, reversed(lines[:line])), "")}
    for of_problem, place, pattern, hint in _HINTS:
        match = re.search(pattern, texts[place][:LONGEST])
        if match and re.search(of_problem, problem) and not (begun is None and "{begun}" in hint):
            return hint.format(sign=(match.groups() or ("",))[0], begun=(begun or 0) + 1)
    return ""
