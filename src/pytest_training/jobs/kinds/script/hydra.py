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
from pytest_training.jobs.source.paths import known_path

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
