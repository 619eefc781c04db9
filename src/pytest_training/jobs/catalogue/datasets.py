"""Datasets as the catalogue declares them, and whether they are on this machine. Reads and hashes no data."""

import hashlib
import importlib.util
import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from pytest_training.jobs.catalogue.document import Entry
from pytest_training.jobs.model import Dataset, PlannedDataset

SOURCES = ("package", "path", "url", "simulated")
_MODULE = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"


def _matching(entry: Entry, pattern: str, what: str) -> str:
    if not re.fullmatch(pattern, entry.text(what), re.ASCII):
        raise entry.expected(what)
    return entry.text()


_READERS: dict[str, Callable[[Entry], Any]] = {
    "package": lambda entry: _matching(entry, _MODULE, "the import name of a package"),
    "file": Entry.text,
    "path": Entry.text,
    "url": lambda entry: _matching(entry, r"https?://\S+", "an address that begins with https://"),
    "simulated": lambda entry: _matching(entry, rf"{_MODULE}:[A-Za-z_]\w*", "module:function"),
    "seed": lambda entry: entry.whole(minimum=0, maximum=2**32 - 1),
    "sha256": lambda entry: _matching(entry, r"[0-9a-fA-F]{64}", "64 hexadecimal digits").lower(),
    "license": Entry.text,
    "citation": Entry.text,
    "title": Entry.text,
    "shape": lambda entry: tuple(item.whole(minimum=1, maximum=10**12) for item in entry.items()),
    "target": Entry.text,
    "positive": lambda entry: str(entry.value) if type(entry.value) is int else entry.text("the name of a class"),
    "real": Entry.flag,
}


def read_dataset(name: str, entry: Entry, home: Path) -> Dataset:
    """Check one entry of the catalogue's `data:` and return the dataset."""
    entries = entry.mapping(allowed=tuple(_READERS))
    fields = {key: _READERS[key](below) for key, below in entries.items()}
    sources = [key for key in SOURCES if key in fields]
    if len(sources) != 1:
        named = " and ".join(sources) or "none"
        raise entry.error(f"expected exactly one of {', '.join(SOURCES)}, found {named}")
    for key, needed in (("file", "package"), ("seed", "simulated")):
        if key in entries and sources[0] != needed:
            raise entries[key].error(f"belongs to `{needed}:`; beside `{sources[0]}:` it means nothing")
    if sources[0] == "package" and "file" not in entries:
        raise entry.error("expected `file:`, the path of the data inside the package")
    real = fields.setdefault("real", "simulated" not in fields)
    if real and "simulated" in fields:
        raise entries["real"].error("simulated data cannot be `real: true`: leave out one of them")
    return Dataset(name=name, home=str(home), declared=f"{entry.file}:{entry.line}", **fields)


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
    """Return where a download lies in the user's cache, as `execution.fetching` names it."""
    import platformdirs  # noqa: PLC0415  (only for data that come over the network)

    url = dataset.url or ""
    name = PurePosixPath(urlsplit(url).path).name or "data"
    key = hashlib.sha256(url.encode()).hexdigest()[:12]
    return platformdirs.user_cache_path("pytest-training") / "fetched" / f"{key}-{name}"
