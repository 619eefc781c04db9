"""The command line of a script or command job: a list of arguments, never a shell string."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from typing import Any

from pytest_training.jobs.model import Job, Parameter

_NUMBER = re.compile(r"-\d+|-\d*\.\d+")
"""What argparse takes for a number rather than for an option."""


def command_line(job: Job, *, folder: str, seed: int) -> list[str]:
    """Return the program and its arguments, with the job's given parameters and output folder."""
    if job.kind == "command":
        values = {name: _text(value) for name, value in job.parameters.items()}
        values |= {"folder": folder, "seed": str(seed)}
        return [*(_filled(argument, values) for argument in job.command), *job.arguments]
    return [sys.executable, str(job.path), *script_arguments(job, folder=folder)]


def script_arguments(job: Job, *, folder: str) -> list[str]:
    """Return what a script finds in `sys.argv` behind its name.

    What belongs to a subcommand stands behind the subcommand's name, all else before it.
    """
    given = [(parameter, job.parameters[parameter.name]) for parameter in job.declared if parameter.name in job.given]
    selector = next((_text(value) for parameter, value in given if parameter.selects), None)
    given = [(parameter, value) for parameter, value in given if not parameter.selects]
    given += _output(job, folder)
    if selector is None:
        return _ordered(given, job.arguments)
    before = [(parameter, value) for parameter, value in given if not parameter.subcommands]
    behind = [(parameter, value) for parameter, value in given if {selector, "*"} & {*parameter.subcommands}]
    return [*_ordered(before), selector, *_ordered(behind, job.arguments)]


def _output(job: Job, folder: str) -> list[tuple[Parameter, Any]]:
    """Return the output folder's option with its value, unless the user gave one."""
    if job.output_option is None:
        return []
    declared = next((parameter for parameter in job.declared if parameter.option == job.output_option), None)
    if declared is not None and declared.name in job.given:
        return []
    return [(declared or Parameter(name="output", option=job.output_option), folder)]


def _ordered(given: Iterable[tuple[Parameter, Any]], arguments: tuple[str, ...] = ()) -> list[str]:
    """Return options, then positionals, then the arguments that are passed on as they stand.

    An option with several values would take what follows it for one more: such options come first, and where nothing
    but positionals follows, or a positional looks like an option, `--` stands between.
    """
    several: list[str] = []
    single: list[str] = []
    positional: list[str] = []
    for parameter, value in given:
        if parameter.option is None:
            positional += map(_text, value) if isinstance(value, list | tuple) else [_text(value)]
        elif isinstance(value, list | tuple):
            several += [parameter.option, *map(_text, value)]
        else:
            single += _option(parameter, parameter.option, value)
    if positional and ((several and not single) or any(map(_looks_like_option, positional))):
        return [*several, *single, *arguments, "--", *positional]
    return [*several, *single, *positional, *arguments]


def _option(parameter: Parameter, option: str, value: Any) -> list[str]:
    if parameter.flag:
        return [option] if value != parameter.default else []
    text = _text(value)
    if _looks_like_option(text) and option.startswith("--"):
        return [f"{option}={text}"]
    return [option, text]


def _looks_like_option(text: str) -> bool:
    return len(text) > 1 and text.startswith("-") and not _NUMBER.fullmatch(text)


def _filled(argument: str, values: dict[str, str]) -> str:
    """Fill in what stands in braces, once: a value that has braces itself stays as it is."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), argument)


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)
