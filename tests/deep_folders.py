"""Folders in one another, deeper than a path may be long."""

from __future__ import annotations

import os
from pathlib import Path


def deep(folder: Path, depth: int, name: str, content: str = "") -> None:
    """Make that many folders in one another, with a file in the last."""
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    with open(name, "x", opener=lambda path, flags: os.open(path, flags, dir_fd=descriptor)) as file:
        file.write(content)
    os.close(descriptor)
