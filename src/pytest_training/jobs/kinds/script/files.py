"""Parameters in a YAML or JSON file that a script takes by an option: the script gets a copy with the values set."""

import contextlib
import functools
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_training.errors import DeclarationError
from pytest_training.jobs.catalogue.document import read_file
from pytest_training.jobs.kinds.parameters import Declaration, identifier
from pytest_training.jobs.model import Job, Parameter
from pytest_training.jobs.source.literals import MISSING, storable, type_of

MOST_KEYS = 500
LARGEST_FILE = 2**18
SUFFIXES = (".yaml", ".yml", ".json")
_CONFIGURATION = re.compile(r"conf|cfg|ya?ml|param|hyp|setting|^opts?$|default", re.IGNORECASE)


def file_options(declared: Iterable[Declaration], folders: Iterable[Path]) -> Iterator[Declaration]:
    """Yield the values of each configuration file that is the default of a parameter."""
    folders = list(folders)
    for parameter, default in declared:
        if isinstance(default, str) and _CONFIGURATION.search(parameter.name):
            values = leaves(read_mapping(_path(default, folders)))
            for keys, value in itertools.islice(values, MOST_KEYS):
                yield keyed((parameter.name, *keys), value)


def changed_files(job: Job) -> dict[str, str]:
    """Return, by the parameter that names a configuration file, the name of the copy that the job gets."""
    names = {each.key[0] for each in _set_there(job)}
    return {name: name + Path(str(job.parameters.get(name))).suffix for name in names}


def file_copies(job: Job) -> dict[str, str]:
    """Return the texts of the configuration files that the job gets, by name."""
    return {copy: _with_values(job, name) for name, copy in changed_files(job).items()}


def _set_there(job: Job) -> list[Parameter]:
    return [each for each in job.declared if each.key and each.option is None and each.name in job.given]


def keyed(key: tuple[str, ...], value: Any, option: str | None = None) -> Declaration:
    """Return the parameter of a value in a configuration file."""
    kind = "any" if value is None else "float" if type(value) is int else type_of(value)
    name = identifier(option or ".".join(key[1:]))
    return Parameter(name=name, type=kind, default=value, option=option, key=key), value


def read_mapping(path: Path | None) -> Mapping[str, Any]:
    """Return the mapping in a YAML or JSON file; empty if there is none that can be read."""
    with contextlib.suppress(DeclarationError):
        content = read_file(path, path.name).plain if path and path.is_file() else None
        return content if isinstance(content, dict) else {}
    return {}


def leaves(mapping: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the keys and the value of everything in a mapping that is no mapping."""
    for name, value in mapping.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*above, name))
        elif storable(value) is not MISSING:
            yield (*above, name), storable(value)


def _path(name: str, folders: Iterable[Path]) -> Path | None:
    paths = (folder / name for folder in folders if name.endswith(SUFFIXES) and "\0" not in name)
    return next((path for path in paths if path.is_file() and path.stat().st_size <= LARGEST_FILE), None)


def _with_values(job: Job, name: str) -> str:
    """Return the text of a configuration file with the job's values in it."""
    import yaml  # noqa: PLC0415  (most scripts have no configuration file)

    path = _path(str(job.parameters[name]), [job.workplace, Path(job.root), Path(job.path or "").parent])
    content = yaml.safe_load(path.read_bytes()) if path else None
    if path is None or not isinstance(content, dict):
        raise DeclarationError(f"{job.parameters[name]}: expected a YAML or JSON file with a mapping to set values in")
    for parameter in (each for each in _set_there(job) if each.key[0] == name):
        if parameter.variable:
            raise DeclarationError(f"{parameter.name} is secret: it cannot be written into a copy of {name}")
        *above, last = parameter.key[1:]
        functools.reduce(lambda place, key: place.setdefault(key, {}), above, content)[last] = job.parameters[
            parameter.name
        ]
    return json.dumps(content) if path.suffix == ".json" else str(yaml.safe_dump(content, sort_keys=False))
