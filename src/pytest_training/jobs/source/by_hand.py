"""Models that a script fits without a library: by steps down a gradient, or in closed form."""

import ast
import functools
import re

from pytest_training.jobs.source.literals import last_name, walk

ROUNDS = re.compile(
    r"(?i)epoch|episode|iteration|(n|num|max)_?iter|^iters|passes|max_pass|(n|num|max|time)_?steps|^(step|itr)$"
)
RATE = re.compile(r"(.*_)?(lr|eta|l_?rate|lear(n(ing)?)?_?(r|rate|speed))(_?(\d+|[a-z]|init))?")
_FACTOR = re.compile(rf"{RATE.pattern}|(.*_)?(alpha|step_?size)(_rate|_?\d+|_[a-z])?")
_ANY_RATE = re.compile(rf"{_FACTOR.pattern}|(.*_)?rate")
"""Names of learning rates: anywhere, over epochs, and beside a gradient."""
_GRADIENT = re.compile(r".*(grad|deriv).*|d_?(w|b|j|weights?|bias(es)?|theta)_?\d?[a-z]?|d_[mc]")
_MEAN = re.compile(r"(.*_)?(mean|avg|average|mu|[xy]_?bar)(_.*)?")
_INVERSE = re.compile(r"(?s).*\.I|(.*\.)?(?i:\w*?p?inv(erse)?|inv_(k|cov\w*|sigma|xtx|h|hess\w*))")
_TARGET = re.compile(
    rf"y(_?(tr|train|data|true|obs))?|(train|data)_y|(.*_)?(target|label)s?(_.*)?|{_GRADIENT.pattern}|{_MEAN.pattern}"
)
"""What an inverse is multiplied by in the normal equation, a Newton step, a Gaussian process, or a Gaussian."""


def descends(node: ast.AST, *, has_rounds: bool = False) -> bool:
    """Return True for `w - rate * slope`, `w + rate * gradient`, `w - 0.01 * gradient`; in epochs `w += alpha * e`."""
    match node:
        case ast.AugAssign(target=changed, op=sign, value=value) | ast.BinOp(left=changed, op=sign, right=value):
            is_down = isinstance(sign, ast.Sub)
        case ast.Call(func=ast.Attribute(attr="subtract"), args=[changed, value, *_]):
            sign, is_down = ast.Sub(), True
        case ast.Assign(targets=[changed], value=ast.BinOp(op=ast.Mult()) as value) if has_rounds:
            sign, is_down = ast.Sub(), True
        case _:
            return False
    nodes, is_rate = [*walk(value)], _FACTOR.fullmatch(snake(last_name(changed)))
    if is_rate or not (isinstance(sign, ast.Add | ast.Sub) and any(isinstance(each, ast.Mult) for each in nodes)):
        return False
    is_down |= any(isinstance(each, ast.UnaryOp) and isinstance(each.op, ast.USub) for each in nodes)  # `+= -0.05 * g`
    numbers = (each.value for each in nodes if isinstance(each, ast.Constant))
    is_small = is_down and any(isinstance(number, float) and number < 1 for number in numbers)
    by_gradient = has(_GRADIENT, value) and (is_small or has(_ANY_RATE, value))
    by_factor = has_rounds and isinstance(node, ast.AugAssign) and has(_FACTOR, value)
    return by_gradient or by_factor or (is_down and has(RATE, value))


def solves(node: ast.AST) -> bool:
    """Return True for `inv(X.T @ X) @ X.T @ y`, `lstsq(X, y)`, and the intercept `y_mean - m * x_mean`."""
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr="lstsq" | "solve"), args=[_, target, *_]):
            return last_name(owner) in {"linalg", "la", "LA"} and has(_TARGET, target)
        case ast.BinOp(left=mean, op=ast.Sub(), right=ast.BinOp(left=slope, op=ast.Mult(), right=other)):
            return has(_MEAN, mean) and has(_MEAN, slope) != has(_MEAN, other)
    factors = _factors(node)
    others = [each for each in factors if not _INVERSE.fullmatch(ast.unparse(getattr(each, "func", each)))]
    return 0 < len(others) < len(factors) and any(has(_TARGET, each) for each in others)


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


def has(names: re.Pattern[str], node: ast.AST) -> bool:
    """Return True if one of the names occurs in an expression."""
    return any(names.fullmatch(snake(last_name(each))) for each in walk(node))


@functools.cache
def snake(name: str) -> str:
    """Return `learning_rate` for `learningRate`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
