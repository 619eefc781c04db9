"""Names and values from a user's files as messages have them."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SHOWN_NAMES = 12
SHOWN_CHARACTERS = 60


def located(slot: str, host: str) -> str:
    """Return where something runs: `gw0`, or `w3 on node17` on another machine than the session's."""
    return f"{slot} on {host}" if host else slot


def one_of(word: str, names: Iterable[str], *, limit: int = SHOWN_NAMES, cutoff: float = 0.5) -> str:
    """Return `did you mean 'als'? Expected one of als, stroke`; without the question if no name resembles the word."""
    names = list(names)
    near = nearest(word, names, cutoff=cutoff)
    expected = f"xpected one of {listing(word, names, limit=limit)}"
    return f"did you mean {near[0]!r}? E{expected}" if near else f"e{expected}"


def nearest(word: str, names: Iterable[str], most: int = 1, cutoff: float = 0.5) -> list[str]:
    """Return names that resemble the word, the nearest first; small letters count as capital ones."""
    folded = {name.casefold(): name for name in names}
    return [folded[each] for each in difflib.get_close_matches(word.casefold(), folded, n=most, cutoff=cutoff)]


def listing(word: str, names: Iterable[str], *, limit: int = SHOWN_NAMES) -> str:
    """Return the names as a list in a sentence, nearest match first: `als, alzheimers and 10 more`."""
    unique = dict.fromkeys(names)
    ordered = list(dict.fromkeys([*nearest(word, unique, 3), *unique]))
    more = f" and {len(ordered) - limit} more" if len(ordered) > limit else ""
    return ", ".join(ordered[:limit]) + more if ordered else "(there is none)"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return the number with its noun: `1 job`, `2 jobs`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def describe(value: Any) -> str:
    """Return a value as a sentence has it: `nothing`, `true`, or as `safe_repr` does."""
    return "nothing" if value is None else str(value).lower() if isinstance(value, bool) else safe_repr(value)


def safe_repr(value: Any, limit: int = SHOWN_CHARACTERS) -> str:
    """Return a value's repr in one short line, whatever its own `__repr__` does."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  (a job's own __repr__ may do anything)
        text = f"<{type(value).__name__}>"
    return printable(" ".join(text[: 10 * limit].split()), limit)


def in_utf8(text: str) -> str:
    """Return the text as files and JSON can hold it, with an escape for what UTF-8 cannot hold."""
    return text.encode("utf-8", "backslashreplace").decode()


def printable(text: str, limit: int = 10_000) -> str:
    """Return the text on one line, with an escape for what moves a terminal's cursor or colours it."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def label(path: Path, root: Path) -> str:
    """Return the path as messages have it: relative to the project's root if it lies inside."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
