"""Options that absl's flags declare: `flags.DEFINE_integer("epochs", 10, "…")`."""

import ast
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from pytest_training.jobs.kinds.parameters import Code, Declaration, OptionCall, annotated
from pytest_training.jobs.model import Type
from pytest_training.jobs.source.literals import MISSING, last_name

_TYPES: dict[str, Type] = {
    **dict.fromkeys(("integer", "multi_integer"), "int"),
    **dict.fromkeys(("float", "multi_float"), "float"),
    **dict.fromkeys(("bool", "boolean"), "bool"),
    **dict.fromkeys(("string", "enum", "multi_string", "multi_enum", "list", "spaceseplist", "config_file"), "str"),
}
_JOINS = {"list": ",", "spaceseplist": " "}


def absl_options(codes: Sequence[Code]) -> Iterator[Declaration]:
    """Yield the flags of all modules that are used."""
    calls = [(last_name(call.node.func), call) for call in OptionCall.all(codes)]
    required = {name for called, call in calls if called.endswith("_as_required") for name in call.spellings}
    for called, call in calls:
        kind = called.removeprefix("DEFINE_")
        if kind in _TYPES and kind != called and call.spellings:
            yield _flag(call, kind, is_required=call.spellings[0] in required or call.value("required") is True)


def _flag(call: OptionCall, kind: str, *, is_required: bool) -> Declaration:
    stated = dict(zip(("name", "default", "values"), call.node.args, strict=False))
    node = call.keyword("default") or stated.get("default")
    spelling, type_name = f"--{call.spellings[0]}=", ast.Name(_TYPES[kind])
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
