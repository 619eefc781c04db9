"""What a catalogue says about a job's command line: options that the source does not declare, raw arguments."""

from __future__ import annotations

import msgspec

from pytest_training.jobs.catalogue.declarations import Declaration
from pytest_training.jobs.catalogue.document import Entry
from pytest_training.jobs.kinds.protocol import Kind
from pytest_training.jobs.model import Job, Parameter
from pytest_training.jobs.values import convert_text, find_parameter, with_value


def with_command_line(job: Job, declaration: Declaration, kind: Kind) -> Job:
    """Return the job with the declared options, with `--output-dir` where it is asked for, and with its arguments."""
    for name, entry in declaration.options.items():
        job = _with_option(job, name, entry, kind)
    if declaration.wants_output and kind.has_options and job.output_option is None:
        job = msgspec.structs.replace(job, output_option="--output-dir")
    if job.arguments and not kind.is_program:
        job = _as_parameters(job, declaration.entry, kind)
    return job


def _with_option(job: Job, name: str, entry: Entry, kind: Kind) -> Job:
    option: str | None = entry.plain
    others = tuple(parameter for parameter in job.declared if parameter.name != name)
    if option is None:
        return msgspec.structs.replace(job, declared=others)
    if not kind.has_options:
        find_parameter(job, name, entry.where)
        return job
    parameter = next((parameter for parameter in job.declared if parameter.name == name), Parameter(name=name))
    return msgspec.structs.replace(job, declared=(*others, msgspec.structs.replace(parameter, option=option)))


def _as_parameters(job: Job, entry: Entry, kind: Kind) -> Job:
    """Read `--epochs 80` or `--epochs=80` as parameters: a job that is no program has no command line."""
    words = [word for argument in job.arguments for word in argument.split("=", 1)]
    where = f"{entry.where}: arguments"
    if len(words) % 2 or any(not word.startswith("--") for word in words[::2]):
        raise entry.error(
            f"{job.id} is no script: expected arguments like --epochs 80, found {' '.join(job.arguments)}"
        )
    job = msgspec.structs.replace(job, arguments=())
    for option, text in zip(words[::2], words[1::2], strict=True):
        parameter = find_parameter(job, option.removeprefix("--").replace("-", "_"), where)
        value = convert_text(parameter, text, where, kind)
        job = with_value(job, parameter.name, value, kind)
    return job
