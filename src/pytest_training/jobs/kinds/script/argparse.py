"""Options that argparse and optparse declare, in subparsers and loops over literals too, and those of absl's flags."""

import ast
import copy
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from pytest_training.jobs.kinds.parameters import (
    UNKNOWN,
    Code,
    Declaration,
    OptionCall,
    annotated,
    below,
    flag,
    preferred,
    selector,
)
from pytest_training.jobs.model import Type
from pytest_training.jobs.source.literals import MISSING, UNREAD, Constants, last_name, walk

_IMPLIED: dict[str, Any] = {"store_true": False, "store_false": True}  # defaults of actions that need not state one
MOST_NESTED = 3  # functions that pass a parser on to each other, from the one that makes it
_OTHER_FLAGS = {"store_const", "append_const"}
_FLAG_TYPES: dict[str, Type] = {
    **dict.fromkeys(("integer", "multi_integer"), "int"),
    **dict.fromkeys(("float", "multi_float"), "float"),
    **dict.fromkeys(("bool", "boolean"), "bool"),
    **dict.fromkeys(("string", "enum", "multi_string", "multi_enum", "list", "spaceseplist", "config_file"), "str"),
}
_JOINS = {"list": ",", "spaceseplist": " "}


def argparse_options(codes: Sequence[Code]) -> Iterator[Declaration]:
    """Yield what `add_argument` and `add_subparsers` calls declare."""
    codes = [code._replace(nodes=unrolled(code.nodes, code.constants)) for code in codes]
    calls = OptionCall.all(codes)
    parsers = _Subparsers([node for code in codes for node in code.nodes], calls)
    defaults = _defaults(calls, parsers)
    shared = Counter(call.destination for call in calls if _adds_option(call))
    for call in calls:
        if _adds_option(call):
            subcommands = parsers.subcommands_of(call)
            named = call.value("action") == "store_false" or shared[call.destination] > 1
            name = call.destination if named else None
            yield from below(subcommands, _arguments(call, defaults[call.node], name, in_subparser=bool(subcommands)))
        elif _method(call) == "add_subparsers" and parsers.names:
            chosen = call.value("dest")
            required = call.value("required") is True
            yield selector(chosen if isinstance(chosen, str) else "command", parsers.names, required=required)


def _adds_option(call: OptionCall) -> bool:
    return _method(call) in {"add_argument", "add_option"} and bool(call.spellings)


def _method(call: OptionCall) -> str:
    return call.node.func.attr if isinstance(call.node.func, ast.Attribute) else ""


def _arguments(call: OptionCall, default: Any, name: str | None, *, in_subparser: bool) -> Iterator[Declaration]:
    action = last_name(call.keyword("action")) or call.value("action")
    option = preferred(call.spellings)
    if action in {"help", "version"}:
        return
    if action in _IMPLIED:
        yield flag([option], default, off=option if action == "store_false" else None, name=name)
    elif action == "BooleanOptionalAction":
        yield flag([option], default, off="--no-" + option.removeprefix("--") if option.startswith("--") else None)
    elif action == "count":
        yield flag([option], default, kind="int")
    elif action in _OTHER_FLAGS:  # what is stored is no True
        yield flag([option], MISSING if default is MISSING else UNREAD)
    else:
        optional = call.value("nargs") in {"?", "*"} or call.keyword("default")
        required = call.value("required") is True if option.startswith("-") else not optional
        default = MISSING if required and default is None else default
        yield _with_false(call.valued(option, default, required=required and not in_subparser))


def _with_false(declaration: Declaration) -> Declaration:
    """Pass False as an empty text: for argparse's `type=bool` every other text is true, `False` too."""
    parameter, default = declaration
    return (replace(parameter, off=""), default) if parameter.type == "bool" else declaration


