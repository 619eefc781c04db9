"""Models that a script fits without a library: by steps down a gradient, or in closed form."""

import ast
import functools
import re
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

_MEAN = re.compile(r"(.*_)?(mean|avg|average|mu|[xy]_?bar)(_.*)?")
_INVERSE = re.compile(r"\w*?p?inv(erse)?|inv_(k|cov\w*|sigma|xtx|h|hess\w*)")
_SOLVERS = re.compile(r".*\blstsq|.*(linalg|la|LA)\.solve")
_TARGET = re.compile(
    rf"y(_?(tr|train|data|true|obs))?|(train|data)_y|(.*_)?(target|label)s?(_.*)?|{_GRADIENT.pattern}|{_MEAN.pattern}"
)
"""What an inverse is multiplied by in the normal equation, a Newton step, a Gaussian process, or a Gaussian."""


class Step(NamedTuple):
    """A sum or a difference: `w - x`, `w -= x`, `np.subtract(w, x)`, `w + x`."""

    is_down: bool
    value: ast.expr  # what is added or taken off

    @property
    def descends(self) -> bool:
        """True for `w - rate * slope`; by their names for `w + rate * gradient` and `w - 0.01 * gradient`."""
        nodes = [*walk(self.value)]
        numbers = (node.value for node in nodes if isinstance(node, ast.Constant))
        is_small = any(isinstance(number, float) and number < 1 for number in numbers)
        by_gradient = has(_ANY_RATE, self.value) or (self.is_down and is_small)
        is_step = (self.is_down and has(RATE, self.value)) or (by_gradient and has(_GRADIENT, self.value))
        return is_step and any(isinstance(node, ast.Mult) for node in nodes)


def step_of(node: ast.AST) -> Step | None:
    """Return what a node adds or takes off, or None; the schedule of a learning rate is no step."""
    match node:
        case (
            ast.AugAssign(target=changed, op=ast.Sub() | ast.Add() as sign, value=value)
            | ast.BinOp(left=changed, op=ast.Sub() | ast.Add() as sign, right=value)
        ):
            is_down = isinstance(sign, ast.Sub)
        case ast.Call(func=function, args=[changed, value, *_]) if last_name(function) == "subtract":
            is_down = True
        case _:
            return None
    return None if _FACTOR.fullmatch(snake(last_name(changed))) else Step(is_down, value)


def changes(node: ast.AST) -> bool:
    """Return True for `w += alpha * error`, `delta = rate * error`: in a loop over epochs, a training."""
    match node:
        case ast.AugAssign(target=target, value=value):
            return has(_FACTOR, value) and not has(_FACTOR, target)
        case ast.Assign(targets=[target], value=ast.BinOp() as value):
            return has(_FACTOR, value) and has(_CHANGE, target)
    return False


def solves(node: ast.AST) -> bool:
    """Return True for `inv(X.T @ X) @ X.T @ y`, `lstsq(X, y)`, and the intercept `y_mean - m * x_mean`."""
    match node:
        case ast.Call(func=function, args=[_, target, *_]) if _SOLVERS.fullmatch(ast.unparse(function)):
            return has(_TARGET, target)
        case ast.BinOp(left=mean, op=ast.Sub(), right=ast.BinOp(left=slope, op=ast.Mult(), right=other)):
            return has(_MEAN, mean) and has(_MEAN, slope) != has(_MEAN, other)
    factors = _factors(node)
    others = [each for each in factors if not _is_inverse(each)]
    return len(others) < len(factors) and any(has(_TARGET, each) for each in others)


def _factors(node: ast.AST) -> list[ast.AST]:
    """Return what is multiplied: `a`, `b` and `c` for `np.dot(a @ b, c)`, `a.dot(b * c)`."""
    match node:
        case (
            ast.BinOp(left=left, op=ast.Mult() | ast.MatMult(), right=right)
            | ast.Call(func=ast.Attribute(attr="dot" | "matmul"), args=[left, right])
            | ast.Call(func=ast.Attribute(value=left, attr="dot"), args=[right])
        ):
            return [*_factors(left), *_factors(right)]
    return [node]


def _is_inverse(node: ast.AST) -> bool:
    name = last_name(node.func if isinstance(node, ast.Call) else node)
    return bool(_INVERSE.fullmatch(snake(name))) or (isinstance(node, ast.Attribute) and node.attr == "I")


def has(names: re.Pattern[str], node: ast.AST) -> bool:
    """Return True if one of the names occurs in an expression."""
    return any(names.fullmatch(snake(last_name(each))) for each in walk(node))


@functools.cache
def snake(name: str) -> str:
    """Return `learning_rate` for `learningRate`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
