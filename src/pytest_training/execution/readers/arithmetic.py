"""What arithmetic on predictions measures: `(p == y).mean()` is accuracy, `np.mean((p - y) ** 2)` is mse."""

import ast
import re

from pytest_training.jobs.source.literals import last_name, walk

METHODS = {"mean", "item", "numpy", "round", "result", "detach", "cpu", "tolist", "squeeze", "astype", "compute"}
_ERRORS = {"square": "mse", "pow": "mse", "abs": "mae", "absolute": "mae", "fabs": "mae"}
_CASTS = {"float", "astype", "double", "int", "type"}
_PREDICTED = re.compile(r"(?i).*(pred|hat|output|guess|argmax|estimate|forecast).*|(y_?)?p|out")
_SQUARED = re.compile(r"(?:.*_)?(?:mse|mean_squared_error|mean_squared)")


def variables(value: ast.AST) -> list[str]:
    """Return the names of the variables of an expression: of `model.predict(X)` these are `model` and `X`."""
    return [node.id for node in walk(value) if isinstance(node, ast.Name)]


def is_array(value: ast.expr | None) -> bool:
    """Return True for an array of constants: `np.zeros(n)`, `[0.1, 0.2]`."""
    match value:
        case ast.Call(func=function, args=[inner, *_], keywords=[]):
            name = last_name(function)
            return name in {"zeros", "ones"} or (name in {"array", "tensor"} and is_array(inner))
    return isinstance(value, ast.List | ast.Tuple) and bool(value.elts) and not variables(value)


def is_library(base: ast.expr) -> bool:
    """Return True for `np` in `np.mean(x)`: a module's function, not a method."""
    return isinstance(base, ast.Name) and base.id in {
        "np",
        "numpy",
        "torch",
        "tf",
        "jnp",
        "K",
        "statistics",
        "math",
        "metrics",
    }


def named_by_arithmetic(value: ast.expr) -> str:
    """Return what a mean of agreements or of errors is called, or nothing."""
    return "accuracy" if _is_agreement(value) else _error_in(value)


def _is_agreement(value: ast.expr) -> bool:
    """Return True for `(p == y).mean()` and `np.mean(p == y)`."""
    match value:
        case ast.Call(func=ast.Attribute(value=base, attr="mean"), args=[]):
            return _is_equality(base)
        case ast.Call(func=function, args=[first, *_]) if last_name(function) in {"mean", "average"}:
            return _is_equality(first)
        case ast.Call(func=ast.Attribute(value=base, attr=method)) if method in METHODS and not is_library(base):
            return _is_agreement(base)
    return False


def _error_in(value: ast.expr) -> str:
    """Return `mse` for `np.mean((p - y) ** 2)`, and `mae` for `abs(p - y).mean()`."""
    own = inner = None
    match value:
        case ast.Call(func=ast.Attribute(value=base, attr="mean"), args=args):
            inner = args[0] if args else base
    match inner:
        case ast.BinOp(left=ast.BinOp(op=ast.Sub()), op=ast.Pow(), right=ast.Constant(value=2)):
            own = "mse"
        case ast.Call(func=function, args=[ast.BinOp(op=ast.Sub()), *_]):
            own = _ERRORS.get(last_name(function))
    return own if inner and own and any(map(_PREDICTED.fullmatch, variables(inner))) else ""


def _is_equality(value: ast.expr, within: ast.expr | None = None) -> bool:
    """Return True for a comparison of predictions with what they should be."""
    match value:
        case ast.Compare(ops=[ast.Eq()], comparators=[other]):
            names = [
                node.attr if isinstance(node, ast.Attribute) else last_name(node) for node in walk(within or value)
            ]
            return not isinstance(other, ast.Constant) and any(map(_PREDICTED.fullmatch, names))
        case ast.GeneratorExp(elt=ast.Constant(value=1), generators=[ast.comprehension(ifs=[test])]):
            return _is_equality(test, value)
        case ast.GeneratorExp(elt=inner) | ast.ListComp(elt=inner):
            return _is_equality(inner, value)
        case ast.Call(func=ast.Attribute(value=base, attr=method)) if method in _CASTS:
            return _is_equality(base)
    return False


def counts_agreement(value: ast.expr | None) -> bool:
    """Return True for `sum(p == y)` and `(p == y).sum().item()`."""
    match value:
        case ast.Call(func=ast.Attribute(value=base, attr="sum"), args=[]):
            return _is_equality(base)
        case ast.Call(func=function, args=[first, *_]) if last_name(function) in {"sum", "count_nonzero"}:
            return _is_equality(first)
        case ast.Call(func=ast.Attribute(value=base, attr=method)) if method in METHODS and not is_library(base):
            return counts_agreement(base)
        case ast.Call(func=ast.Name(id="float" | "int"), args=[first]):
            return counts_agreement(first)
    return False


def without_hundred(value: ast.expr) -> ast.expr | None:
    """Return `a` for `100 * a`."""
    match value:
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return right if getattr(left, "value", 0) == 100 else left if getattr(right, "value", 0) == 100 else None
    return None


def root(name: str) -> str:
    """Return the name of the root of a measurement, or nothing."""
    return "rmse" if _SQUARED.fullmatch(name) else ""
