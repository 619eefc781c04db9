"""Options of typer scripts, read from the parameters of their commands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import msgspec

from pytest_training.jobs.kinds.script.subcommands import selector
from pytest_training.jobs.model import Parameter
from pytest_training.jobs.source.literals import (
    MISSING,
    Annotation,
    Constants,
    last_name,
    parameter_type,
    read_annotation,
    walk,
)
from pytest_training.jobs.source.sources import Source

_Pair = tuple[ast.arg, ast.expr | None]


def typer_options(source: Source) -> Iterator[tuple[Parameter, Any]]:
    """Yield the parameters of every function that is a command, with their literal defaults."""
    nodes = list(walk(source.tree))
    if not any(_imports_typer(node) for node in nodes):
        return
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    run = {last_name(node.args[0]) for node in nodes if isinstance(node, ast.Call) and _calls_run(node)}
    commands = [item for item in functions if item.name in run or any(map(_is_command, item.decorator_list))]
    named = {item.name: name for item in commands if (name := _subcommand(item, source.constants))}
    several = len(named) > 1
    if several:
        yield selector("command", named.values(), required=True), MISSING
    for function in commands:
        subcommands = (named[function.name],) if several and function.name in named else ()
        for argument, default in _parameters(function.args):
            for parameter, value in _options(argument, default, source.constants, several=len(commands) > 1):
                yield msgspec.structs.replace(parameter, subcommands=subcommands), value


def _subcommand(function: ast.FunctionDef, constants: Constants) -> str | None:
    """Return the name under which a function is a command; None for a callback, whose options stand before it."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and last_name(decorator.func) == "command":
            names = constants.strings(decorator.args[0]) if decorator.args else []
            return names[0] if names else function.name.replace("_", "-")
    return None


def _imports_typer(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "typer"
    return isinstance(node, ast.Import) and any(alias.name == "typer" for alias in node.names)


def _calls_run(call: ast.Call) -> bool:
    is_typer = isinstance(call.func, ast.Name) or (
        isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "typer"
    )
    return last_name(call.func) == "run" and is_typer and bool(call.args)


def _is_command(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and last_name(decorator.func) in {"command", "callback"}


def _parameters(arguments: ast.arguments) -> list[_Pair]:
    positional = [*arguments.posonlyargs, *arguments.args]
    padding: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = list(zip(positional, [*padding, *arguments.defaults], strict=True))
    return [*pairs, *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]


def _options(
    argument: ast.arg, default: ast.expr | None, constants: Constants, *, several: bool
) -> Iterator[tuple[Parameter, Any]]:
    if last_name(argument.annotation) == "Context":
        return
    in_default = _typer_call(default)
    call = in_default or _typer_call(_metadata(argument.annotation))
    arguments = list(call.args) if call else []
    if in_default:
        default = arguments.pop(0) if arguments else None
    if isinstance(default, ast.Constant) and default.value is Ellipsis:
        default = None
    option: str | None = "--" + argument.arg.replace("_", "-")
    spelled = [text for node in arguments for text in constants.strings(node) if text.startswith("-")]
    if last_name(call.func) == "Argument" if call else default is None:
        option = None
    elif spelled:
        option = next((text for text in spelled if text.startswith("--")), spelled[0])
    yield from _declared(argument, default, constants, option, required=default is None and not several)


def _typer_call(node: ast.expr | None) -> ast.Call | None:
    return node if isinstance(node, ast.Call) and last_name(node.func) in {"Option", "Argument"} else None


def _metadata(annotation: ast.expr | None) -> ast.expr | None:
    """Return the call in `Annotated[int, typer.Option(…)]`."""
    if isinstance(annotation, ast.Subscript) and last_name(annotation.value) == "Annotated":
        parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else []
        return next((part for part in parts if _typer_call(part)), None)
    return None


def _declared(
    argument: ast.arg, default: ast.expr | None, constants: Constants, option: str | None, *, required: bool
) -> Iterator[tuple[Parameter, Any]]:
    annotation = read_annotation(argument.annotation)
    value = constants.literal(default)
    if option and parameter_type(annotation, value) == "bool":
        pair = option.split("/") if "/" in option else [option, "--no-" + option.removeprefix("--")]
        yield from (_flag(spelling.strip()) for spelling in pair)
    else:
        yield _valued(option or argument.arg, option, annotation, value, required=required)


def _flag(option: str) -> tuple[Parameter, Any]:
    name = option.lstrip("-").replace("-", "_")
    return Parameter(name=name, type="bool", default=False, option=option, flag=True), False


def _valued(
    name: str, option: str | None, annotation: Annotation, value: Any, *, required: bool
) -> tuple[Parameter, Any]:
    parameter = Parameter(
        name=name.lstrip("-").replace("-", "_"),
        type=parameter_type(annotation, value),
        default=None if value is MISSING else value,
        required=required,
        option=option,
        choices=annotation.choices,
    )
    return parameter, value
