"""Options that click declares, in the commands of a group too."""

import ast
from collections.abc import Iterator, Sequence

from pytest_training.jobs.kinds.parameters import Code, Declaration, OptionCall, below, flag, preferred, selector
from pytest_training.jobs.source.literals import MISSING, UNREAD, Constants, last_name, walk

_MODULES = {"click", "rich_click", "asyncclick"}
_DECORATORS = {"option", "argument"}


def click_options(codes: Sequence[Code]) -> Iterator[Declaration]:
    """Yield what the decorators declare; the commands are those of a module's group, if it has exactly one."""
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
