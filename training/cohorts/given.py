"""Given: a file or folder that the user names with `--set JOB.data=…`, described as the catalogue would."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


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


def source(path: str) -> Given:
    """Describe the user's file or folder, its sha256 as in the catalogue; raise where there is none."""
    place = Path(path).expanduser()
    if not place.exists():
        message = f"expected a file or folder at {path!r} (looked at {place.absolute()}), found none"
        raise FileNotFoundError(message)
    return Given(path=place, name=place.name, title=f"{place.name}, given by the user", sha256=_sha256(place))


def _sha256(place: Path) -> str:
    """Hash a file's content, or a folder's listing of `<sha256>  <path>` lines."""
    if place.is_dir():
        names = sorted(file.relative_to(place).as_posix() for file in place.rglob("*") if file.is_file())
        listing = "".join(f"{_sha256(place / name)}  {name}\n" for name in names)
        return hashlib.sha256(listing.encode()).hexdigest()
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
