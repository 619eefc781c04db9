"""Parameters in a YAML or JSON file that a script takes by an option, as a changed copy; the keys of Hydra's files."""

import contextlib
import functools
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.jobs.catalogue.document import read_file
from pytest_training.jobs.kinds.parameters import Code, Declaration, OptionCall, identifier
from pytest_training.jobs.model import Job, Parameter
from pytest_training.jobs.source.literals import MISSING, last_name, storable, type_of
from pytest_training.jobs.source.paths import known_path

MOST_KEYS = 500
LARGEST_FILE = 2**18
SUFFIXES = (".yaml", ".yml", ".json")
_CONFIGURATION = re.compile(r"conf|cfg|ya?ml|param|hyp|setting|^opts?$|default", re.IGNORECASE)
DEEPEST = 6
_PACKAGE = re.compile(r"^#\s*@package\s+(\S+)", re.MULTILINE)


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


def hydra_options(codes: Sequence[Code]) -> Iterator[Declaration]:
    """Yield what the configuration of each `@hydra.main(…)` declares, and the folder of its output."""
    for code in codes:
        for call in OptionCall.all([code]):
            if last_name(call.node.func) == "main" and call.keyword("config_name"):
                yield Parameter(name="hydra_run_dir", type="str", option="files.run.dir="), MISSING
                stated = call.keyword("config_path") or next(iter(call.node.args), None)
                name = code.constants.literal(call.keyword("config_name"))
                folder = code.path.parent / known_path(stated, code.constants)
                part = _Part("", str(name).removesuffix(".yaml"))
                chosen = [*_options(folder, part)]
                names = {parameter.name for parameter, _ in chosen}
                yield from chosen
                for parameter, _ in _options(folder, part, others=True):  # keys of what another choice would bring
                    if parameter.name not in names:
                        yield replace(parameter, default=None, required=False), MISSING


class _Part(NamedTuple):
    """A file of the configuration: its group, its name there, and the package that its keys stand in."""

    group: str
    name: str
    package: str = ""
    chooser: str = ""  # the parameter that chooses it


def _options(folder: Path, part: _Part, depth: int = 0, *, others: bool = False) -> Iterator[Declaration]:
    """Yield the keys of a file and of those that its defaults list names, or could name too."""
    path = folder / part.group / f"{part.name}.yaml"
    content = dict(read_mapping(path if depth < DEEPEST else None))
    listed = content.pop("defaults", None)
    stated = _PACKAGE.search(path.read_text(encoding="utf-8", errors="replace")) if content else None
    package = stated[1].replace("_global_", "") if stated else part.package
    for keys, value in leaves(content):
        if keys[0] != "hydra":
            yield _key(".".join(filter(None, (package, *keys))), value, part.chooser)
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, str) and entry != "_self_":
            yield from _options(folder, part._replace(name=entry), depth + 1)
        for name, choice in entry.items() if isinstance(entry, dict) else ():
            word, _, package = name.rpartition(" ")[2].partition("@")
            group = word.strip("/") if word.startswith("/") or not part.group else f"{part.group}/{word}"
            if group.partition("/")[0] != "hydra" and not isinstance(choice, list | dict):
                option = f"{group}@{package}" if package else group
                yield Parameter(name=identifier(option), type="str", default=choice, option=f"{option}="), choice
                package = package.replace("_global_", "") if package else group.replace("/", ".")
                more = [file.stem for file in sorted((folder / group).glob("*.yaml"))] if others else []
                for each in dict.fromkeys((choice, *more)):
                    yield from _options(folder, _Part(group, str(each), package, identifier(option)), depth + 1)


def _key(name: str, value: Any, chooser: str) -> Declaration:
    parameter, _ = keyed((chooser, name), value, f"{name}=")
    if value == "???":
        return replace(parameter, type="any", default=None, required=True), MISSING
    return (replace(parameter, type="any") if isinstance(value, str) and "${" in value else parameter), value
