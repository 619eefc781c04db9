"""Brings the pictures that jobs saved into the page, as data: URIs in <img>, where nothing in them can run."""

import base64
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import NamedTuple

from msgspec import Struct

from pytest_training.execution.job_files import open_own
from pytest_training.execution.outcome import Outcome
from pytest_training.text import one_line
from pytest_training.units import MEBIBYTE, size

TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
STARTS = {".svg": (b"<?xml", b"<svg", b"<!DOCTYPE svg", b"<!--"), ".png": (b"\x89PNG\r\n\x1a\n",)}
LARGEST = 300_000  # bytes of one picture; larger ones are linked only
MOST = 8  # pictures of one job that are shown
MOST_FILES = 100  # artifacts of one job that are listed


class Picture(NamedTuple):
    """A picture in the page."""

    name: str
    uri: str
    path: str


class Artifact(NamedTuple):
    """A file that a job left."""

    name: str
    path: str  # relative to the run folder
    size: str
    is_plain: bool  # False if it is missing or a link by now


class PictureBook(Struct):
    """Hands out pictures until the page's budget is used up."""

    run: Path
    budget: int = 1_200_000
    left_out: int = 0

    def of(self, outcome: Outcome) -> list[Picture]:
        """Return the pictures of a job, first those that were saved first."""
        pictures: list[Picture] = []
        for path in map(PurePosixPath, outcome.artifacts):
            if path.suffix.lower() not in TYPES:
                continue
            if len(pictures) < MOST and (uri := self._uri(path)):
                pictures.append(Picture(one_line(path.stem.replace("_", " "), 60), uri, str(path)))
            else:
                self.left_out += 1
        return pictures

    def _uri(self, path: PurePosixPath) -> str | None:
        suffix, content = path.suffix.lower(), b""
        if is_inside(self.run, str(path)):
            with contextlib.suppress(OSError), open_own(self.run / path) as file:
                content = file.read(LARGEST + 1)
        encoded = base64.b64encode(content).decode("ascii")
        is_picture = len(content) <= LARGEST and content.lstrip()[:100].startswith(STARTS[suffix])
        if not is_picture or len(encoded) > self.budget:
            return None
        self.budget -= len(encoded)
        return f"data:{TYPES[suffix]};base64,{encoded}"


def artifacts(run: Path, outcome: Outcome) -> Iterator[Artifact]:
    """Yield the first files that a job left."""
    for path in outcome.artifacts[:MOST_FILES]:
        is_plain, remark = False, "gone"
        with contextlib.suppress(OSError, ValueError):
            status = os.lstat(run / path)
            is_plain = S_ISREG(status.st_mode) and is_inside(run, path)
            remark = size(status.st_size / MEBIBYTE) if is_plain else "a link"
        yield Artifact(one_line(path.partition("/artifacts/")[2] or path, 120), path, remark, is_plain)


def is_inside(run: Path, path: str) -> bool:
    """Return True if a path leads to a place inside the run's folder, through no link."""
    with contextlib.suppress(OSError, ValueError):
        return Path(os.path.realpath(run / path)) == Path(os.path.realpath(run)) / os.path.normpath(path)
    return False
