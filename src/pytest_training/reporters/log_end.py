"""The end of a job's log, safe to show: bounded, without escape sequences, whatever bytes the job wrote."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_training.records.events import open_plainly
from pytest_training.text import clean_line

READ = 64 * 1024  # bytes from the end that are looked at


def log_end(path: Path, lines: int, *, line_limit: int = 300) -> list[str]:
    """Return the last lines of a log, cleaned; what is left out before them is said in the first."""
    try:
        with open_plainly(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - READ))
            content = file.read(READ)
    except OSError:
        return []
    written = content.decode("utf-8", "replace").split("\n")
    if written and not written[-1].strip():
        written.pop()
    shown = [clean_line(line, line_limit) for line in written[-lines:]]
    if len(written) > lines or size > READ:
        shown.insert(0, "… the log has more before this …")
    return shown
