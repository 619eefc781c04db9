"""Command jobs: a program with arguments that the catalogue declares; a list, never a shell string."""

from collections.abc import Mapping
from typing import Any

from pytest_training.jobs.kinds.protocol import Command, Kind
from pytest_training.jobs.kinds.script.arguments import fill
from pytest_training.jobs.model import Job, Parameter
from pytest_training.jobs.source.literals import type_of


class CommandKind(Kind):
    """A program with `{folder}`, `{seed}` and `{name}` of any parameter in its arguments."""

    name = "command"

    def job(self, command: tuple[str, ...], values: Mapping[str, list[Any]], **fields: Any) -> Job:
        """Return the job that the catalogue declares, with the values that each parameter can have."""
        declared = tuple(_inferred(name, several) for name, several in values.items())
        parameters = {name: several[0] for name, several in values.items()}
        return Job(kind=self.name, command=command, declared=declared, parameters=parameters, **fields)

    def start(self, job: Job, *, folder: str, seed: int) -> Command:
        """Return the program with the placeholders filled in."""
        return Command(argv=fill((*job.command, *job.arguments), job, folder=folder, seed=seed))


def _inferred(name: str, values: list[Any]) -> Parameter:
    types = {type_of(value) for value in values}
    joint = types.pop() if len(types) == 1 else "float" if types == {"int", "float"} else "any"
    return Parameter(name=name, type=joint, default=values[0])
