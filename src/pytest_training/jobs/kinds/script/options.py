"""Options of a script's own command line, read from its syntax tree."""

from collections.abc import Iterator
from typing import Any

import msgspec

from pytest_training.jobs.kinds.parameters import OUTPUT_OPTIONS, Declaration
from pytest_training.jobs.kinds.script.argparse import argparse_options
from pytest_training.jobs.kinds.script.click import click_options
from pytest_training.jobs.kinds.script.typer import typer_options
from pytest_training.jobs.model import Parameter
from pytest_training.jobs.source.literals import MISSING, walk
from pytest_training.jobs.source.sources import Source

_READERS = {b"add_argument": argparse_options, b"click": click_options, b"typer": typer_options}
"""Readers of command lines, by a word that every file with such a command line contains."""


def read_options(source: Source) -> dict[str, Any]:
    """Return the fields of a script's job that its own command line decides; the first declaration of a name counts."""
    declared: dict[str, Parameter] = {}
    defaults: dict[str, Any] = {}
    for parameter, default in _all_options(source):
        first = declared.get(parameter.name)
        if first is None:
            declared[parameter.name] = parameter
            if default is not MISSING:
                defaults[parameter.name] = default
        elif first.subcommands and parameter.subcommands:
            both = tuple(dict.fromkeys((*first.subcommands, *parameter.subcommands)))
            declared[parameter.name] = msgspec.structs.replace(first, subcommands=both)
    taking_value = {item.option for item in declared.values() if not item.flag}
    output = next((option for option in OUTPUT_OPTIONS if option in taking_value), None)
    return {"declared": tuple(declared.values()), "parameters": defaults, "output_option": output}


def _all_options(source: Source) -> Iterator[Declaration]:
    readers = [reader for word, reader in _READERS.items() if word in source.content]
    nodes = list(walk(source.tree)) if readers else []
    for reader in readers:
        yield from reader(nodes, source.constants)
