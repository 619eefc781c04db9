"""Numbers that stand alone on their lines, named by the calls that print them: `print(accuracy_score(y, p))`.

They count only where a log says nothing else, and where it is certain which call has printed which number.
"""

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pytest_training.execution.readers.line import Number, parse_number
from pytest_training.execution.readers.names import is_measured
from pytest_training.jobs.source.literals import is_main_guard, last_name, walk

MOST_PRINTS, LARGEST_SOURCE = 50, 2**20
ALONE = re.compile(r"\s*[\[{]?\s*(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<percent>%?)\s*[\]}]?\s*")
"""A line that is a number."""
_COUNTED = re.compile(r"\s*\d+[ \t,:]+(?P<number>(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<percent>%?)\s*")
_WRAPPERS = {"round", "float", "str", "mean", "average", "median"}
_METHODS = {"mean", "item", "numpy", "round", "result"}
"""Functions and methods whose value is called as what they are given."""
_ARRAYS = re.compile(
    r"predict\w*|cross_val_\w+|confusion_matrix|head|describe|value_counts|shape|dtypes|columns|sum"
    r"|(coef|feature_importances|best_params|labels|cluster_centers|classes)_"
)
"""Functions, methods and attributes of what is no single number."""
_CORRECT = re.compile(r"(n_|num_)?(correct\w*|hits)")  # `correct / total`
_REPEATED = ast.For | ast.AsyncFor | ast.While | ast.ListComp | ast.Lambda
_SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Prints(NamedTuple):
    """What a file prints once, in this order; `values` are the names of what may be bare numbers."""

    values: tuple[str, ...] = ()
    last: str = ""  # the name of the value that is printed at last, whatever stands before it
    counted: str = ""  # the name of `loss`, if all that the file prints is `print(step, loss)` in a loop


def named_numbers(path: Path, lines: Mapping[int, str], last_line: int) -> Iterator[tuple[str, Number, int]]:
    """Yield name, value and line of the bare numbers of a log that a Python file has printed.

    `lines` are those that are numbers, and the last one that is not empty, by their number in the log.
    """
    counted = _COUNTED.fullmatch(lines.get(last_line, ""))
    matches = {line: match for line, text in lines.items() if (match := ALONE.fullmatch(text))}
    prints = _prints_of(path) if counted or 0 < len(matches) <= MOST_PRINTS else Prints()
    names = prints.values
    if counted and prints.counted and (number := parse_number(counted["number"])) is not None:
        yield prints.counted, number, last_line
    if len(names) != len(matches):  # something else has printed too: only the last print is known by its place
        matches, names = {line: match for line, match in matches.items() if line == last_line}, (prints.last,)
    counts = Counter(prints.values)
    for (line, match), name in zip(matches.items(), names, strict=False):
        number = parse_number(match["number"])
        if name and counts[name] == 1 and number is not None:
            is_percent = match["percent"] or name.endswith("%")
            yield name.rstrip("%"), number.scaleb(-2) if is_percent else number, line


