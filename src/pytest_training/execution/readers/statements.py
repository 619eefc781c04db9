"""What a statement of a source does to a model, or to a list of numbers."""

import ast
import re
from typing import TypeGuard

from pytest_training.execution.readers.arithmetic import variables
from pytest_training.execution.readers.names import is_measured
from pytest_training.jobs.source.literals import last_name

ANY = {"print", "range", "str", "format", "append"}
"""Functions that take anything, and make no model of it."""
_STEP = re.compile(r"epoch|step|iter|round|episode|generation|fit|train|back|update|learn|optimi|descen|grad|evolve")


def may_train(node: ast.AST) -> TypeGuard[ast.Call]:
    """Return True for a call that is neither a measurement nor a step of one: `minimize(cost, theta)`."""
    name = last_name(node.func) if isinstance(node, ast.Call) else "print"
    return not (name in ANY or "grad" in name.lower() or is_measured(name))


def used_by(node: ast.AST) -> list[str]:
    """Return the variables that a statement or a call may change."""
    match node:
        case ast.Call(args=args):
            return [*map(last_name, args)]
        case (
            ast.Assign(targets=[target, *_])
            | ast.AugAssign(target=target)
            | ast.Subscript(value=target, ctx=ast.Store())
        ):
            return variables(target)
    return []


def changes(node: ast.AST, name: str) -> bool:
    """Return True for a statement that changes the value of a variable: `w -= step`, `w[0] = 1`, `fit(w)`."""
    match node:
        case ast.AugAssign(target=target) | ast.Subscript(value=target, ctx=ast.Store()):
            return name in variables(target)
    return may_train(node) and name in map(last_name, node.args)


def is_step(node: ast.AST) -> bool:
    """Return True for what makes a loop a training: a step of one, or the count of its epochs."""
    match node:
        case ast.Assign():
            return bool({*variables(node.value)}.intersection(*map(variables, node.targets[:1])))  # `w = w - rate * d`
        case ast.Call(func=named) | (ast.Name() as named):
            return bool(_STEP.search(last_name(named).lower()))
    return isinstance(node, ast.AugAssign)


def added_to(node: ast.AST) -> str:
    """Return the list to which a call adds a number, or nothing: `losses` for `losses.append(loss)`."""
    match node:
        case ast.Call(func=ast.Attribute(value=target, attr="append")):
            return last_name(target)
    return ""
