"""Models that a script fits without a library: by steps down a gradient."""

import ast
import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

from pytest_training.jobs.source.literals import last_name, walk

ROUNDS = re.compile(
    r"epoch|episode|iteration|(n|num|max)_?iter|^iters|max_pass|passes|num_steps|max_steps|timesteps|^(step|itr)$",
    re.IGNORECASE,
)
RATE = re.compile(r"(.*_)?(lr|eta|l_?rate|lear(n(ing)?)?_?(r|rate|speed))(_?(\d+|[a-z]|init))?")
_FACTOR = re.compile(rf"{RATE.pattern}|(.*_)?(alpha|step_?size)(_rate|_?\d+)?")
_ANY_RATE = re.compile(rf"{_FACTOR.pattern}|(.*_)?rate")
"""Names of learning rates: anywhere, over epochs, and beside a gradient."""
_GRADIENT = re.compile(r".*(grad|deriv).*|d_?(w|b|weights?|bias(es)?|theta)_?\d?[a-z]?|d_[mc]")
_CHANGE = re.compile(r"(.*_)?(delta|update|change|velocity)(_.*)?|d_.*|d[wb]\d?")  # what a step adds to a weight


class Step(NamedTuple):
    """A sum or a difference: `w - x`, `w -= x`, `np.subtract(w, x)`, `w + x`."""

    is_down: bool
    value: ast.expr  # what is added or taken off

    @property
    def is_along_gradient(self) -> bool:
        """True for `weight - rate * gradient`, also `+`, by their names, and for `weight - 0.01 * gradient`."""
        is_product = isinstance(self.value, ast.BinOp) and isinstance(self.value.op, ast.Mult | ast.Div)
        if not (is_product and has(_GRADIENT, self.value)):
            return False
        numbers = [node.value for node in walk(self.value) if isinstance(node, ast.Constant)]
        is_small = any(isinstance(each, float) and each < 1 for each in numbers)
        return has(_ANY_RATE, self.value) or (self.is_down and is_small)

    @property
    def descends(self) -> bool:
        """True for a step that needs a loop over epochs elsewhere to be a training."""
        is_product = any(isinstance(node, ast.Mult) for node in walk(self.value))
        return self.is_along_gradient or (self.is_down and is_product and has(RATE, self.value))


def step_of(node: ast.AST) -> Step | None:
    """Return what a node adds or takes off, or None; the schedule of a learning rate is no step."""
    operation: ast.AST = ast.Sub()
    match node:
        case ast.AugAssign(target=changed, op=operation, value=value):
            pass
        case ast.BinOp(left=changed, op=operation, right=value):
            pass
        case ast.Call(func=function, args=[changed, value, *_]) if last_name(function) == "subtract":
            pass
        case _:
            return None
    is_rate = _FACTOR.fullmatch(snake(last_name(changed)))
    is_sum = isinstance(operation, ast.Sub | ast.Add)
    return Step(isinstance(operation, ast.Sub), value) if is_sum and not is_rate else None


def descends(loop: ast.For | ast.While, *, has_rounds: bool) -> bool:
    """Return True for a loop that changes something by a learning rate; one not over epochs, by a product taken off."""
    nodes = [*walk(loop)]
    rates = _FACTOR if has_rounds else RATE
    by_rate = any(has(rates, value) for node in nodes for value in _changes(node, has_rounds=has_rounds))
    return by_rate or any(step.is_along_gradient for step in map(step_of, nodes) if step)


def _changes(node: ast.AST, *, has_rounds: bool) -> Iterator[ast.expr]:
    """Yield what a node adds to something that is no learning rate, also as `delta = rate * error`."""
    if isinstance(node, ast.AugAssign) and not has(_FACTOR, node.target):
        if has_rounds or (isinstance(node.op, ast.Sub) and isinstance(node.value, ast.BinOp)):
            yield node.value
    elif isinstance(node, ast.Assign) and has_rounds and isinstance(node.value, ast.BinOp):
        yield from (node.value for target in node.targets if has(_CHANGE, target))


def has(names: re.Pattern[str], node: ast.AST) -> bool:
    """Return True if one of the names occurs in an expression."""
    return any(names.fullmatch(snake(last_name(each))) for each in walk(node))


@functools.cache
def snake(name: str) -> str:
    """Return `learning_rate` for `learningRate`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
