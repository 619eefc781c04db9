"""The user's cache of fetched and simulated data, and `data.lock`, which keeps the hash of each first download."""

import contextlib
import fcntl
import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pytest_training.atomic import write_atomically
from pytest_training.errors import DataError
from pytest_training.jobs.model import SCHEMA_VERSION, UNDECODABLE, Value

LOCK_NAME = "data.lock"
"""JSON beside the catalogue; belongs into version control."""


def sha256_of(path: Path) -> str:
    """Hash a file's content in a stream, or a folder's listing.

    The listing has one line `<sha256>  <path>` per file, sorted by path: what `sha256sum` prints.
    """
    if path.is_dir():
        names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        listing = "".join(f"{sha256_of(path / name)}  {name}\n" for name in names)
        return hashlib.sha256(listing.encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the lock on `path`; the operating system frees it if its holder dies."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(f"{path.name}.lock").open("a")
    except OSError as error:
        raise DataError(
            f"cannot write to the cache folder {path.parent} ({error}). Make it writable or set XDG_CACHE_HOME."
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


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
    """Add one dataset to `data.lock` beside the entries of other processes."""
    guard = cache / "locks" / hashlib.sha256(str(lock.resolve()).encode()).hexdigest()[:12]
    with one_at_a_time(guard):
        pins = read_lock(lock).datasets | {name: pin}
        text = msgspec.json.encode(Lock(datasets=dict(sorted(pins.items()))))
        try:
            write_atomically(lock, msgspec.json.format(text, indent=2) + b"\n")
        except OSError as error:
            raise DataError(
                f"cannot write {lock} ({error}). Declare `sha256: {pin.sha256}` in the catalogue instead."
            ) from error
