"""`data.lock`: the hash of each first download, which later ones must have."""

import contextlib
import fcntl
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from pytest_training.atomic import write_atomically
from pytest_training.errors import DataError
from pytest_training.jobs.model import SCHEMA_VERSION, UNDECODABLE, Dataset, Value

LOCK_NAME = "data.lock"  # JSON beside the catalogue; belongs into version control


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the lock on `path`; the operating system frees it if its holder dies."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(f"{path.name}.lock").open("a")
    except OSError as error:
        problem = f"cannot write to the cache folder {path.parent} ({error}). Make it writable or set XDG_CACHE_HOME."
        raise DataError(problem) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Pin(Value, frozen=True, kw_only=True):
    """The source and the hash of a dataset when this project first fetched it."""

    url: str
    sha256: str


class Lock(Value, frozen=True, kw_only=True):
    """Content of `data.lock`: the pins by name of the dataset."""

    datasets: dict[str, Pin] = {}
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
    with one_at_a_time(cache / "locks" / hashlib.sha256(str(lock.resolve()).encode()).hexdigest()[:12]):
        pins = read_lock(lock).datasets | {name: pin}
        text = msgspec.json.encode(Lock(datasets=dict(sorted(pins.items()))))
        try:
            write_atomically(lock, msgspec.json.format(text, indent=2) + b"\n")
        except OSError as error:
            problem = f"cannot write {lock} ({error}). Declare `sha256: {pin.sha256}` in the catalogue instead."
            raise DataError(problem) from error


def take_pins(datasets: Iterable[Dataset], theirs: Path) -> None:
    """Add to `data.lock` the pins of another machine's for datasets that have none here."""
    import platformdirs  # noqa: PLC0415  (only for jobs with data)

    with contextlib.suppress(DataError):
        for dataset in (each for each in datasets if each.url and not each.sha256):
            pin, lock = read_lock(theirs).datasets.get(dataset.name), Path(dataset.home, LOCK_NAME)
            if pin and pin.url == dataset.url and dataset.name not in read_lock(lock).datasets:
                write_pin(dataset.name, pin, lock, platformdirs.user_cache_path("pytest-training"))
