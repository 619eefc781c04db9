"""Options that click declares, in the commands of a group too, and those of typer, which builds on it."""

import ast
import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from pytest_training.jobs.kinds.parameters import (
    Code,
    Declaration,
    OptionCall,
    annotated,
    below,
    flag,
    preferred,
    selector,
)
from pytest_training.jobs.kinds.script.styles import parameters
from pytest_training.jobs.source.literals import MISSING, UNREAD, Constants, last_name, walk

_MODULES = {"click", "rich_click", "asyncclick"}
_DECORATORS = {"option", "argument"}


def click_options(codes: Sequence[Code]) -> Iterator[Declaration]:
    """Yield what the decorators declare; commands belong to the group of their module if it has exactly one."""
    for code in codes:
        if names := _names(code.nodes):
            yield from _declared(code, names)


def _declared(code: Code, names: set[str]) -> Iterator[Declaration]:
    nodes, constants = code.nodes, code.constants
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    groups = [group for function in functions if (group := decorator(function, "group"))]
    pairs = [(function, decorator(function, "command")) for function in functions] if len(groups) == 1 else []
    if commands := {function: command_name(function, command, constants) for function, command in pairs if command}:
        settings = groups[0].keywords if isinstance(groups[0], ast.Call) else []
        required = not any(item.arg == "invoke_without_command" for item in settings)
        yield selector("command", commands.values(), required=required)
    decorators = [(item, name) for function, name in commands.items() for item in function.decorator_list]
    owners = {node: (name,) for item, name in decorators for node in walk(item)}
    is_unclear = not commands and any(isinstance(node, ast.Attribute) and node.attr == "group" for node in nodes)
    for call in OptionCall.all([code]):
        if _dotted(call.node.func) in names and call.spellings:
            subcommands = owners.get(call.node, ())
            yield from below(subcommands, _options(call, in_group=is_unclear or bool(subcommands)))


def _names(nodes: list[ast.AST]) -> set[str]:
    """Return how this module spells click's option and argument: `click.option`, `option`."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            modules = [alias.asname or alias.name for alias in node.names if alias.name in _MODULES]
            names.update(f"{module}.{name}" for module in modules for name in _DECORATORS)
        elif isinstance(node, ast.ImportFrom) and node.module in _MODULES:
            names.update(alias.asname or alias.name for alias in node.names if alias.name in _DECORATORS)
    return names


def _options(call: OptionCall, *, in_group: bool) -> Iterator[Declaration]:
    if last_name(call.node.func) == "argument":
        optional = call.value("required") is False or call.value("nargs") == -1 or call.keyword("default")
        yield call.valued(call.spellings[0], call.default(), required=not optional and not in_group)
        return
    options = [text for text in call.spellings if not text.isidentifier()]
    if call.value("count") is True:
        yield flag(options, call.default(0), kind="int")
    elif call.keyword("flag_value"):  # several flags set one value: what is stored is no True
        yield flag(options, UNREAD if call.keyword("default") else MISSING)
    elif call.value("is_flag") is True or any("/" in text for text in options):
        yield flag(options, call.default(False))
    elif options:
        yield call.valued(preferred(options), call.default(), required=call.value("required") is True and not in_group)


def decorator(function: ast.FunctionDef, *methods: str) -> ast.expr | None:
    """Return the first decorator that is one of these methods, called or not: `@cli.command(…)`."""
    for item in function.decorator_list:
        method = item.func if isinstance(item, ast.Call) else item
        if isinstance(method, ast.Attribute) and method.attr in methods:
            return item
    return None


def command_name(function: ast.FunctionDef, command: ast.expr, constants: Constants) -> str:
    """Return the name under which a decorated function is a command."""
    names = constants.strings(command.args[0]) if isinstance(command, ast.Call) and command.args else []
    return names[0] if names else function.name.replace("_", "-")


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return last_name(node)


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
            options = _typer_options(argument, default, constants, several=len(commands) > 1)
            yield from below(subcommands.get(function.name, ()), options)


def _imports_typer(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "typer"
    return isinstance(node, ast.Import) and any(alias.name == "typer" for alias in node.names)


def _calls_run(call: ast.Call) -> bool:
    """Return True for `run(main)` and `typer.run(main)`."""
    module = last_name(call.func.value) if isinstance(call.func, ast.Attribute) else "typer"
    return last_name(call.func) == "run" and module == "typer" and bool(call.args)


def _typer_options(
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
