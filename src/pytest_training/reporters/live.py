"""Draws the live view: a line per running job and one for the run. Pure: state in, lines out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from rich.color import ColorSystem
from rich.console import Console
from rich.text import Text

from pytest_training.reporters.watch import WatchedJob
from pytest_training.text import cells, fit, one_line, pad
from pytest_training.units import clock

BAR = 14
NARROW_BAR = 6
CONSOLE = Console(color_system=None)  # knows the names of styles
ROOM = 4  # rows left for what pytest writes


def region(  # noqa: PLR0913  (all that the view shows)
    running: Sequence[WatchedJob],
    *,
    counts: Mapping[str, int],
    waiting: int,
    remaining_s: float | None,
    width: int,
    height: int,
    now: datetime,
) -> list[Text]:
    """Return the lines below pytest's own, none wider than `width`, no more than the terminal has room for."""
    most = max(height - ROOM - 1, 1)
    shown = list(running[: most if len(running) <= most else most - 1])
    id_width = min(max((cells(one_line(each.job.id)) for each in shown), default=0), max(width // 4, 8))
    slot_width = max((len(each.slot) for each in shown), default=0)
    lines = [_job(each, width=width, id_width=id_width, slot_width=slot_width) for each in shown]
    if len(running) > len(shown):
        lines.append(Text(f"… and {len(running) - len(shown)} more jobs are running", style="dim", end=""))
    line = _run(counts, len(running), waiting)
    if remaining_s:
        ends = f"{now + timedelta(seconds=remaining_s):%H:%M}"
        for end in (f" · about {clock(remaining_s)} to go, until {ends}", f" · about {clock(remaining_s)} to go"):
            if cells(line.plain + end) <= width:
                line.append(end, style="dim")
                break
    lines.append(line)
    for each in lines:
        each.truncate(width, overflow="ellipsis")
    return lines


def drawn(line: Text, *, colours: bool) -> str:
    """Return a line as a terminal takes it, in a fifth of the time of rich's own printing, which wraps and crops."""
    system = ColorSystem.STANDARD if colours else None
    segments = line.render(CONSOLE)
    return "".join(each.style.render(each.text, color_system=system) if each.style else each.text for each in segments)


def _job(watched: WatchedJob, *, width: int, id_width: int, slot_width: int) -> Text:
    """Return a job's line; where there is little room its memory goes first, then its metrics, then its bar."""
    left = watched.remaining_s
    time = f"{clock(watched.elapsed_s):>6}"
    rest = f"{f'~{clock(left)} left' if left else '':>11}"
    memory = f"{watched.memory_mb:>6.0f} MiB" if watched.memory_mb else " " * 10
    line = Text(no_wrap=True, end="")
    line.append(pad(watched.slot, slot_width) + " ", style="dim")
    line.append(pad(fit(one_line(watched.job.id), id_width), id_width), style="bold")
    room = width - cells(line.plain) - len(time) - 1
    ends = [time]
    for end in (rest, memory):
        if room - len(end) - 1 >= (BAR + 8 if end is rest else BAR + 30):
            room -= len(end) + 1
            ends.append(end)
    if room >= 12:
        bar = BAR if room >= BAR + 30 else NARROW_BAR
        line.append(" ")
        _bar(line, watched.share, bar)
        room -= bar + 6
    values = fit(watched.values(), room - 2) if room > 10 else ""
    line.append("  " + pad(values, max(room - 2, 0)) if room >= 2 else " " * max(room, 0), style="cyan")
    line.append(" " + " ".join(ends))
    return line


def _bar(line: Text, share: float | None, columns: int) -> None:
    if share is None:
        line.append("·" * columns, style="dim")
        line.append("     ")
        return
    full = round(share * columns)
    line.append("━" * full, style="green")
    line.append("─" * (columns - full), style="dim")
    line.append(f"{100 * share:>3.0f} %")


def _run(counts: Mapping[str, int], running: int, waiting: int) -> Text:
    line = Text(no_wrap=True, end="")
    done, failed = counts.get("done", 0), counts.get("failed", 0)
    line.append(f"{done} done", style="green" if done else "")
    line.append(f" · {running} running · {waiting} waiting")
    if failed:
        line.append(" · ")
        line.append(f"{failed} failed", style="bold red")
    return line
