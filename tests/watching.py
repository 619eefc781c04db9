"""Waiting for a condition, and looking for processes that a run left behind; as Linux tells of them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 30.0


def eventually(condition: Callable[[], object], *, within_s: float = PATIENCE_S) -> None:
    """Return as soon as the condition holds; fail when it does not in time."""
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up, f"not within {within_s:g} s: {condition}"
        time.sleep(0.01)


def processes_with(mark: str) -> dict[int, str]:
    """Return the living processes, not this one, that have the mark in environment or arguments: pid, command line."""
    found: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes()
                if mark.encode() in (folder / "environ").read_bytes() + command:
                    found[int(folder.name)] = command.replace(b"\0", b" ").decode("utf-8", "replace")
    return found


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return not Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].startswith(" Z")
    except OSError:
        return False


def pid_in(file: Path) -> int:
    """Wait until somebody has written a whole line with a pid to the file, and return it."""
    eventually(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())
