"""The live view: a line per running job and one for the run, redrawn in place below what pytest writes.

pytest's terminal writer goes on as always; its file is wrapped, so that whatever it writes lands above the lines.
"""

import contextlib
import os
import re
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.color import ColorSystem
from rich.console import Console
from rich.text import Text

from pytest_training.pytest_adapter import TerminalFile
from pytest_training.reporters.watch import WatchedJob
from pytest_training.text import ESCAPE_SEQUENCES, cells, fit, fit_middle, one_line, pad, table
from pytest_training.units import clock, done_about

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
CLEAR_BELOW, CLEAR_LINE = "\x1b[J", "\x1b[K"
BAR, NARROW_BAR = 14, 6
CONSOLE = Console(color_system=None)  # knows the names of styles
NARROWEST_NAME = 8  # columns of a study's name beside its trial's parameters
ROOM = 4  # rows left for what pytest writes


class Screen:
    """One terminal, or one file if there is no terminal."""

    def __init__(self, place: TerminalFile) -> None:
        self._place = place
        self._file = place.file
        self._lock = threading.RLock()
        self._partial = ""  # what pytest has written of a line that has not ended
        self._lines: list[str] = []
        self._width = 0  # of the terminal when they were drawn
        self._descriptor: int | None = None  # our own: while a test runs, pytest's capture has the usual one
        with contextlib.suppress(AttributeError, OSError, ValueError):
            self._descriptor = os.dup(self._file.fileno())
        place.replace(self)

    def __getattr__(self, name: str) -> Any:
        """Return what pytest's terminal writer asks of its file."""
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        """Write for pytest, above the lines; all in one piece, so that they do not flicker."""
        with self._lock:
            lines, erasing = self._lines, self._erasing()
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
            lines, text = self._lines, self._erasing() + ("\n" if self._partial else "") + line + "\n"
            self._partial = ""
            self._put(text + self._drawing(lines))

    def show(self, lines: Sequence[str]) -> None:
        """Draw lines at the bottom in place of those that were there."""
        with self._lock:
            if not self._lines or self.size()[0] != self._width:
                # After a resize rows are taken away whole: a terminal that had wrapped one would join it to the next.
                self._put(self._erasing() + self._drawing(list(lines)))
                return
            self._put(self._up() + "\n".join(line + CLEAR_LINE for line in lines) + CLEAR_BELOW)
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


def region(
    running: Sequence[WatchedJob],
    counts: Mapping[str, int],
    ahead: float | str | None,
    *,
    size: tuple[int, int],
    now: datetime,
) -> list[Text]:
    """Return the lines below pytest's own, not wider than the terminal, no more than it has room for.

    `ahead` is the expected seconds to the end, or what goes on before the first job starts.
    """
    width, height = size
    most = max(height - ROOM - 1, 1)
    listed = list(running[: most if len(running) <= most else most - 1])
    slot_width = max((len(each.slot) for each in listed), default=0)
    labels = _labels(listed, width)
    lines = [_job(each, width, label, slot_width) for each, label in zip(listed, labels, strict=True)]
    if len(running) > len(listed):
        lines.append(Text(f"… and {len(running) - len(listed)} more jobs are running", style="dim", end=""))
    lines.append(_run(counts, ahead, width, now))
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def drawn(line: Text, *, colours: bool) -> str:
    """Return a line as a terminal takes it, in a fifth of the time of rich's own printing, which wraps and crops."""
    system = ColorSystem.STANDARD if colours else None
    segments = line.render(CONSOLE)
    return "".join(each.style.render(each.text, color_system=system) if each.style else each.text for each in segments)


def _labels(listed: Sequence[WatchedJob], width: int) -> list[str]:
    """Return the jobs' names, equally wide: ids, and of trials study and parameters in columns where there is room."""
    named = [each.name for each in listed]
    keys = dict.fromkeys(key for _, values in named for key in values)
    told = [[f"{key} {values[key]}" if key in values else "" for key in keys] for _, values in named]
    columns = [f"  {line}" for line in table(told[0], told[1:])] if keys else ["" for _ in listed]
    names, room = [name for name, _ in named], max(width * 9 // 20, 8) - max(map(cells, columns), default=0)
    if not keys or room < NARROWEST_NAME:
        names, columns, room = [one_line(each.job.id) for each in listed], ["" for _ in listed], max(width // 4, 8)
    names = [fit_middle(name, room) for name in names]
    widest = max(map(cells, names), default=0)
    labels = [pad(name, widest) + column for name, column in zip(names, columns, strict=True)]
    return [pad(label, max(map(cells, labels))) for label in labels]


def _job(watched: WatchedJob, width: int, label: str, slot_width: int) -> Text:
    """Return a job's line; where there is little room its memory goes first, then its metrics, then its bar."""
    left = watched.remaining_s
    time = f"{clock(watched.elapsed_s):>6}"
    rest = f"{f'~{clock(left)} left' if left else '':>11}"
    memory = f"{watched.memory_mb:>6.0f} MiB" if watched.memory_mb else " " * 10
    line = Text(no_wrap=True, end="")
    line.append(pad(watched.slot, slot_width) + " ", style="dim")
    line.append(label, style="bold")
    room = width - cells(line.plain) - len(time) - 1
    for end, needed in ((rest, BAR + 8), (memory, BAR + 30)):
        if room - len(end) - 1 >= needed:
            room -= len(end) + 1
            time += f" {end}"
    if room >= 12:
        bar = BAR if room >= BAR + 30 else NARROW_BAR
        line.append_tokens([(" ", None), *_bar(watched, bar)])
        room -= bar + 6
    values = fit(watched.values(), room - 2) if room > 10 else ""
    line.append_text(_values(watched, "  " + pad(values, max(room - 2, 0)) if room >= 2 else " " * max(room, 0)))
    return line.append(f" {time}")


def _values(watched: WatchedJob, words: str) -> Text:
    """Return the logged numbers, the arrow of one that became better green, of one that became worse red."""
    text = Text(words, style="cyan")
    for found in re.finditer(r"([^ ·][^·]*) \S+ ([↑↓])", words):
        _, is_better = watched.trends.get(found[1], ("", None))
        if is_better is not None:
            text.stylize("green" if is_better else "red", found.start(2), found.end(2))
    return text


def _bar(watched: WatchedJob, columns: int) -> list[tuple[str, str]]:
    if watched.is_waiting:
        return [(pad("waiting", columns + 5), "yellow")]
    if (share := watched.share) is None:
        return [("·" * columns + " " * 5, "dim")]
    full = round(share * columns)
    return [("━" * full, "green"), ("─" * (columns - full), "dim"), (f"{100 * share:>3.0f} %", "")]


def _run(counts: Mapping[str, int], ahead: float | str | None, width: int, now: datetime) -> Text:
    done = (f"{counts['done']} done", "green" if counts["done"] else "")
    line = Text.assemble(done, f" · {counts['running']} running · {counts['waiting']} waiting", no_wrap=True, end="")
    if counts["failed"]:
        line.append(" · ").append(f"{counts['failed']} failed", style="bold red")
    if isinstance(ahead, str):
        line.append(f" · {ahead}", style="yellow")
    elif ahead:
        about = f" · {done_about(ahead, now)}"
        for end in (f"{about}, {clock(ahead)} left", about):
            if cells(line.plain + end) <= width:
                return line.append(end, style="dim")
    return line
