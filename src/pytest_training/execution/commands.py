"""The command line of a script or command job: a list of arguments, never a shell string."""

from __future__ import annotations

import sys
from typing import Any

from pytest_training.jobs.model import Job, Parameter


def command_line(job: Job, *, folder: str, seed: int) -> list[str]:
    """Return the program and its arguments, with the job's given parameters and output folder."""
    if job.kind == "command":
        values = {name: _text(value) for name, value in job.parameters.items()}
        values |= {"folder": folder, "seed": str(seed)}
        return [_filled(argument, values) for argument in job.command]
    output = [job.output_option, folder] if job.output_option and not _output_given(job) else []
    return [sys.executable, str(job.path), *output, *_options(job)]


def _output_given(job: Job) -> bool:
    return any(parameter.option == job.output_option for parameter in job.declared if parameter.name in job.given)


def _options(job: Job) -> list[str]:
    positional: list[str] = []
    options: list[str] = []
    for parameter in job.declared:
        if parameter.name not in job.given:
            continue
        value = job.parameters[parameter.name]
        if parameter.option is None:
            positional.append(_text(value))
        else:
            options.extend(_option(parameter, parameter.option, value))
    return [*options, *positional]


def _option(parameter: Parameter, option: str, value: Any) -> list[str]:
    if parameter.flag:
        return [option] if value != parameter.default else []
    if isinstance(value, list | tuple):
        return [option, *(_text(entry) for entry in value)]
    return [option, _text(value)]


def _filled(argument: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        argument = argument.replace("{" + name + "}", value)
    return argument


def _text(value: Any) -> str:
    return str(value)
