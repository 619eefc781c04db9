"""A session on a pseudo-terminal, and its screen as a person sees it (pyte is the terminal)."""

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
    """A pytest session and its terminal, scrollback included."""

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
        variables = {name: value for name, value in environment().items() if name not in {"CI", "COLUMNS", "NO_COLOR"}}
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command(*arguments)],  # so that Ctrl-C and a change of size reach it as a user's do
            cwd=root,
            env=variables | {"TERM": "xterm-256color"} | (env or {}),
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
        """Read new output; return True if more may come."""
        if not select.select([self._controller], [], [], within_s)[0]:
            return True
        try:
            content = os.read(self._controller, 2**16)
        except OSError:  # no process has the terminal open any more
            return False
        self.written += content
        self.stream.feed(content)
        return bool(content)

    def until(self, condition: Callable[[], object]) -> None:
        """Read until the condition holds; fail on a timeout or when the session ends first."""
        give_up = time.monotonic() + PATIENCE_S
        while not condition():
            more = self.look()
            assert condition() or (more and time.monotonic() < give_up), "\n".join(self.all_rows())

    def until_shown(self, text: str) -> None:
        """Read until the text is on the screen."""
        self.until(lambda: any(text in row for row in self.rows()))

    def end(self) -> int:
        """Read to the end; return the exit status."""
        give_up = time.monotonic() + PATIENCE_S
        while self.look():
            assert time.monotonic() < give_up, "\n".join(self.all_rows())
        return self.process.wait(PATIENCE_S)

    def rows(self) -> list[str]:
        """Return the rows of the screen, without empty ones at its end."""
        return _without_end(self.screen.display)

    def all_rows(self) -> list[str]:
        """Return the rows of the scrollback and of the screen."""
        columns = range(self.screen.columns)
        above = ["".join(line[column].data for column in columns) for line in self.screen.history.top]
        return _without_end([*above, *self.screen.display])

    def resize(self, columns: int, rows: int) -> None:
        """Resize the window, as dragging its corner does."""
        self._make_room(rows)
        self.screen.resize(rows, columns)
        self._set_size(columns, rows)

    def press_ctrl_c(self) -> None:
        """Type Ctrl-C."""
        os.write(self._controller, b"\x03")

    @property
    def is_cursor_hidden(self) -> bool:
        """True if the cursor is invisible."""
        return bool(self.screen.cursor.hidden)

    def _make_room(self, rows: int) -> None:
        """Scroll as a terminal does that loses rows: only as far as the cursor needs."""
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
