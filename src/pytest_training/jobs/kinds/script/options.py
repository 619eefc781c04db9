"""Options of a script's own command line, read from its syntax tree."""

import re
from importlib import import_module
from typing import Any

from msgspec.structs import replace

from pytest_training.jobs.kinds.parameters import Code, Declaration, output_place
from pytest_training.jobs.kinds.script.arguments import file_options
from pytest_training.jobs.model import Parameter
from pytest_training.jobs.source.literals import MISSING
from pytest_training.jobs.source.sources import Source, Sources
from pytest_training.jobs.source.used import constants_of, used_code

_READERS = {
    "argparse.argparse_options": rb"add_argument|optparse",
    "click.click_options": rb"click",
    "click.typer_options": rb"typer",
    "argparse.absl_options": rb"DEFINE_",
    "arguments.hydra_options": rb"hydra",
    "styles.configured_options": rb"exec\(\s*open",
    "styles.styled_options": rb"HfArgumentParser|TrlParser|LightningCLI|ConfigStore|tyro|Fire|jsonargparse"
    rb"|simple_parsing|pyrallis|draccus",
}  # readers of command lines, loaded for files with a word that every such file contains
_DECLARES = re.compile(b"|".join(_READERS.values()))


def read_options(source: Source, sources: Sources, cwd: str = "") -> dict[str, Any]:
    """Return the fields of a script's job that its own command line decides, also one that local modules declare."""
    declared: dict[str, Parameter] = {}
    defaults: dict[str, Any] = {}
    for parameter, default in _all_options(source, sources, cwd):
        first = declared.setdefault(parameter.name, parameter)
        if first is not parameter:
            declared[parameter.name] = _merged(first, parameter)
        elif default is not MISSING:
            defaults[parameter.name] = default
    places = [item for item in declared.values() if output_place(item, ".")]
    again = tuple(item.name for item in places if item.name in defaults and _is_named_again(item.default, source))
    outputs = [item.option or item.name for item in places if item.name not in again]
    output = next((option for option in outputs if option.rstrip("=").endswith("dir")), next(iter(outputs), None))
    # A place for output is the job's own.
    unused = {item.name for item in declared.values() if item.unread or (item.option or item.name) in outputs}
    parameters = {name: value for name, value in defaults.items() if name not in unused}
    return {"declared": tuple(declared.values()), "parameters": parameters, "output_option": output, "given": again}


def _is_named_again(default: Any, source: Source) -> bool:
    """Return True if a default place for output stands in the source once more: the script would miss its files."""
    place = str(default).removeprefix("./").rstrip("/")
    name, before = re.escape(place), r"[(,]" if "." in place else r"join\("
    again = rf"['\"](?:\./)?{name}/+[^'\"]|{before}\s*['\"](?:\./)?{name}['\"]"
    return place not in {"", "."} and re.search(again.encode(), source.content) is not None


def _all_options(source: Source, sources: Sources, cwd: str) -> list[Declaration]:
    """Return what each reader finds, but for what one before it has found, and what stands in configuration files."""
    used = [(each, nodes) for each, nodes in used_code(source, sources) if nodes]
    if b"typer" not in source.content:  # its commands may be any functions
        used = [each for each in used if each[0].path == source.path or _DECLARES.search(each[0].content)]
    codes = [Code(nodes, constants_of(each, sources), each.path, sources) for each, nodes in used]
    content = b"".join(each.content for each, _ in used)
    options: list[Declaration] = []
    for name, words in _READERS.items():
        if re.search(words, content):
            module, _, function = name.partition(".")
            names = {parameter.name for parameter, _ in options}
            read = getattr(import_module(f"{__package__}.{module}"), function)
            options += [option for option in read(codes) if option[0].name not in names]
    return [*options, *file_options(options, (sources.root / cwd, sources.root, source.path.parent))]


def _merged(first: Parameter, second: Parameter) -> Parameter:
    """Return one parameter for two of one name: in several subcommands, or one on and one off."""
    on, off = sorted((first, second), key=lambda each: each.off is not None)
    if on.flag and on.off is None and off.flag and off.option == off.off:
        return replace(first, option=on.option, off=off.off)
    if first.subcommands and second.subcommands:
        first = replace(first, subcommands=tuple(dict.fromkeys((*first.subcommands, *second.subcommands))))
    is_clear = first.default == second.default and not second.unread
    return first if is_clear else replace(first, default=None, unread=True)
