"""A session on a pseudo-terminal, and what a person then sees on the screen (pyte is the terminal)."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import pyte
from sessions import command, environment

PATIENCE_S = 90.0
SCROLLBACK = 3_000


class Terminal:
    """A pytest session, and its terminal with whatever has scrolled out of it."""

    def __init__(
        self,
        root: Path,
        *arguments: str | Path,
        size: tuple[int, int] = (100, 30),
        env: dict[str, str] | None = None,
        stderr: int | None = None,
    ) -> None:
        columns, rows = size
        self.screen = pyte.HistoryScreen(columns, rows, history=SCROLLBACK, ratio=0.5)
        self.stream = pyte.ByteStream(self.screen)
        self.written = b""
        self._controller, terminal = pty.openpty()
        self._set_size(columns, rows)
        known = {name: value for name, value in environment().items() if name not in {"CI", "COLUMNS", "NO_COLOR"}}
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command(*arguments)],  # so that Ctrl-C and a change of size reach it as a user's do
            cwd=root,
            env=known | {"TERM": "xterm-256color"} | (env or {}),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal if stderr is None else stderr,
        )
        os.close(terminal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._controller)

    def look(self, within_s: float = 0.05) -> bool:
        """Take over what was written; return whether more may come."""
        if not select.select([self._controller], [], [], within_s)[0]:
            return True
        try:
            content = os.read(self._controller, 2**16)
        except OSError:  # nobody has the terminal open any more
            return False
        self.written += content
        self.stream.feed(content)
        return bool(content)

    def until(self, condition: Callable[[], object]) -> None:
        """Look on until the condition holds; fail when it does not in time, or the session has ended before."""
        give_up = time.monotonic() + PATIENCE_S
        while not condition():
            more = self.look()
            assert condition() or (more and time.monotonic() < give_up), "\n".join(self.all_rows())

    def until_shown(self, text: str) -> None:
        """Look on until the text stands on the screen."""
        self.until(lambda: any(text in row for row in self.rows()))

    def end(self) -> int:
        """Look on to the end; return the exit status."""
        give_up = time.monotonic() + PATIENCE_S
        while self.look():
            assert time.monotonic() < give_up, "\n".join(self.all_rows())
        return self.process.wait(PATIENCE_S)

    def rows(self) -> list[str]:
        """Return the rows of the screen, without empty ones at its end."""
        return _without_end(self.screen.display)

    def all_rows(self) -> list[str]:
        """Return these and what has scrolled out above them."""
        columns = range(self.screen.columns)
        above = ["".join(line[column].data for column in columns) for line in self.screen.history.top]
        return _without_end([*above, *self.screen.display])

    def resize(self, columns: int, rows: int) -> None:
        """Make the window another size, as dragging its corner does."""
        self._make_room(rows)
        self.screen.resize(rows, columns)
        self._set_size(columns, rows)

    def press_ctrl_c(self) -> None:
        """Type Ctrl-C."""
        os.write(self._controller, b"\x03")

    @property
    def is_cursor_hidden(self) -> bool:
        """Whether the cursor was left invisible."""
        return bool(self.screen.cursor.hidden)

    def _make_room(self, rows: int) -> None:
        """Scroll as terminals do that become lower: up as far as the cursor needs it, and not into nothing."""
        cursor, last = self.screen.cursor, self.screen.lines - 1
        column, row = cursor.x, cursor.y
        for _ in range(row - (rows - 1)):
            cursor.y = last
            self.screen.index()
            row -= 1
        for _ in range(self.screen.lines - rows):  # pyte will take these away
            cursor.y = 0
            self.screen.reverse_index()
        cursor.x, cursor.y = column, row + max(self.screen.lines - rows, 0)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._controller, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _without_end(rows: Sequence[str]) -> list[str]:
    stripped = [row.rstrip() for row in rows]
    while stripped and not stripped[-1]:
        stripped.pop()
    return stripped
