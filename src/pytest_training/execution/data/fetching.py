"""Downloads data, and keeps the hash of each first download in `data.lock`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from pytest_training.atomic import write_atomically
from pytest_training.errors import DataError
from pytest_training.execution.data.cache import one_at_a_time
from pytest_training.jobs.model import SCHEMA_VERSION, UNDECODABLE, Value

LOCK_NAME = "data.lock"
"""JSON beside the catalogue; belongs into version control."""


class Pin(Value, frozen=True, kw_only=True):
    """The source and the hash of a dataset when this project first fetched it."""

    url: str
    sha256: str


class Lock(Value, frozen=True, kw_only=True):
    """Content of `data.lock`: the pins by name of the dataset."""

    datasets: dict[str, Pin] = msgspec.field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION


def read_lock(lock: Path) -> Lock:
    """Read `data.lock`; return an empty one if the file does not exist."""
    try:
        return msgspec.json.decode(lock.read_bytes(), type=Lock)
    except FileNotFoundError:
        return Lock()
    except OSError as error:
        raise DataError(f"{lock} cannot be read: {error.strerror}. Restore it from version control.") from error
    except UNDECODABLE as error:
        raise DataError(
            f"{lock} is no lock of fetched data: {error}. Restore it from version control, or delete it to "
            f"pin the data anew."
        ) from error


def write_pin(name: str, pin: Pin, lock: Path, cache: Path) -> None:
    """Add a dataset to `data.lock`, beside the entries of other processes."""
    guard = cache / "locks" / hashlib.sha256(str(lock.resolve()).encode()).hexdigest()[:12]
    with one_at_a_time(guard):
        pins = read_lock(lock).datasets | {name: pin}
        text = msgspec.json.encode(Lock(datasets=dict(sorted(pins.items()))))
        try:
            write_atomically(lock, msgspec.json.format(text, indent=2) + b"\n")
        except OSError as error:
            raise DataError(
                f"dataset {name!r}: cannot write {lock} ({error}). Declare `sha256: {pin.sha256}` in the "
                f"catalogue instead."
            ) from error


def download(url: str, path: Path) -> None:
    """Write the content of a URL to `path`; raise OSError or ValueError if that fails."""
    from pooch.downloaders import choose_downloader  # type: ignore[import-untyped]  # noqa: PLC0415  (0.3 s)

    choose_downloader(url)(url, str(path), None)
