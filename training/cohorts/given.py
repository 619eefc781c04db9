"""Given: a file or folder that the user names with `--set JOB.data=…`, described as the catalogue would."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_training import Run


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a model card can say of the user's own data."""

    path: Path
    name: str
    title: str
    sha256: str
    real: bool = True
    license: str | None = "the user's own, not stated"
    citation: str | None = None


def source(run: Run, path: str) -> Given:
    """Describe the user's file or folder, which the outcome records with its sha256; fail where there is none."""
    place, sha256 = run.use(path)
    return Given(path=place, name=place.name, title=f"{place.name}, given by the user", sha256=sha256)