def _defaults(calls: Sequence[OptionCall], parsers: "_Subparsers") -> dict[ast.Call, Any]:
    """Return each option's default by its call: MISSING if none is stated, UNREAD if the source does not show it.

    It is what `default=`, `set_defaults` and `argument_default=` say.
    """
    changes = [
        (position, parsers.subcommands_of(call), item.arg, call.constants.literal(item.value))
        for position, call in enumerate(calls)
        if _method(call) == "set_defaults"
        for item in call.node.keywords
    ]
    is_general = any(call.keyword("argument_default") for call in calls)
    defaults: dict[ast.Call, Any] = {}
    for here, call in ((here, call) for here, call in enumerate(calls) if _adds_option(call)):
        default = call.default(UNREAD if is_general else _IMPLIED.get(str(call.value("action")), MISSING))
        for position, subcommands, changed, value in changes:
            if changed in {call.destination, None} and not (position < here and call.keyword("default")):
                is_read = changed and value is not MISSING and subcommands == parsers.subcommands_of(call)
                default = value if is_read else UNREAD
        defaults[call.node] = default
    return defaults


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
        self._adding: list[tuple[set[ast.AST], str, tuple[str, ...]]] = []
        for _ in range(MOST_NESTED if self.names else 0):
            self._adding = list(self._find_adding(nodes, calls))

    def subcommands_of(self, call: OptionCall) -> tuple[str, ...]:
        """Return the subcommands under which the option of an `add_argument` call stands; none for the main parser."""
        parser = call.node.func.value if isinstance(call.node.func, ast.Attribute) else None
        if isinstance(parser, ast.Call):  # commands.add_parser("show").add_argument("--all")
            return (_parser_name(OptionCall(parser, call.constants)),) if last_name(parser.func) == "add_parser" else ()
        return self._of(last_name(parser), call.node)

    def _of(self, variable: str, node: ast.AST) -> tuple[str, ...]:
        for inside, first, subcommands in self._adding:
            if node in inside and first == variable:
                return subcommands
        return self._by_variable.get(variable, ())

    def _find_adding(
        self, nodes: list[ast.AST], calls: list[OptionCall]
    ) -> Iterator[tuple[set[ast.AST], str, tuple[str, ...]]]:
        """Yield the nodes of each function that adds options to a parser, the parser's name there, its subcommands."""
        plain = defaultdict[str, list[ast.Call]](list)  # by name: a repository may have a thousand functions
        for call in (call.node for call in calls if call.node.args):
            plain[last_name(call.func)].append(call)
        for function in (node for node in nodes if isinstance(node, ast.FunctionDef) and node.args.args):
            names = [self._of(last_name(call.args[0]), call) for call in plain.get(function.name, ())]
            if names:
                subcommands = tuple(dict.fromkeys(itertools.chain(*names))) if all(names) else ()
                yield set(walk(function)), function.args.args[0].arg, subcommands


def _parser_name(call: OptionCall) -> str:
    names = call.constants.strings(call.node.args[0]) if call.node.args else []
    return names[0] if names else UNKNOWN


def unrolled(nodes: Iterable[ast.AST], constants: Constants) -> list[ast.AST]:
    """Return the nodes; instead of a loop over a literal, those of each of its rounds."""
    result: list[ast.AST] = []
    done: set[ast.AST] = set()
    aliases: dict[str, ast.expr] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and getattr(node.value, "attr", "") == "add_argument":
            aliases[last_name(node.targets[0])] = node.value  # add = parser.add_argument
        if isinstance(node, ast.For) and node not in done and (rounds := [*_rounds(node, constants)]):
            done.update(walk(node))
            bodies = [_Filled(values).visit(copy.deepcopy(item)) for values in rounds for item in node.body]
            result += unrolled((part for item in bodies for part in walk(item)), constants)
        elif node not in done:
            if isinstance(node, ast.Call) and (method := aliases.get(last_name(node.func))):
                node = ast.copy_location(ast.Call(method, node.args, node.keywords), node)  # noqa: PLW2901  (as it reads)
            result.append(node)
    return result


