"""Own data: a file or folder that the user names with `--set JOB.data=…`, described as the catalogue would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_training import Run


class Source(Protocol):
    """The facts about data in a model card; datasets of the catalogue have them too."""

    @property
    def name(self) -> str:
        """The file's or dataset's name."""

    @property
    def real(self) -> bool:
        """False where the data are simulated."""

    @property
    def title(self) -> str | None:
        """One line about the data."""

    @property
    def license(self) -> str | None:
        """Terms of use."""

    @property
    def citation(self) -> str | None:
        """Publication of the data."""

    @property
    def sha256(self) -> str | None:
        """Checksum of the file."""


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """The user's own file or folder."""

    name: str
    title: str
    sha256: str
    real: bool = True
    license: str | None = "the user's own, not stated"
    citation: str | None = None


def use(run: Run, path: str) -> tuple[Source, Path]:
    """Describe the user's file or folder and return its path; the run records its sha256."""
    place, sha256 = run.use(path)
    return OwnData(name=place.name, title=f"{place.name}, given by the user", sha256=sha256), place