def _prints_of(path: Path) -> Prints:
    """Read what a file prints; return nothing if the order is not certain."""
    try:
        content = path.read_bytes()[:LARGEST_SOURCE]
        with warnings.catch_warnings(action="ignore"):  # an invalid escape is the job's own affair
            tree = ast.parse(content)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return Prints()
    nodes = list(walk(tree))
    parts = [node for node in nodes if not (isinstance(node, ast.If) and is_main_guard(node))]
    repeated = {below for node in parts if isinstance(node, _REPEATED) for below in walk(node)}
    choices = {below for node in parts if isinstance(node, ast.If | ast.Try) for below in walk(node)}
    scopes = {below: node for node in nodes if isinstance(node, _SCOPES) for below in walk(node)}  # the innermost
    values = {last_name(node.targets[0]): node.value for node in nodes if isinstance(node, ast.Assign)}
    prints = [node for node in nodes if isinstance(node, ast.Call) and last_name(node.func) == "print"]
    if len(prints) == 1 and len(args := prints[0].args) == 2:
        counters = {last_name(each) for node in nodes if isinstance(node, ast.For) for each in walk(node.target)}
        return Prints(counted=_name_of(args[1], values) if last_name(args[0]) in counters else "")
    owners = {scopes.get(node, tree) for node in prints}
    if len(owners) != 1 or repeated.intersection(prints) or not _runs_once(owners.pop(), tree, repeated):
        return Prints()
    names = [(node, _name_of(value, values)) for node in prints if (value := _value_of(node, values)) is not None]
    exits = [each for each in choices if isinstance(each, ast.Return | ast.Call) and _ends(each)]
    if any(prints[0].lineno < each.lineno < prints[-1].lineno for each in exits):
        return Prints()
    last = next((name for node, name in names if node is prints[-1] and node not in choices), "")
    return Prints(tuple(name for _, name in names if choices.isdisjoint(dict(names))), last)


def _ends(node: ast.Return | ast.Call) -> bool:
    return isinstance(node, ast.Return) or last_name(node.func) in {"exit", "quit", "_exit"}


def _value_of(call: ast.Call, values: Mapping[str, ast.expr]) -> ast.expr | None:
    """Return what a call prints if it may be a bare number."""
    if len(call.args) != 1 or call.keywords or isinstance(call.args[0], ast.Starred):
        return None
    [value] = call.args
    texts = [each for each in walk(value) if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    joins = isinstance(value, ast.BinOp) and texts  # `"accuracy" + str(a)`, `"%f" % a`
    is_text = isinstance(value, ast.JoinedStr | ast.List | ast.Tuple | ast.Dict) or value in texts or joins
    is_format = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.value in texts
    made = values.get(last_name(value), value)
    is_array = _ARRAYS.fullmatch(last_name(made.func if isinstance(made, ast.Call) else made))
    return None if is_text or is_format or is_array else value


def _runs_once(scope: ast.AST, tree: ast.Module, repeated: set[ast.AST]) -> bool:
    """Return True for the module itself, and for a function that is called in one place."""
    if not isinstance(scope, ast.FunctionDef):
        return scope is tree
    calls = [node for node in walk(tree) if isinstance(node, ast.Call) and last_name(node.func) == scope.name]
    return len(calls) == 1 and calls[0] not in repeated


def _name_of(value: ast.AST | None, values: Mapping[str, ast.expr], depth: int = 0) -> str:
    """Return the name of the measurement that an expression is: `accuracy` for `round(accuracy_score(y, p), 3)`."""
    if depth > len(_WRAPPERS):
        return ""
    if isinstance(value, ast.Call):
        name = last_name(value.func)
        if name in _WRAPPERS and value.args:
            return _name_of(value.args[0], values, depth + 1)
        if name in _METHODS and isinstance(value.func, ast.Attribute):
            return _name_of(value.func.value, values, depth + 1)
    elif isinstance(value, ast.BinOp):
        name = _name_of_share(value, values, depth + 1)
    elif isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
        name = str(value.slice.value)
    elif isinstance(value, ast.Name | ast.Attribute):
        name = last_name(value)
        if not is_measured(name) and name in values:
            return _name_of(values[name], values, depth + 1)
    else:
        return ""
    short = name.lower().removesuffix("_score")
    return "" if not is_measured(name) else short if is_measured(short) else name.lower()


def _name_of_share(value: ast.BinOp, values: Mapping[str, ast.expr], depth: int) -> str:
    """Return `accuracy` for `correct / total`, and `accuracy%` for a hundred times that."""
    others = [each for each in (value.left, value.right) if getattr(each, "value", 0) != 100]
    if isinstance(value.op, ast.Mult) and len(others) == 1:
        return (name := _name_of(others[0], values, depth)) and f"{name}%"
    return "accuracy" if isinstance(value.op, ast.Div) and _CORRECT.fullmatch(last_name(value.left)) else ""