def _rounds(loop: ast.For, constants: Constants) -> Iterator[dict[str, ast.expr]]:
    """Yield what the loop's variables stand for in each round, if it declares options and its values are literal."""
    if any(isinstance(node, ast.Attribute) and node.attr == "add_argument" for node in walk(loop)):
        called = loop.iter.func if isinstance(loop.iter, ast.Call) else None
        table = called.value if isinstance(called, ast.Attribute) else loop.iter
        table = constants.node(last_name(table)) or table
        if isinstance(table, ast.Dict):
            for key, value in ((key, value) for key, value in zip(table.keys, table.values, strict=True) if key):
                item = {"items": ast.Tuple([key, value]), "values": value}.get(getattr(called, "attr", ""), key)
                yield _bound(loop.target, item)
        elif isinstance(table, ast.List | ast.Tuple):
            yield from (_bound(loop.target, item) for item in table.elts)


def _bound(target: ast.expr, value: ast.expr) -> dict[str, ast.expr]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple | ast.List):
        pairs = zip(target.elts, value.elts, strict=False)
        return {name: each for part, item in pairs for name, each in _bound(part, item).items()}
    return {last_name(target): value}


class _Filled(ast.NodeTransformer):
    """Puts values in the place of names, and joins the texts that arise."""

    def __init__(self, values: dict[str, ast.expr]) -> None:
        self._values = values

    def visit(self, node: ast.AST) -> Any:
        """Return what stands in the place of a node."""
        return self._values.get(node.id, node) if isinstance(node, ast.Name) else _folded(super().visit(node))


def _folded(node: ast.AST) -> ast.AST:
    match node:
        case ast.FormattedValue(value=ast.Constant(value=value), format_spec=None):
            return ast.Constant(str(value))
        case ast.JoinedStr(values=parts) if all(isinstance(part, ast.Constant) for part in parts):
            return ast.Constant("".join(str(getattr(part, "value", "")) for part in parts))
        case ast.BinOp(left=ast.Constant(value=str(left)), op=ast.Add(), right=ast.Constant(value=str(right))):
            return ast.Constant(left + right)
        case ast.Call(func=ast.Name(id="type"), args=[ast.Constant(value=value)]):
            return ast.Name(type(value).__name__)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="replace"), args=[old, new]):
            return ast.Constant(text.replace(str(getattr(old, "value", "")), str(getattr(new, "value", ""))))
    return node


def absl_options(codes: Sequence[Code]) -> Iterator[Declaration]:
    """Yield the flags of all modules that are used."""
    calls = [(last_name(call.node.func), call) for call in OptionCall.all(codes)]
    required = {name for called, call in calls if called.endswith("_as_required") for name in call.spellings}
    for called, call in calls:
        kind = called.removeprefix("DEFINE_")
        if kind in _FLAG_TYPES and kind != called and call.spellings:
            yield _flag(call, kind, is_required=call.spellings[0] in required or call.value("required") is True)


def _flag(call: OptionCall, kind: str, *, is_required: bool) -> Declaration:
    stated = dict(zip(("name", "default", "values"), call.node.args, strict=False))
    node = call.keyword("default") or stated.get("default")
    spelling, type_name = f"--{call.spellings[0]}=", ast.Name(_FLAG_TYPES[kind])
    parameter, default = annotated(spelling, type_name, node, call.constants, required=is_required)
    if is_required and default is None:
        default = MISSING
    if kind in _JOINS and isinstance(default, list):
        default = _JOINS[kind].join(map(str, default))
        parameter = replace(parameter, type="str", default=default)
    if kind.startswith("multi_"):
        parameter = replace(parameter, type="list", repeated="replacing")
    listed = call.constants.strings(call.keyword("enum_values") or stated.get("values")) if "enum" in kind else []
    return replace(parameter, choices=tuple(listed) or None), default
