"""Parameters as Python source declares them: made in one way from signatures, argparse, click and typer."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from pytest_training.jobs.model import Parameter, Type
from pytest_training.jobs.source.literals import (
    MISSING,
    UNREAD,
    Constants,
    last_name,
    parameter_type,
    read_annotation,
    type_of,
)
from pytest_training.jobs.source.sources import Sources

OUTPUT = re.compile(
    r"((.*[._])?(outputs?|out|save|results?|logs?|logging|tensorboard|tb)_?(dir|folder)|(.*\.)?(checkpoints?|ckpts?|model"
    r"|save_models?|work|exp|experiment|run|job|default_root)_?dir|(.*\.)?(outf|output|out)|hydra\.run\.dir"
    r"|(.*\.)?(?P<may_be_file>save|(save|output|out|log)_(path|file)))"
)  # names of parameters that mean a place for output, in lower case, `_` for `-`; a default must say which place
_FILE = re.compile(r"([^/\\]*\.[A-Za-z]\w{0,7})$")  # the file in a default like `out/model.pt`
TRAINING_COMMANDS = ("fit", "train", "training", "main", "run")
UNKNOWN = "*"  # stands for a subcommand if its name is not literal
Declaration = tuple[Parameter, Any]  # a parameter with its literal default, or MISSING
_TYPES: dict[str, Type] = {
    **dict.fromkeys(("int", "INT", "IntRange"), "int"),
    **dict.fromkeys(("float", "FLOAT", "FloatRange"), "float"),
    **dict.fromkeys(("str", "string", "STRING", "Path", "FileType", "File", "Choice"), "str"),
    **dict.fromkeys(("bool", "BOOL"), "bool"),
}


class Code(NamedTuple):
    """Statements of a file, and the file's constants."""

    nodes: list[ast.AST]
    constants: Constants
    path: Path
    sources: Sources


_FROM_TEXT: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": bool}
"""How argparse and click read a default that is a text."""


def flag(
    spellings: Iterable[str], default: Any, *, off: str | None = None, name: str | None = None, kind: Type = "bool"
) -> Declaration:
    """Return an option without a value, by what switches it on and off: `--amp/--no-amp`; an int is counted."""
    parts = [re.split(";" if text.startswith("/") else "/", text, maxsplit=1) for text in spellings]
    on = [text for part in parts if (text := part[0].strip())]
    offs = [text for part in parts for text in map(str.strip, part[1:])]
    off = preferred(offs) if offs else off
    return _declaration(preferred(on) if on else off or "", kind, default, name=name, off=off, flag=True)


def annotated(
    spelling: str, annotated_as: ast.expr | None, default: ast.expr | None, constants: Constants, *, required: bool
) -> Declaration:
    """Return the parameter of a function; `spelling` is its option, or else its name."""
    annotation, value = read_annotation(annotated_as), constants.literal(default)
    kind = parameter_type(annotation, value)
    value = UNREAD if default is not None and value is MISSING else value
    return _declaration(spelling, kind, value, required=required, choices=annotation.choices)


def selector(name: str, choices: Iterable[str], *, required: bool) -> Declaration:
    """Return the positional that names the subcommand: where one is required, by default one that trains."""
    names = tuple(dict.fromkeys(choices))
    listed = names if names and UNKNOWN not in names else None
    default = next((each for each in TRAINING_COMMANDS if each in names), None) if required else None
    is_missing = required and default is None
    parameter = Parameter(name=name, type="str", default=default, required=is_missing, choices=listed, selects=True)
    return parameter, default or MISSING


def below(subcommands: tuple[str, ...], options: Iterable[Declaration]) -> Iterator[Declaration]:
    """Yield the options as those of subcommands."""
    for parameter, default in options:
        yield msgspec.structs.replace(parameter, subcommands=subcommands), default


