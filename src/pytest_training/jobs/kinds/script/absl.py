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


_LISTS = {"list": ",", "spaceseplist": " "}


def absl_options(codes: Sequence[Code]) -> Iterator[Declaration]:
    """Yield the flags of all modules that are used."""
    calls = [(last_name(call.node.func), call) for call in OptionCall.all(codes)]
    marks = {"mark_flag_as_required", "mark_flags_as_required"}
    required = {name for called, call in calls if called in marks for name in call.spellings}
    for called, call in calls:
        kind = called.removeprefix("DEFINE_")
        if kind in _TYPES and kind != called and call.spellings:
            yield _flag(call, kind, is_required=call.spellings[0] in required or call.value("required") is True)


def _flag(call: OptionCall, kind: str, *, is_required: bool) -> Declaration:
    arguments = dict(zip(("name", "default", "values"), call.node.args, strict=False))
    node = call.keyword("default") or arguments.get("default")
    spelling = f"--{call.spellings[0]}="
    parameter, default = annotated(spelling, ast.Name(_TYPES[kind]), node, call.constants, required=is_required)
    if kind in _LISTS:
        default = _LISTS[kind].join(map(str, default)) if isinstance(default, list) else default
        return replace(parameter, type="str", default=None if default is MISSING else default), default
    listed = call.keyword("enum_values") or arguments.get("values")
    choices = call.constants.strings(listed) if "enum" in kind else []
    repeated = {"type": "list", "repeated": "replacing"} if kind.startswith("multi_") else {}
    return replace(parameter, choices=tuple(choices) or None, **repeated), default
