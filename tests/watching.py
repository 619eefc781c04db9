"""Wait for a condition; list processes that a run left behind. Reads /proc."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 120.0  # a machine that others use too has taken 30 s to start a node


def eventually(condition: Callable[[], object], *, within_s: float = PATIENCE_S) -> None:
    """Return as soon as the condition holds; fail after `within_s`."""
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up, f"not within {within_s:g} s: {condition}"
        time.sleep(0.01)


def processes_with(mark: str) -> dict[int, str]:
    """Return other processes with the mark in their environment or arguments: command line by pid."""
    commands: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes()
                if mark.encode() in (folder / "environ").read_bytes() + command:
                    commands[int(folder.name)] = command.replace(b"\0", b" ").decode("utf-8", "replace")
    return commands


def is_alive(pid: int) -> bool:
    """Return True if the process exists and is not a zombie."""
    try:
        return not Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].startswith(" Z")
    except OSError:
        return False


def pid_in(file: Path) -> int:
    """Wait until the file has a whole line, and return the pid in it."""
    eventually(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())
