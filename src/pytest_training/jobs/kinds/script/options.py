"""Script jobs: the options that a file's own argparse or click calls declare, read from its syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from pytest_training.jobs.kinds.script.subcommands import ClickCommands, Subparsers, selector
from pytest_training.jobs.kinds.script.typer import typer_options
from pytest_training.jobs.model import Parameter, Type
from pytest_training.jobs.source.literals import MISSING, Constants, last_name, type_of, walk
from pytest_training.jobs.source.sources import Source

OUTPUT_OPTIONS = ("--output-dir", "--output_dir", "--output", "--out", "--save-dir", "--results-dir")

_CLICK = {"click", "rich_click", "asyncclick"}
_FLAG_ACTIONS = {"store_true", "store_false", "store_const", "append_const", "count"}
_TYPES: dict[str, Type] = {
    **dict.fromkeys(("int", "INT", "IntRange"), "int"),
    **dict.fromkeys(("float", "FLOAT", "FloatRange"), "float"),
    **dict.fromkeys(("str", "STRING", "Path", "FileType", "File", "Choice"), "str"),
    **dict.fromkeys(("bool", "BOOL"), "bool"),
}


class Options(NamedTuple):
    """What a script's command line takes."""

    declared: tuple[Parameter, ...]
    defaults: dict[str, Any]
    """Defaults of the parameters whose source states a literal one."""
    output_option: str | None


class _Call(NamedTuple):
    """A call that declares an option, its arguments read as far as they are literal."""

    spellings: list[str]
    keywords: dict[str, ast.expr]
    constants: Constants

    def value(self, keyword: str) -> Any:
        return self.constants.literal(self.keywords.get(keyword))


def read_options(source: Source) -> Options:
    """Return what the script's command line takes; the first declaration of a name counts."""
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
    return Options(tuple(declared.values()), defaults, output)


def _all_options(source: Source) -> Iterator[tuple[Parameter, Any]]:
    if b"add_argument" in source.content or b"click" in source.content:
        nodes = list(walk(source.tree))
        click = _click_names(nodes)
        parsers = Subparsers(nodes, source.constants)
        commands = ClickCommands(nodes if click else [], source.constants)
        if commands.names:
            yield selector("command", commands.names, required=commands.required), MISSING
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
            yield from _options_of(call, source.constants, click, parsers, commands)
    if b"typer" in source.content:
        yield from typer_options(source)


def _options_of(
    call: ast.Call, constants: Constants, click: set[str], parsers: Subparsers, commands: ClickCommands
) -> Iterator[tuple[Parameter, Any]]:
    attribute = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    read = _Call(
        [text for argument in call.args for text in constants.strings(_unstarred(argument))],
        {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg},
        constants,
    )
    if attribute == "add_argument" and read.spellings:
        subcommands = parsers.subcommands_of(call)
        yield from _under(subcommands, _argparse(read, in_subparser=bool(subcommands)))
    elif attribute == "add_subparsers":
        yield from _subcommand(read, parsers)
    elif _dotted(call.func) in click and read.spellings:
        subcommands = commands.subcommands_of(call)
        in_group = "group()" in click and not commands.names
        is_argument = last_name(call.func) == "argument"
        yield from _under(subcommands, _click(read, argument=is_argument, in_group=in_group or bool(subcommands)))


def _under(subcommands: tuple[str, ...], options: Iterator[tuple[Parameter, Any]]) -> Iterator[tuple[Parameter, Any]]:
    for parameter, default in options:
        yield msgspec.structs.replace(parameter, subcommands=subcommands), default


def _unstarred(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Starred) else node


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return last_name(node)


# argparse