class OptionCall(NamedTuple):
    """A call that declares an option, its arguments read as far as they are literal."""

    node: ast.Call
    constants: Constants

    @classmethod
    def all(cls, codes: Iterable[Code]) -> list[OptionCall]:
        """Return the calls in the order of the source: a walk comes to a function's decorators after its body."""
        several = ((code, [node for node in code.nodes if isinstance(node, ast.Call)]) for code in codes)
        return [
            cls(call, code.constants)
            for code, calls in several
            for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset))
        ]

    @property
    def spellings(self) -> list[str]:
        """Return the texts among the call's positional arguments."""
        arguments = (item.value if isinstance(item, ast.Starred) else item for item in self.node.args)
        return [text for argument in arguments for text in self.constants.strings(argument)]

    @property
    def destination(self) -> str:
        """Return the name under which argparse's parsed arguments have the value."""
        stated, texts = self.value("dest"), self.spellings
        name = stated if isinstance(stated, str) else next((text for text in texts if text.startswith("--")), texts[0])
        return identifier(name)

    def keyword(self, name: str) -> ast.expr | None:
        """Return the expression that the call passes by this name."""
        return next((value for key, value in _passed(self.node, self.constants) if key == name), None)

    def value(self, name: str) -> Any:
        """Return the literal value of a keyword, or MISSING."""
        return self.constants.literal(self.keyword(name))

    def default(self, implied: Any = MISSING) -> Any:
        """Return the literal default, `implied` if none is stated, or UNREAD if the source does not show it."""
        if self.keyword("envvar"):
            return UNREAD
        if self.keyword("default") is None:
            return implied
        default = self.value("default")
        convert = _FROM_TEXT.get(_type_name(self.keyword("type"))) if isinstance(default, str) else None
        try:
            return UNREAD if default is MISSING else convert(default) if convert else default
        except ValueError:
            return UNREAD

    def valued(self, spelling: str, default: Any, *, required: bool) -> Declaration:
        """Return the option or positional with a value that the call declares."""
        adds = str(self.value("action")) in {"append", "extend"}
        repeated = "adding" if adds else "replacing" if self.value("multiple") is True else ""
        repeated = "" if self.keyword("nargs") else repeated
        kind: Type = "list" if repeated else self._type(default)
        return _declaration(spelling, kind, default, required=required, choices=self._choices(), repeated=repeated)

    def _type(self, default: Any) -> Type:
        if self.value("nargs") not in {MISSING, None, "?", 1}:
            return "list"
        if declared := self.keyword("type"):
            return _TYPES.get(_type_name(declared), "any")
        return "str" if default is MISSING or default is None else type_of(default)

    def _choices(self) -> tuple[Any, ...] | None:
        declared, listed = self.keyword("type"), self.value("choices")
        if isinstance(declared, ast.Call) and last_name(declared.func) == "Choice" and declared.args:
            listed = self.constants.literal(declared.args[0])
        return tuple(listed) if isinstance(listed, list) and listed else None


def _passed(call: ast.Call, constants: Constants) -> Iterator[tuple[Any, ast.expr]]:
    """Yield the keywords of a call with their values, also those of `**{"type": int}` and `**dict(type=int)`."""
    for item in call.keywords:
        value = item.value if item.arg else constants.node(last_name(item.value)) or item.value
        if item.arg:
            yield item.arg, value
        elif isinstance(value, ast.Dict):
            yield from ((getattr(key, "value", None), each) for key, each in zip(value.keys, value.values, strict=True))
        elif isinstance(value, ast.Call):
            yield from _passed(value, constants)


def _output(text: str) -> re.Match[str] | None:
    return OUTPUT.fullmatch(text.strip("-+=").replace("-", "_").lower())


def output_place(parameter: Parameter, folder: str) -> str | None:
    """Return what a parameter for output gets: the folder, or a file in it if its default has a suffix; else None."""
    default = parameter.default if isinstance(parameter.default, str) else ""
    name = parameter.option or parameter.name
    is_place = parameter.type in {"str", "any"} or (name.endswith("dir") and parameter.type != "bool")
    # A key of Hydra's may belong to a group that is not chosen, and the others follow its run folder.
    is_asked_for = is_place and not parameter.flag and (name.startswith(("-", "hydra.run.")) or parameter.required)
    match = _output(name) if is_asked_for and not parameter.choices else None
    if match is None or (match["may_be_file"] and not default):
        return None
    return f"{folder}/{file[1]}" if (file := _FILE.search(default)) else folder


def preferred(spellings: list[str]) -> str:
    """Return one spelling of the option: one for the output folder, else the first long one."""
    output = next(filter(_output, spellings), None)
    return output or next((text for text in spellings if text.startswith("--")), spellings[0])


def _type_name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant):  # optparse has `type="int"`
        return str(node.value)
    return last_name(node.func if isinstance(node, ast.Call) else node)


def _declaration(spelling: str, kind: Type, default: Any, *, name: str | None = None, **fields: Any) -> Declaration:
    is_stated = default is not MISSING and default is not UNREAD
    parameter = Parameter(
        name=name or identifier(spelling),
        type=kind,
        default=default if is_stated else None,
        option=spelling if spelling.startswith("-") or spelling.endswith("=") or fields.get("flag") else None,
        unread=default is UNREAD,
        **fields,
    )
    return parameter, default if is_stated else MISSING


def identifier(option: str) -> str:
    """Return the parameter's name: `learning_rate` for `--learning-rate`, `optim_lr` for `optim.lr=`."""
    return re.sub(r"\W", "_", option.strip("-+="))
