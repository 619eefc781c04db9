"""Collects every message that the plugin can give, from its own source: `…` stands for what is filled in."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest_training

SOURCE = Path(pytest_training.__file__).parent
RAISED = {
    *("DeclarationError", "UsageError", "DataError", "ResultError", "TrainingError", "UnusableHistoryError"),
    *("NothingFoundError", "ArgumentTypeError", "ValueError", "TypeError", "RuntimeError", "ImportError", "Unreadable"),
}
CALLED = {
    "error": 0,
    "_error": 1,
    "expected": 0,
    "_failed": 1,
    "_report": 1,
    "append": 0,
    "_read": 1,
    "_by_job": 3,
    "_checked": 1,
    "write": 0,
    "_refuse": 0,
    "refuse": 0,
    "remark": 0,
    "report_problem": 0,
    "_remark": 0,
}
"""Methods and functions of ours that make a message of one of their arguments."""
KEYWORDS = {"reason", "refused", "problem", "message"}
ASSIGNED = {"ALONE", "reason", "problem", "REFUSED", "note", "notes", "told", "UNKNOWN", "NOT_COMPARED"}
RETURNING = {
    "in_words",
    "sentence",
    "_judge_gates",
    "between_attempts",
    "_idle",
    "signature_mistake",
    "order_mistake",
    "enable_json_report",
    "nothing_to_train",
    "nothing_below",
    "nobody_asks",
    "remarks",
    "_broken",
    "_unreached",
    "_nested",
    "_missing",
    "_not_passed",
    "call_each",
    "_failure",
    "unknown_names",
    "unknown_arguments",
    "nothing_selected",
    "unmet",
    "bad_place",
    "_sentence",
    "not_ended",
    "_lacking",
    "_notes",
    "no_seeds",
    "_killer",
    "_place_of",
    "strays",
    "too_large",
    "exposes",
    "_not_finite",
    "stalled",
    "waiting_line",
    "comparison_lines",
    "_next_lines",
    "read_reply",
    "problems",
}
VIEWS = {"reporters/live.py", "reporters/markdown.py"}
"""They show what came of jobs, and have no messages of their own."""
SHORTEST = 8
"""Letters of fixed text: below it an expression is all there is, and its parts are collected where they are written."""
FILLED = "…"


@functools.cache
def messages() -> dict[str, list[str]]:
    """Return each template with the places of its sources."""
    found: dict[str, list[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        if path.relative_to(SOURCE).as_posix() in VIEWS:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for line, template in _in_tree(tree):
            shown = template.strip()
            is_comment = shown.startswith("# ")  # of the catalogue that `pytest-training init` writes
            if sum(map(str.isalpha, shown)) >= SHORTEST and " " in shown and not is_comment:
                found.setdefault(" ".join(template.split()), []).append(f"{path.relative_to(SOURCE)}:{line}")
    return found


def _in_tree(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        for expression in _messages_of(node):
            yield from ((expression.lineno, template) for template in _templates(expression))


def _messages_of(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        place = 0 if name in RAISED else CALLED.get(name)
        if place is not None and len(node.args) > place:
            yield node.args[place]
        yield from (keyword.value for keyword in node.keywords if keyword.arg in KEYWORDS)
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        if isinstance(node.target, ast.Name) and node.target.id in ASSIGNED and node.value:
            yield node.value
    elif isinstance(node, ast.Assign):
        names = {
            getattr(target, "id", getattr(target, "attr", "")) for target in node.targets
        }  # `problem`, `self.problem`
        if names & ASSIGNED:
            yield node.value
    elif isinstance(node, ast.FunctionDef) and node.name in RETURNING:
        yield from (each.value for each in ast.walk(node) if isinstance(each, ast.Return | ast.Yield) and each.value)


def _templates(node: ast.expr) -> list[str]:  # noqa: PLR0911  (one for each kind of expression)
    """Return the texts that an expression may come to."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else FILLED for part in node.values)]
    if isinstance(node, ast.IfExp):
        return [*_templates(node.body), *_templates(node.orelse)]
    if isinstance(node, ast.BoolOp):
        return [template for value in node.values for template in _templates(value)]
    if isinstance(node, ast.BinOp):
        left, right = _templates(node.left), _templates(node.right)
        return [a + b for a in left or [FILLED] for b in right or [FILLED]]
    if isinstance(node, ast.Tuple):
        return [template for value in node.elts for template in _templates(value)]
    if isinstance(node, ast.Dict):
        return [template for value in node.values for template in _templates(value)]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.GeneratorExp):  # "; ".join(…)
        return _templates(node.args[0].elt)
    return []