def _argparse(call: _Call, *, in_subparser: bool) -> Iterator[tuple[Parameter, Any]]:
    action = call.value("action")
    named = last_name(call.keywords.get("action")) or action
    option = _preferred(call.spellings)
    if named in {"help", "version"}:
        return
    if named in _FLAG_ACTIONS:
        yield flag(option)
    elif named == "BooleanOptionalAction":
        yield flag(option)
        yield flag("--no-" + option.removeprefix("--"))
    elif option.startswith("-"):
        yield _valued(call, option, required=call.value("required") is True and not in_subparser)
    else:
        optional = call.value("nargs") in {"?", "*"} or "default" in call.keywords or in_subparser
        yield _valued(call, option, required=not optional)


def _subcommand(call: _Call, parsers: Subparsers) -> Iterator[tuple[Parameter, Any]]:
    name = call.value("dest")
    if parsers.any:
        required = call.value("required") is True
        yield selector(name if isinstance(name, str) else "command", parsers.names, required=required), MISSING


# click


def _click_names(nodes: list[ast.AST]) -> set[str]:
    """Return how this module spells click's option and argument: `click.option`, `option`."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            modules = [alias.asname or alias.name for alias in node.names if alias.name in _CLICK]
            names.update(f"{module}.{kind}" for module in modules for kind in ("option", "argument"))
        elif isinstance(node, ast.ImportFrom) and node.module in _CLICK:
            names.update(alias.asname or alias.name for alias in node.names if alias.name in {"option", "argument"})
        elif isinstance(node, ast.Attribute) and node.attr == "group":
            names.add("group()")
    return names


def _click(call: _Call, *, argument: bool, in_group: bool) -> Iterator[tuple[Parameter, Any]]:
    if argument:
        optional = call.value("required") is False or call.value("nargs") == -1 or "default" in call.keywords
        yield _valued(call, call.spellings[0], required=not optional and not in_group)
        return
    options = [text for text in call.spellings if text.startswith("-")]
    paired = next((text for text in options if "/" in text), None)
    if paired:
        yield from (flag(text.strip()) for text in paired.split("/"))
    elif call.value("is_flag") is True or call.value("count") is True or "flag_value" in call.keywords:
        yield flag(_preferred(options))
    elif options:
        yield _valued(call, _preferred(options), required=call.value("required") is True and not in_group)


# both


def _preferred(spellings: list[str]) -> str:
    """Return the spelling that stands for the option: one for the output folder, else the first long one."""
    output = next((text for text in OUTPUT_OPTIONS if text in spellings), None)
    return output or next((text for text in spellings if text.startswith("--")), spellings[0])


def identifier(option: str) -> str:
    """Return the parameter's name: `learning_rate` for `--learning-rate`."""
    return re.sub(r"\W", "_", option.lstrip("-"))


def flag(option: str) -> tuple[Parameter, Any]:
    """Return an option without a value; it is True when it stands on the command line."""
    return Parameter(name=identifier(option), type="bool", default=False, option=option, flag=True), False


def _valued(call: _Call, option: str, *, required: bool) -> tuple[Parameter, Any]:
    default = call.value("default")
    parameter = Parameter(
        name=identifier(option),
        type=_value_type(call, default),
        default=None if default is MISSING else default,
        required=required,
        option=option if option.startswith("-") else None,
        choices=_choices(call),
    )
    return parameter, default


def _value_type(call: _Call, default: Any) -> Type:
    if call.value("nargs") not in {MISSING, None, "?", 1}:
        return "list"
    declared = call.keywords.get("type")
    if declared is not None:
        return _TYPES.get(last_name(declared.func if isinstance(declared, ast.Call) else declared), "any")
    if default is not MISSING and default is not None:
        return type_of(default)
    return "any" if "default" in call.keywords and default is MISSING else "str"


def _choices(call: _Call) -> tuple[Any, ...] | None:
    declared = call.keywords.get("type")
    listed = call.value("choices")
    if isinstance(declared, ast.Call) and last_name(declared.func) == "Choice" and declared.args:
        listed = call.constants.literal(declared.args[0])
    return tuple(listed) if isinstance(listed, list) and listed else None
