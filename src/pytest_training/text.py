"""Makes what jobs print and name safe to show, and lays it out in a terminal's columns."""

import os
import re
import sys
from collections.abc import Iterable, Sequence

MOST_LINES, LONGEST_LINE = 400, 5_000  # of a text as large as a job likes
LINE_LIMIT = 500  # characters of one line of a job's log that a report shows

# Compiled by `re` when first needed: their large sets take 6 ms, and few texts hold anything that is not printable.
ESCAPE_SEQUENCES = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor movements
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS: titles
    r"|\x1b[ -/]*[0-~]?"
)
UNSAFE = (
    r"[\x00-\x1f\x7f-\x9f"  # control characters, C1 included
    r"\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"  # line separators; what turns the direction of text
    r"\ud800-\udfff]"  # lone surrogates: no encoding can write them
)
NOT_XML = r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


def clean_line(line: str, limit: int = LINE_LIMIT) -> str:
    """Return a line's last state without escape sequences and control characters, at most `limit` characters long."""
    scanned = line.rstrip("\r\n")[-20 * limit :] if "\r" in line else line[: 20 * limit]
    states = [state for state in scanned.split("\r") if state.strip()]
    cleaned = states[-1] if states else ""
    if not cleaned.isprintable():
        cleaned = re.sub(ESCAPE_SEQUENCES, "", cleaned).expandtabs(4)
        cleaned = re.sub(UNSAFE, "", cleaned)
    return shorten(cleaned.rstrip(), limit)


def clean_lines(written: str | Iterable[str], *, first: int = 30, last: int = 70) -> list[str]:
    """Return the cleaned lines; of very many the first, the last, and how many are left out between them."""
    lines = written.split("\n") if isinstance(written, str) else list(written)
    missing = len(lines) - first - last
    if missing > 1:
        lines = [*lines[:first], f"… {missing} lines left out …", *lines[len(lines) - last :]]
    return [clean_line(line) for line in lines]


def final_lines(text: str) -> list[str]:
    """Return the lines as a terminal shows them at last: of a progress bar, or of bars below each other, one state."""
    if "\r" not in text and "\x1b[" not in text:
        return text.split("\n")
    lines, row, begins = [""], 0, True
    for part in re.split(r"(\n|\r|\x1b\[\d*A)", text):
        if part == "\n":
            row += 1
            lines += [""] if row == len(lines) else []
        elif part.startswith("\x1b[") and part.endswith("A"):
            row = max(row - int(part[2:-1] or 1), 0)
        elif part.strip():
            lines[row] = part if begins else lines[row] + part
        begins = part in {"\n", "\r"} or (begins and not part.strip())
    return lines


def one_line(text: str, limit: int = LINE_LIMIT) -> str:
    """Return the text as one clean line: line breaks become spaces."""
    words = (clean_line(line, limit) for line in text[: 20 * limit].splitlines())
    return shorten(" ".join(word.strip() for word in words if word.strip()), limit)


def shorten(text: str, limit: int) -> str:
    """Cut the text to `limit` characters, the last being `…` when something was cut."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def bounded(text: str) -> str:
    """Return the text with at most 400 lines, the first and the last, and of each at most 5,000 characters."""
    lines, half = text.split("\n"), MOST_LINES // 2
    if len(lines) > MOST_LINES:
        lines[half:-half] = [f"… {len(lines) - MOST_LINES} lines left out …"]
    return "\n".join(shorten(line, LONGEST_LINE) for line in lines)


def xml_text(text: str, limit: int = LINE_LIMIT) -> str:
    """Return the text as XML 1.0 may hold it: every other character becomes U+FFFD."""
    text = shorten(text, limit)
    return text if text.isprintable() else re.sub(NOT_XML, "\ufffd", text)


def home_folder() -> str:
    """Return the path of the user's home folder, or `~` if there is none."""
    return os.path.expanduser("~")  # noqa: PTH111  (Path.home raises without one)


def home_pattern() -> re.Pattern[str] | None:
    """Return what matches the path of the home folder, which has the user's name; None without such."""
    # Not behind `=`: a value on a command line, where a shell knows no `~`. The path comes first: 30 times as fast.
    names = {name for name in (home_folder(), os.path.realpath(home_folder())) if name.strip("/~")}
    return re.compile("|".join(rf"{it}(?<![\w.~/=-]{it})(?![\w.-])" for it in map(re.escape, names))) if names else None


def without_home(text: str, home: re.Pattern[str] | None) -> str:
    """Return the text with `~` for the home folder."""
    return home.sub("~", text) if home else text


def cells(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  (few texts need it)

    return cell_len(text)


def fit(text: str, columns: int) -> str:
    """Cut the text, `…` at its end, so that it takes at most so many columns of a terminal."""
    if cells(text) <= columns:
        return text
    text = text[: max(columns, 0)]
    while cells(text) >= columns > 0:
        text = text[:-1]
    return text + "…" if columns > 0 else ""


def fit_middle(text: str, columns: int) -> str:
    """Cut the text like `fit`, but in its middle: names that begin alike often differ at their end."""
    if cells(text) <= columns:
        return text
    end = text[len(text) - columns // 2 :]
    while cells(end) > columns // 2:
        end = end[1:]
    return fit(text, columns - cells(end)) + end


def pad(text: str, columns: int) -> str:
    """Fill the text with spaces to so many columns of a terminal."""
    return text + " " * max(columns - cells(text), 0)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lay out cells as lines with aligned columns, two spaces between them."""
    lines = [header, *rows]
    widths = [max(cells(line[column]) for line in lines) for column in range(len(header))]
    return ["  ".join(pad(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def print_any_sign() -> None:
    """Print `?` for a character that the terminal's encoding lacks, instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")
