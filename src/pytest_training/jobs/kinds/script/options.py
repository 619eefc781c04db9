"""Options of a script's own command line, read from its syntax tree."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from pytest_training.jobs.kinds.parameters import Code, Declaration, output_place
from pytest_training.jobs.kinds.script import absl, argparse, click, files, hydra, styles, typer
from pytest_training.jobs.kinds.script.unrolled import unrolled
from pytest_training.jobs.model import Parameter
from pytest_training.jobs.source.literals import MISSING
from pytest_training.jobs.source.sources import Source, Sources
from pytest_training.jobs.source.used import Module, used_code

_READERS: dict[bytes, Callable[[Sequence[Code]], Iterator[Declaration]]] = {
    b"add_argument": argparse.argparse_options,
    b"click": click.click_options,
    b"typer": typer.typer_options,
    b"DEFINE_": absl.absl_options,
    b"hydra": hydra.hydra_options,
    b"exec": styles.configured_options,
}  # readers of command lines, by a word that every file with such a command line contains


def read_options(source: Source, sources: Sources) -> dict[str, Any]:
    """Return the fields of a script's job that its own command line decides, also one that local modules declare."""
    declared: dict[str, Parameter] = {}
    defaults: dict[str, Any] = {}
    for parameter, default in _all_options(source, sources):
        first = declared.setdefault(parameter.name, parameter)
        if first is not parameter:
            declared[parameter.name] = _merged(first, parameter)
        elif default is not MISSING:
            defaults[parameter.name] = default
    outputs = [item.option or item.name for item in declared.values() if output_place(item, ".")]
    output = next((option for option in outputs if option.endswith("dir")), next(iter(outputs), None))
    # A place for output is the job's own.
    unused = {item.name for item in declared.values() if item.unread or (item.option or item.name) in outputs}
    parameters = {name: value for name, value in defaults.items() if name not in unused}
    return {"declared": tuple(declared.values()), "parameters": parameters, "output_option": output}


def _all_options(source: Source, sources: Sources) -> Iterator[Declaration]:
    used = used_code(source, sources)
    codes = [Code(unrolled(nodes, each.constants), each.constants, each.path) for each, nodes in used]
    options: list[Declaration] = []
    for word, reader in _READERS.items():
        if any(nodes and re.search(word, each.content) for each, nodes in used):
            options += reader(codes)
    if any(styles.is_styled(each.content) for each, _ in used):
        names = {parameter.name for parameter, _ in options}
        modules = ((Module.load(each.path, sources), nodes) for each, nodes in used if nodes)
        styled = styles.styled_options((module, nodes) for module, nodes in modules if module)
        options += (option for option in styled if option[0].name not in names)
        sources.modules.pop(source.path, None)  # a thousand syntax trees need too much memory
    options += files.file_options(options, (sources.root, source.path.parent))
    yield from options


def _merged(first: Parameter, second: Parameter) -> Parameter:
    """Return one parameter for two of one name: in several subcommands, or one on and one off."""
    on, off = sorted((first, second), key=lambda each: each.off is not None)
    if on.flag and on.off is None and off.flag and off.option == off.off:
        return replace(first, option=on.option, off=off.off)
    if first.subcommands and second.subcommands:
        first = replace(first, subcommands=tuple(dict.fromkeys((*first.subcommands, *second.subcommands))))
    is_clear = first.default == second.default and not second.unread
    return first if is_clear else replace(first, default=None, unread=True)
