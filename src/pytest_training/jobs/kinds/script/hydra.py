"""Options of Hydra's scripts: the keys of its YAML configuration, spelled `trainer.lr=`."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from pytest_training.jobs.kinds.parameters import Code, Declaration, OptionCall, identifier
from pytest_training.jobs.kinds.script.files import keyed, leaves, read_mapping
from pytest_training.jobs.model import Parameter
from pytest_training.jobs.source.literals import MISSING, last_name
from pytest_training.jobs.source.named import known_path

DEEPEST = 6
_PACKAGE = re.compile(r"^#\s*@package\s+(\S+)", re.MULTILINE)


def hydra_options(codes: Sequence[Code]) -> Iterator[Declaration]:
    """Yield what the configuration of each `@hydra.main(…)` declares, and the folder of its output."""
    for code in codes:
        for call in OptionCall.all([code]):
            if last_name(call.node.func) == "main" and call.keyword("config_name"):
                yield Parameter(name="hydra_run_dir", type="str", option="hydra.run.dir="), MISSING
                stated = call.keyword("config_path") or next(iter(call.node.args), None)
                name = code.constants.literal(call.keyword("config_name"))
                folder = code.path.parent / known_path(stated, code.constants)
                yield from _options(folder, _Part("", str(name).removesuffix(".yaml")))


class _Part(NamedTuple):
    """A file of the configuration: its group, its name there, and the package that its keys stand in."""

    group: str
    name: str
    package: str = ""
    chooser: str = ""
    """The parameter that chooses it."""


def _options(folder: Path, part: _Part, depth: int = 0) -> Iterator[Declaration]:
    """Yield the keys of a file and of those that its defaults list names."""
    path = folder / part.group / f"{part.name}.yaml"
    if depth > DEEPEST or not path.is_file():
        return
    content = dict(read_mapping(path))
    listed = content.pop("defaults", None)
    package = _package(path, part.package)
    for keys, value in leaves(content):
        if keys[0] != "hydra":
            yield _key(".".join(filter(None, (package, *keys))), value, part.chooser)
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, str) and entry != "_self_":
            yield from _options(folder, part._replace(name=entry), depth + 1)
        for name, choice in entry.items() if isinstance(entry, dict) else ():
            yield from _group(folder, part.group, name.rpartition(" ")[2], choice, depth)


def _group(folder: Path, above: str, name: str, choice: Any, depth: int) -> Iterator[Declaration]:
    """Yield the parameter that chooses a file of a group, and the keys of all its files: values of the chosen one."""
    word, _, package = name.partition("@")
    group = word.strip("/") if word.startswith("/") or not above else f"{above}/{word}"
    if group.partition("/")[0] == "hydra" or isinstance(choice, list | dict):
        return
    option = f"{group}@{package}" if package else group
    yield Parameter(name=identifier(option), type="str", default=choice, option=f"{option}="), choice
    package = package.replace("_global_", "") if package else group.replace("/", ".")
    others = (path.stem for path in sorted((folder / group).glob("*.yaml")))
    for each in dict.fromkeys((choice, *others)):
        for parameter, value in _options(folder, _Part(group, str(each), package, identifier(option)), depth + 1):
            yield (parameter, value) if each == choice else (replace(parameter, default=None, required=False), MISSING)


def _package(path: Path, package: str) -> str:
    stated = _PACKAGE.search(path.read_text(encoding="utf-8", errors="replace"))
    return stated[1].replace("_global_", "") if stated else package


def _key(name: str, value: Any, chooser: str) -> Declaration:
    parameter, _ = keyed((chooser, name), value, f"{name}=")
    is_required, is_computed = value == "???", isinstance(value, str) and "${" in value
    if is_required or is_computed:
        return replace(parameter, type="any", default=None, required=is_required, unread=is_computed), MISSING
    return parameter, value
