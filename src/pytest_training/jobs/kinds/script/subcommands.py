"""Which options stand under which subcommand of a script: argparse's subparsers and click's groups."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pytest_training.jobs.model import Parameter
from pytest_training.jobs.source.literals import Constants, last_name, walk

UNKNOWN = "*"
"""Stands for a subcommand whose name is not literal."""


def selector(name: str, choices: Iterable[str], *, required: bool) -> Parameter:
    """Return the positional that names the subcommand."""
    names = tuple(dict.fromkeys(choices))
    listed = names if names and UNKNOWN not in names else None
    return Parameter(name=name, type="str", required=required, choices=listed, selects=True)


class _Scope(NamedTuple):
    """A function that adds options to the parser that it takes."""

    first_line: int
    last_line: int
    parameter: str
    subcommands: tuple[str, ...]


class Subparsers:
    """The parsers that `add_parser` made, by their names; those passed to functions and `parents=` too."""

    def __init__(self, nodes: list[ast.AST], constants: Constants) -> None:
        self._constants = constants
        self._by_name: dict[str, tuple[str, ...]] = {}
        self.names: list[str] = []
        targets = {call: target for node in nodes for target, call in _made(node)}
        for call in (node for node in nodes if isinstance(node, ast.Call)):
            if last_name(call.func) == "add_parser":
                self._note(targets.get(call, ""), call)
        self._scopes = list(self._find_scopes(nodes)) if self.any else []

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self.names)

    def _names_of(self, call: ast.Call) -> list[str]:
        return (self._constants.strings(call.args[0])[:1] if call.args else []) or [UNKNOWN]

    def _note(self, target: str, call: ast.Call) -> None:
        name = self._names_of(call)
        self.names += name
        parents = next((keyword.value for keyword in call.keywords if keyword.arg == "parents"), None)
        listed = parents.elts if isinstance(parents, ast.List | ast.Tuple) else []
        for parser in filter(None, (target, *map(last_name, listed))):
            self._by_name[parser] = tuple(dict.fromkeys((*self._by_name.get(parser, ()), *name)))

    def subcommands_of(self, call: ast.Call) -> tuple[str, ...]:
        """Return the subcommands under which the option of an `add_argument` call stands; none for the main parser."""
        parser = call.func.value if isinstance(call.func, ast.Attribute) else None
        if isinstance(parser, ast.Call):  # commands.add_parser("show").add_argument("--all")
            return tuple(self._names_of(parser)) if last_name(parser.func) == "add_parser" else ()
        receiver = last_name(parser)
        for scope in self._scopes:
            if scope.parameter == receiver and scope.first_line <= call.lineno <= scope.last_line:
                return scope.subcommands
        return self._by_name.get(receiver, ())

    def _find_scopes(self, nodes: list[ast.AST]) -> Iterator[_Scope]:
        calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        for function in (node for node in nodes if isinstance(node, ast.FunctionDef)):
            passed = [last_name(call.args[0]) for call in calls if last_name(call.func) == function.name and call.args]
            if passed and function.args.args:
                under = [self._by_name.get(parser, ()) for parser in passed]
                joint = tuple(dict.fromkeys(name for names in under for name in names)) if all(under) else ()
                yield _Scope(function.lineno, function.end_lineno or 0, function.args.args[0].arg, joint)


def _made(node: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield the call whose value a statement gives a name, with the name."""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
        yield from ((last_name(target), node.value) for target in node.targets)


class ClickCommands:
    """The commands of a click group, where there is exactly one group."""

    def __init__(self, nodes: list[ast.AST], constants: Constants) -> None:
        self._of_call: dict[ast.Call, str] = {}
        self.names: list[str] = []
        self.required = True
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
        groups = [function for function in functions if _decorator(function, "group")]
        if len(groups) != 1:
            return
        for function in functions:
            decorator = _decorator(function, "command")
            if decorator is not None:
                self._note(function, decorator, constants)
        call = _decorator(groups[0], "group")
        settings = call.keywords if isinstance(call, ast.Call) else []
        self.required = not any(item.arg == "invoke_without_command" for item in settings)

    def _note(self, function: ast.FunctionDef, decorator: ast.expr, constants: Constants) -> None:
        named = constants.strings(decorator.args[0])[:1] if isinstance(decorator, ast.Call) and decorator.args else []
        name = named[0] if named else function.name.replace("_", "-")
        self.names.append(name)
        for item in function.decorator_list:
            self._of_call |= {node: name for node in walk(item) if isinstance(node, ast.Call)}

    def subcommands_of(self, call: ast.Call) -> tuple[str, ...]:
        """Return the command that a call of `option` or `argument` decorates; none for the group itself."""
        return (self._of_call[call],) if call in self._of_call else ()


def _decorator(function: ast.FunctionDef, kind: str) -> ast.expr | None:
    for decorator in function.decorator_list:
        name = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(name, ast.Attribute) and name.attr == kind:
            return decorator
    return None
