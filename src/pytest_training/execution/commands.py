"""The command line of a script or command job: a list of arguments, never a shell string."""

from __future__ import annotations

import re
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
    """Return what is given in the source's order: a subcommand stands before its own options. Lists have no end."""
    words: list[str] = []
    lists: list[str] = []
    for parameter in job.declared:
        if parameter.name in job.given:
            value = job.parameters[parameter.name]
            has_no_end = isinstance(value, list | tuple) and parameter.option is not None
            (lists if has_no_end else words).extend(_words(parameter, value))
    return [*words, *lists]


def _words(parameter: Parameter, value: Any) -> list[str]:
    option = parameter.option
    if parameter.flag and option is not None:
        return [option] if value != parameter.default else []
    texts = [_text(entry) for entry in value] if isinstance(value, list | tuple) else [_text(value)]
    if option is None:
        return texts
    if option.startswith("--") and len(texts) == 1 and texts[0].startswith("-"):
        return [f"{option}={texts[0]}"]  # apart, it would be taken for another option
    return [option, *texts]


def _filled(argument: str, values: dict[str, str]) -> str:
    # In one go: a value that itself contains `{folder}` stays as it is.
    names = "|".join(re.escape(name) for name in values)
    return re.sub(rf"\{{({names})\}}", lambda found: values[found[1]], argument)


def _text(value: Any) -> str:
    return str(value)
