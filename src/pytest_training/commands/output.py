"""Where a command prints: its answer to stdout, everything else to stderr."""

from __future__ import annotations

import sys

from pytest_training.records.strict_json import encode
from pytest_training.text import one_line


def say(line: str) -> None:
    """Print a line of the answer at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def say_json(value: object) -> None:
    """Print the answer as strict JSON."""
    say(encode(value, indent=2).decode())


def remark(line: str) -> None:
    """Print a line that is no part of the answer."""
    sys.stderr.write(f"{one_line(line)}\n")
