"""Options that argparse declares, in subparsers too."""

import ast
import itertools
from collections.abc import Iterator

from pytest_training.jobs.kinds.parameters import UNKNOWN, Declaration, OptionCall, below, flag, preferred, selector
from pytest_training.jobs.source.literals import Constants, last_name

_FLAG_ACTIONS = {"store_true", "store_false", "store_const", "append_const", "count"}


def argparse_options(nodes: list[ast.AST], constants: Constants) -> Iterator[Declaration]:
    """Yield what the module's `add_argument` and `add_subparsers` calls declare."""
    calls = OptionCall.all(nodes, constants)
    parsers = _Subparsers(nodes, calls)
    for call in calls:
        method = call.node.func.attr if isinstance(call.node.func, ast.Attribute) else ""
        if method == "add_argument" and call.spellings:
            subcommands = parsers.subcommands_of(call)
            yield from below(subcommands, _arguments(call, in_subparser=bool(subcommands)))
        elif method == "add_subparsers" and parsers.names:
            name = call.value("dest")
            required = call.value("required") is True
            yield selector(name if isinstance(name, str) else "command", parsers.names, required=required)


def _arguments(call: OptionCall, *, in_subparser: bool) -> Iterator[Declaration]:
    action = last_name(call.keyword("action")) or call.value("action")
    option = preferred(call.spellings)
    if action in {"help", "version"}:
        return
    if action in _FLAG_ACTIONS:
        yield flag(option)
    elif action == "BooleanOptionalAction":
        yield flag(option)
        yield flag("--no-" + option.removeprefix("--"))
    elif option.startswith("-"):
        yield call.valued(option, required=call.value("required") is True and not in_subparser)
    else:
        optional = call.value("nargs") in {"?", "*"} or call.keyword("default") or in_subparser
        yield call.valued(option, required=not optional)


class _Subparsers:
    """The parsers that `add_parser` made, by their names; those passed to functions and `parents=` too."""

    def __init__(self, nodes: list[ast.AST], calls: list[OptionCall]) -> None:
        self.names: list[str] = []
        self._by_variable: dict[str, tuple[str, ...]] = {}
        made = [node for node in nodes if isinstance(node, ast.Assign)]
        variables = {node.value: last_name(target) for node in made for target in node.targets}
        for call in calls:
            if last_name(call.node.func) == "add_parser":
                name = _parser_name(call)
                self.names.append(name)
                parents = call.keyword("parents")
                listed = parents.elts if isinstance(parents, ast.List | ast.Tuple) else []
                for variable in filter(None, (variables.get(call.node, ""), *map(last_name, listed))):
                    self._by_variable[variable] = tuple(dict.fromkeys((*self._by_variable.get(variable, ()), name)))
        self._adding = list(self._find_adding(nodes, calls)) if self.names else []

    def subcommands_of(self, call: OptionCall) -> tuple[str, ...]:
        """Return the subcommands under which the option of an `add_argument` call stands; none for the main parser."""
        parser = call.node.func.value if isinstance(call.node.func, ast.Attribute) else None
        if isinstance(parser, ast.Call):  # commands.add_parser("show").add_argument("--all")
            made = OptionCall(parser, call.constants)
            return (_parser_name(made),) if last_name(parser.func) == "add_parser" else ()
        variable = last_name(parser)
        for function, subcommands in self._adding:
            is_inside = function.lineno <= call.node.lineno <= (function.end_lineno or 0)
            if is_inside and function.args.args[0].arg == variable:
                return subcommands
        return self._by_variable.get(variable, ())

    def _find_adding(
        self, nodes: list[ast.AST], calls: list[OptionCall]
    ) -> Iterator[tuple[ast.FunctionDef, tuple[str, ...]]]:
        """Yield the functions that add options to the parser that they take, with its subcommands."""
        plain = [call.node for call in calls if isinstance(call.node.func, ast.Name) and call.node.args]
        for function in (node for node in nodes if isinstance(node, ast.FunctionDef)):
            passed = [last_name(call.args[0]) for call in plain if last_name(call.func) == function.name]
            if passed and function.args.args:
                several = [self._by_variable.get(parser, ()) for parser in passed]
                yield function, tuple(dict.fromkeys(itertools.chain(*several)) if all(several) else ())


def _parser_name(call: OptionCall) -> str:
    names = call.constants.strings(call.node.args[0]) if call.node.args else []
    return names[0] if names else UNKNOWN
