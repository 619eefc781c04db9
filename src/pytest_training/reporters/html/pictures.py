"""Brings the pictures that jobs saved into the page, as data: URIs in <img>, where nothing in them can run."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from pytest_training.execution.job_files import open_own
from pytest_training.execution.outcome import Outcome
from pytest_training.text import one_line
from pytest_training.units import MEBIBYTE, size

TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
STARTS = {".svg": (b"<?xml", b"<svg", b"<!DOCTYPE svg", b"<!--"), ".png": (b"\x89PNG\r\n\x1a\n",)}
LARGEST = 300_000  # bytes of one picture; larger ones are linked only
MOST = 8  # pictures of one job that are shown
MOST_FILES = 100  # artifacts of one job that are listed


@dataclass(frozen=True)
class Picture:
    """A picture in the page."""

    name: str
    uri: str
    link: str


@dataclass(frozen=True)
class Artifact:
    """A file that a job left."""

    name: str
    link: str | None
    """Relative to the run folder; None for what is no plain file any more."""
    size: str


@dataclass
class PictureBook:
    """Hands out pictures until the page's budget is used up."""

    run: Path
    budget: int = 1_200_000
    left_out: int = field(default=0)

    def of(self, outcome: Outcome) -> list[Picture]:
        """Return the pictures of a job, smallest budget first come."""
        paths = [path for path in outcome.artifacts if PurePosixPath(path).suffix.lower() in TYPES]
        pictures: list[Picture] = []
        for path in paths:
            uri = self._uri(path) if len(pictures) < MOST else None
            if uri is None:
                self.left_out += 1
            else:
                pictures.append(Picture(one_line(PurePosixPath(path).stem.replace("_", " "), 60), uri, quote(path)))
        return pictures

    def _uri(self, path: str) -> str | None:
        content = self._content(path)
        suffix = PurePosixPath(path).suffix.lower()
        if content is None or not content.lstrip()[:100].startswith(STARTS[suffix]):
            return None
        encoded = base64.b64encode(content).decode("ascii")
        if len(encoded) > self.budget:
            return None
        self.budget -= len(encoded)
        return f"data:{TYPES[suffix]};base64,{encoded}"

    def _content(self, path: str) -> bytes | None:
        if not is_inside(self.run, path):
            return None
        try:
            with open_own(self.run / path) as file:
                content = file.read(LARGEST + 1)
        except OSError:
            return None
        return content if len(content) <= LARGEST else None


def artifacts(run: Path, outcome: Outcome) -> tuple[list[Artifact], int]:
    """Return the first files that a job left, with links to them, and how many more there are."""
    listed = list(_artifacts(run, outcome))
    return listed, max(0, len(outcome.artifacts) - MOST_FILES)


def _artifacts(run: Path, outcome: Outcome) -> Iterator[Artifact]:
    for path in outcome.artifacts[:MOST_FILES]:
        name = one_line(path.partition("/artifacts/")[2] or path, 120)
        try:
            status = os.lstat(run / path)
        except (OSError, ValueError):
            yield Artifact(name, None, "gone")
            continue
        is_plain = os.path.isfile(run / path) and is_inside(run, path)  # noqa: PTH113  (beside lstat)
        yield Artifact(
            name, quote(path) if is_plain else None, size(status.st_size / MEBIBYTE) if is_plain else "a link"
        )


def is_inside(run: Path, path: str) -> bool:
    """Return True if a path leads to a place inside the run's folder, through no link."""
    try:
        return Path(os.path.realpath(run / path)) == Path(os.path.realpath(run)) / os.path.normpath(path)
    except (OSError, ValueError):
        return False
