"""The terminal below what pytest writes: lines that are redrawn in place, and lines that stay.

pytest's terminal writer goes on as always; its file is wrapped, so that whatever it writes lands above the lines.
"""

import contextlib
import io
import os
import re
import threading
from collections.abc import Sequence
from typing import Any

from pytest_training.pytest_adapter import TerminalFile
from pytest_training.text import ESCAPE_SEQUENCES, cells

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
CLEAR_BELOW, CLEAR_LINE = "\x1b[J", "\x1b[K"


class Screen:
    """One terminal, or one file if there is no terminal."""

    def __init__(self, place: TerminalFile) -> None:
        self._place = place
        self._file = place.file
        self._lock = threading.RLock()
        self._partial = ""
        """What pytest has written of a line that has not ended."""
        self._lines: list[str] = []
        self._width = 0
        """Of the terminal when they were drawn."""
        self._descriptor = _real_descriptor(self._file)
        place.replace(self)

    def __getattr__(self, name: str) -> Any:
        """Return what pytest's terminal writer asks of its file."""
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        """Write for pytest, above the lines; all in one piece, so that they do not flicker."""
        with self._lock:
            lines = self._lines
            erasing = self._erasing()
            _, newline, last = text.rpartition("\n")
            self._partial = (last if newline else self._partial + text).rpartition("\r")[2]
            if lines:
                self._put(erasing + text + self._drawing(lines))
            else:
                self._file.write(text)
                self._file.flush()
            return len(text)

    def say(self, line: str) -> None:
        """Write one line of our own that stays."""
        with self._lock:
            lines = self._lines
            text = self._erasing() + ("\n" if self._partial else "") + line + "\n"
            self._partial = ""
            self._put(text + self._drawing(lines))

    def show(self, lines: Sequence[str]) -> None:
        """Draw lines at the bottom in place of those that were there."""
        with self._lock:
            if not self._lines or self.size()[0] != self._width:
                # After a resize rows are taken away whole: a terminal that had wrapped one would join it to the next.
                self._put(self._erasing() + self._drawing(list(lines)))
                return
            text = "\n".join(line + CLEAR_LINE for line in lines)
            self._put(self._up() + text + CLEAR_BELOW)
            self._lines = list(lines)

    def size(self) -> tuple[int, int]:
        """Return columns and rows."""
        with contextlib.suppress(OSError, ValueError):
            size = os.get_terminal_size(self._descriptor if self._descriptor is not None else -1)
            if size.columns > 0 and size.lines > 0:
                return size.columns, size.lines
        return 80, 24

    def close(self) -> None:
        """Erase the lines and give the terminal back to pytest."""
        with self._lock:
            self._put(self._erasing())
            self._place.put_back(Screen)
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _drawing(self, lines: list[str]) -> str:
        """Return the text that draws the lines, and remember them."""
        if not lines:
            return ""
        self._lines, self._width = lines, self.size()[0]
        return HIDE_CURSOR + ("\n" if self._partial else "") + "\n".join(lines)

    def _erasing(self) -> str:
        """Return the text that erases the lines, and forget them."""
        if not self._lines:
            return ""
        up = self._up(rows=self._rows(self._partial) if self._partial else 0)
        self._lines = []
        return up + CLEAR_BELOW + self._partial + SHOW_CURSOR

    def _up(self, *, rows: int = 0) -> str:
        """Return the text that moves the cursor from the last line up to the first, and so many rows more."""
        rows += sum(map(self._rows, self._lines)) - 1
        return "\r" + (f"\x1b[{rows}A" if rows else "")

    def _rows(self, line: str) -> int:
        """Return how many rows a line takes: more than one after the terminal became narrower."""
        return max(1, -(-cells(re.sub(ESCAPE_SEQUENCES, "", line)) // self.size()[0]))

    def _put(self, text: str) -> None:
        if self._descriptor is None:
            self._file.write(text)
            self._file.flush()
            return
        content = text.encode("utf-8", "replace")
        with contextlib.suppress(OSError):  # the terminal is gone: the run goes on
            while content:
                content = content[os.write(self._descriptor, content) :]


def _real_descriptor(file: Any) -> int | None:
    """Return a descriptor of our own: while a test runs, pytest's capture has the usual one elsewhere."""
    try:
        return os.dup(file.fileno())
    except (AttributeError, OSError, ValueError, io.UnsupportedOperation):
        return None
