"""Options of typer scripts, read from the parameters of their commands."""

import ast
import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from pytest_training.jobs.kinds.parameters import Code, Declaration, annotated, below, flag, preferred, selector
from pytest_training.jobs.kinds.script.click import command_name, decorator
from pytest_training.jobs.kinds.script.signatures import parameters
from pytest_training.jobs.source.literals import UNREAD, Constants, last_name


def typer_options(codes: Sequence[Code]) -> Iterator[Declaration]:
    """Yield the parameters of every function that is a command, with their literal defaults."""
    nodes = [node for code in codes for node in code.nodes]
    if not any(map(_imports_typer, nodes)):
        return
    started = {last_name(node.args[0]) for node in nodes if isinstance(node, ast.Call) and _calls_run(node)}
    functions = [(node, code.constants) for code in codes for node in code.nodes if isinstance(node, ast.FunctionDef)]
    commands = [pair for pair in functions if pair[0].name in started or decorator(pair[0], "command", "callback")]
    # The options of a callback stand before the subcommand.
    calls = ((item, decorator(item, "command"), constants) for item, constants in commands)
    named = {item.name: command_name(item, call, constants) for item, call, constants in calls if call}
    subcommands = {name: (command,) for name, command in named.items()} if len(named) > 1 else {}
    if subcommands:
        yield selector("command", named.values(), required=True)
    for function, constants in commands:
        for argument, default in parameters(function):
            options = _options(argument, default, constants, several=len(commands) > 1)
            yield from below(subcommands.get(function.name, ()), options)


def _imports_typer(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "typer"
    return isinstance(node, ast.Import) and any(alias.name == "typer" for alias in node.names)


def _calls_run(call: ast.Call) -> bool:
    """Return True for `run(main)` and `typer.run(main)`."""
    module = last_name(call.func.value) if isinstance(call.func, ast.Attribute) else "typer"
    return last_name(call.func) == "run" and module == "typer" and bool(call.args)


def _options(
    argument: ast.arg, default: ast.expr | None, constants: Constants, *, several: bool
) -> Iterator[Declaration]:
    if last_name(argument.annotation) == "Context":
        return
    in_default = _typer_call(default)
    call = in_default or _in_annotation(argument.annotation)
    arguments = list(call.args) if call else []
    if in_default:
        default = arguments.pop(0) if arguments else None
    if isinstance(default, ast.Constant) and default.value is Ellipsis:
        default = None
    spellings = [text for node in arguments for text in constants.strings(node) if text.lstrip(" /").startswith("-")]
    spelling = preferred(spellings or ["--" + argument.arg.replace("_", "-")])
    is_positional = last_name(call.func) == "Argument" if call else default is None
    if is_positional:
        spelling = argument.arg
    declaration, value = annotated(
        spelling, argument.annotation, default, constants, required=default is None and not several
    )
    default_value = UNREAD if declaration.unread else value
    if declaration.type == "bool" and not is_positional:
        switch, value = flag(spellings or [f"{spelling}/--no-{spelling.removeprefix('--')}"], default_value)
        name = argument.arg if switch.option == switch.off else switch.name
        yield replace(switch, required=declaration.required, name=name), value
    elif call and any(item.arg == "count" for item in call.keywords):
        yield flag([spelling], default_value, kind="int")
    elif not is_positional and declaration.type == "list" and re.search(r"\b[Ll]ist\[", ast.unparse(argument)):
        yield replace(declaration, repeated="replacing"), value  # a tuple is one option with several values
    else:
        yield declaration, value


def _typer_call(node: ast.expr | None) -> ast.Call | None:
    return node if isinstance(node, ast.Call) and last_name(node.func) in {"Option", "Argument"} else None


def _in_annotation(annotation: ast.expr | None) -> ast.Call | None:
    """Return the call in `Annotated[int, typer.Option(…)]`."""
    if isinstance(annotation, ast.Subscript) and last_name(annotation.value) == "Annotated":
        parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else []
        return next(filter(None, map(_typer_call, parts)), None)
    return None
