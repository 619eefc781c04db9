"""Draws the live view: a line per running job and one for the run. Pure: state in, lines out."""

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


def region(
    running: Sequence[WatchedJob],
    counts: Mapping[str, int],
    remaining_s: float | None,
    *,
    size: tuple[int, int],
    now: datetime,
) -> list[Text]:
    """Return the lines below pytest's own, not wider than the terminal, no more than it has room for."""
    width, height = size
    most = max(height - ROOM - 1, 1)
    listed = list(running[: most if len(running) <= most else most - 1])
    id_width = min(max((cells(one_line(each.job.id)) for each in listed), default=0), max(width // 4, 8))
    slot_width = max((len(each.slot) for each in listed), default=0)
    lines = [_job(each, width, id_width, slot_width) for each in listed]
    if len(running) > len(listed):
        lines.append(Text(f"… and {len(running) - len(listed)} more jobs are running", style="dim", end=""))
    lines.append(_run(counts, remaining_s, width, now))
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def drawn(line: Text, *, colours: bool) -> str:
    """Return a line as a terminal takes it, in a fifth of the time of rich's own printing, which wraps and crops."""
    system = ColorSystem.STANDARD if colours else None
    segments = line.render(CONSOLE)
    return "".join(each.style.render(each.text, color_system=system) if each.style else each.text for each in segments)


def _job(watched: WatchedJob, width: int, id_width: int, slot_width: int) -> Text:
    """Return a job's line; where there is little room its memory goes first, then its metrics, then its bar."""
    left = watched.remaining_s
    time = f"{clock(watched.elapsed_s):>6}"
    rest = f"{f'~{clock(left)} left' if left else '':>11}"
    memory = f"{watched.memory_mb:>6.0f} MiB" if watched.memory_mb else " " * 10
    line = Text(no_wrap=True, end="")
    line.append(pad(watched.slot, slot_width) + " ", style="dim")
    line.append(pad(fit(one_line(watched.job.id), id_width), id_width), style="bold")
    room = width - cells(line.plain) - len(time) - 1
    for end, needed in ((rest, BAR + 8), (memory, BAR + 30)):
        if room - len(end) - 1 >= needed:
            room -= len(end) + 1
            time += f" {end}"
    if room >= 12:
        bar = BAR if room >= BAR + 30 else NARROW_BAR
        line.append(" ")
        _bar(line, watched, bar)
        room -= bar + 6
    values = fit(watched.values(), room - 2) if room > 10 else ""
    line.append("  " + pad(values, max(room - 2, 0)) if room >= 2 else " " * max(room, 0), style="cyan")
    return line.append(f" {time}")


def _bar(line: Text, watched: WatchedJob, columns: int) -> None:
    share = watched.share
    if watched.is_waiting:
        line.append(pad("waiting", columns + 5), style="yellow")
        return
    if share is None:
        line.append("·" * columns, style="dim")
        line.append("     ")
        return
    full = round(share * columns)
    line.append("━" * full, style="green")
    line.append("─" * (columns - full), style="dim")
    line.append(f"{100 * share:>3.0f} %")


def _run(counts: Mapping[str, int], remaining_s: float | None, width: int, now: datetime) -> Text:
    line = Text(no_wrap=True, end="")
    line.append(f"{counts['done']} done", style="green" if counts["done"] else "")
    line.append(f" · {counts['running']} running · {counts['waiting']} waiting")
    if counts["failed"]:
        line.append(" · ")
        line.append(f"{counts['failed']} failed", style="bold red")
    if remaining_s:
        about = f" · about {clock(remaining_s)} to go"
        for end in (f"{about}, until {now + timedelta(seconds=remaining_s):%H:%M}", about):
            if cells(line.plain + end) <= width:
                return line.append(end, style="dim")
    return line
