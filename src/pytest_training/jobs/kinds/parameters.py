"""Parameters as Python source declares them: made in one way from signatures, argparse, click and typer."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from pytest_training.jobs.model import Parameter, Type
from pytest_training.jobs.source.literals import MISSING, Constants, last_name, parameter_type, read_annotation, type_of

OUTPUT_OPTIONS = ("--output-dir", "--output_dir", "--output", "--out", "--save-dir", "--results-dir")
SEED_NAMES = (
    *("seed", "random_seed", "random_state", "rng_seed", "rand_seed", "manual_seed", "manualseed", "randomseed"),
    *("global_seed", "seed_everything", "seed_value", "initial_seed", "base_seed", "torch_seed", "np_seed"),
)
"""Names of parameters that mean the seed of a training, the most general first; in lower case."""
_SEED_TYPES: tuple[Type, ...] = ("int", "float", "str", "any")
UNKNOWN = "*"
"""Stands for a subcommand if its name is not literal."""

Declaration = tuple[Parameter, Any]
"""A parameter with its literal default, or MISSING."""

_TYPES: dict[str, Type] = {
    **dict.fromkeys(("int", "INT", "IntRange"), "int"),
    **dict.fromkeys(("float", "FLOAT", "FloatRange"), "float"),
    **dict.fromkeys(("str", "STRING", "Path", "FileType", "File", "Choice"), "str"),
    **dict.fromkeys(("bool", "BOOL"), "bool"),
}


def flag(option: str) -> Declaration:
    """Return an option without a value; it is True if it is on the command line."""
    return Parameter(name=_identifier(option), type="bool", default=False, option=option, flag=True), False


def annotated(
    spelling: str, argument: ast.arg, default: ast.expr | None, constants: Constants, *, required: bool
) -> Declaration:
    """Return the parameter of a function; `spelling` is its option, or else its name."""
    annotation, value = read_annotation(argument.annotation), constants.literal(default)
    return _valued(spelling, parameter_type(annotation, value), value, required=required, choices=annotation.choices)


def selector(name: str, choices: Iterable[str], *, required: bool) -> Declaration:
    """Return the positional that names the subcommand."""
    names = tuple(dict.fromkeys(choices))
    listed = names if names and UNKNOWN not in names else None
    return Parameter(name=name, type="str", required=required, choices=listed, selects=True), MISSING


def below(subcommands: tuple[str, ...], options: Iterable[Declaration]) -> Iterator[Declaration]:
    """Yield the options as those of subcommands."""
    for parameter, default in options:
        yield msgspec.structs.replace(parameter, subcommands=subcommands), default


class OptionCall(NamedTuple):
    """A call that declares an option, its arguments read as far as they are literal."""

    node: ast.Call
    constants: Constants

    @classmethod
    def all(cls, nodes: Iterable[ast.AST], constants: Constants) -> list[OptionCall]:
        """Return the calls in the order of the source: a walk comes to a function's decorators after its body."""
        calls = (node for node in nodes if isinstance(node, ast.Call))
        return [cls(call, constants) for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset))]

    @property
    def spellings(self) -> list[str]:
        """Return the texts among the call's positional arguments."""
        arguments = (item.value if isinstance(item, ast.Starred) else item for item in self.node.args)
        return [text for argument in arguments for text in self.constants.strings(argument)]

    def keyword(self, name: str) -> ast.expr | None:
        """Return the expression that the call passes by this name."""
        return next((item.value for item in self.node.keywords if item.arg == name), None)

    def value(self, name: str) -> Any:
        """Return the literal value of a keyword, or MISSING."""
        return self.constants.literal(self.keyword(name))

    def valued(self, spelling: str, *, required: bool) -> Declaration:
        """Return the option or positional with a value that the call declares."""
        default = self.value("default")
        return _valued(spelling, self._type(default), default, required=required, choices=self._choices())

    def _type(self, default: Any) -> Type:
        if self.value("nargs") not in {MISSING, None, "?", 1}:
            return "list"
        declared = self.keyword("type")
        if declared is not None:
            return _TYPES.get(last_name(declared.func if isinstance(declared, ast.Call) else declared), "any")
        if default is not MISSING and default is not None:
            return type_of(default)
        return "any" if self.keyword("default") and default is MISSING else "str"

    def _choices(self) -> tuple[Any, ...] | None:
        declared, listed = self.keyword("type"), self.value("choices")
        if isinstance(declared, ast.Call) and last_name(declared.func) == "Choice" and declared.args:
            listed = self.constants.literal(declared.args[0])
        return tuple(listed) if isinstance(listed, list) and listed else None


def seed_option(declared: Iterable[Parameter]) -> Parameter | None:
    """Return the option of a script that takes its seed, or None if it has none."""
    options = {
        each.name.lower(): each for each in declared if each.option and not each.flag and each.type in _SEED_TYPES
    }
    return next((options[name] for name in SEED_NAMES if name in options), None)


def preferred(spellings: list[str]) -> str:
    """Return one spelling of the option: one for the output folder, else the first long one."""
    output = next((text for text in OUTPUT_OPTIONS if text in spellings), None)
    return output or next((text for text in spellings if text.startswith("--")), spellings[0])


def _valued(spelling: str, kind: Type, default: Any, *, required: bool, choices: tuple[Any, ...] | None) -> Declaration:
    parameter = Parameter(
        name=_identifier(spelling),
        type=kind,
        default=None if default is MISSING else default,
        required=required,
        option=spelling if spelling.startswith("-") else None,
        choices=choices,
    )
    return parameter, default


def _identifier(option: str) -> str:
    """Return the parameter's name: `learning_rate` for `--learning-rate`."""
    return re.sub(r"\W", "_", option.lstrip("-"))
