"""What an expression measures, by its source: `round(accuracy_score(y, p), 3)` is accuracy."""

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator

from pytest_training.execution.readers.arithmetic import (
    METHODS,
    counts_agreement,
    is_array,
    is_library,
    named_by_arithmetic,
    root,
    variables,
    without_hundred,
)
from pytest_training.execution.readers.names import SPLIT, WORDS, estimator_in, is_measured, metric_name
from pytest_training.execution.readers.statements import ANY, added_to, changes, is_step, may_train, used_by
from pytest_training.jobs.source.literals import last_name, walk

DEEPEST = 12
_WRAPPERS = {"round", "float", "str", "mean", "average", "nanmean", "asarray", "array"}
_VALUES = {"data", "values", "T"}
"""Functions, methods and attributes whose value is called as what they are given."""
_CORRECT = re.compile(r"(?i)(n_|num_|total_|running_)?(correct\w*|hits|matches)")
"""How many are right: `correct / total`."""
_TABLE = re.compile(r"(?i)(.*_)?(df|data|dataset|dataframe|frame|table|x|y)(_.*|\d*)")
_RESULTS = re.compile(r"(?i)(result|metric|score|hist|cv|log|eval|report).*")
"""Variables with predictions, with data, and with results."""
_SUMS = re.compile(r"^(running|total|sum|cumulative|accumulated)_(?=.)|_(sum|total)$")
_CALLED = {"criterion": "loss", "objective": "loss", "accuracy_fn": "accuracy"}
_FOLDS = re.compile(r"cross_val_score|cross_validate")
_HISTORY = re.compile(r"(?i)(.*?)(?:_?(?:history|hist|list|curve|values|log))?_?")
_PLURALS = {
    "losses": "loss",
    "costs": "cost",
    "errors": "error",
    "accuracies": "accuracy",
    "accs": "acc",
    "scores": "score",
}
_CURVE = re.compile(r"(?:.*_)?(?:loss|cost|error|accuracy|acc|mse|rmse|mae)(?:_(?:train|test|val|valid))?")
_BEGINS = {"zeros", "ones", "zeros_like", "ones_like", "rand", "randn", "random", "normal", "uniform"}
_PARAMETERS = re.compile(r"(?i)(?:.*_)?(?:theta|w|weights?|params?|parameters|beta)\d*(?:_.*)?")
_PREDICTS = {"predict", "predict_proba", "decision_function", "score_samples", "get_fscore", "get_score"}
_FITS = {"fit", "fit_transform", "fit_predict"}
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


class Source:
    """A file of Python: what it assigns, and what stands around each node."""

    def __init__(self, tree: ast.Module) -> None:
        self.nodes = list(walk(tree))
        self.above = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self._functions: dict[ast.AST, ast.AST | None] = {}
        for child, node in self.above.items():
            self._functions[child] = node if isinstance(node, FUNCTIONS) else self._functions.get(node)
        self.setting_of, self._is_course = functools.cache(self._setting_of), functools.cache(_is_course)
        self._makers = functools.cache(lambda repeated: list(_calls(repeated)))
        self._added: dict[str, list[ast.AST]] = defaultdict(list)
        self._assigned: dict[str, list[ast.Assign | ast.AnnAssign]] = defaultdict(list)
        self._uses: dict[tuple[ast.AST | None, str], list[ast.stmt | ast.expr]] = defaultdict(list)
        for node in self.nodes:
            self._added[added_to(node)].append(node)
            if isinstance(node, ast.stmt | ast.expr):
                for name in used_by(node):
                    self._uses[self.function(node), name].append(node)
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                target = node.targets[-1] if isinstance(node, ast.Assign) else node.target
                self._assigned[last_name(target)].append(node)

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what stands around a node, the innermost first."""
        while (outer := self.above.get(node)) is not None:
            yield (node := outer)

    def function(self, node: ast.AST) -> ast.AST | None:
        """Return the function around a node, or None at the level of the module."""
        return self._functions.get(node)

    def value_of(self, name: ast.expr) -> ast.expr | None:
        """Return what a variable was given last above its use, in the same function if there."""
        own, here = self.function(name), getattr(name, "lineno", 0)
        found = self._assigned.get(last_name(name), ())
        local = [node for node in found if self.function(node) is own]
        nearest = max(local or found, key=lambda node: (node.lineno < here, node.lineno), default=None)
        return nearest.value if nearest else None

    def name_of(self, value: ast.expr | None, depth: int = 0) -> str:  # noqa: C901, PLR0911, PLR0912  (one form of an expression each)
        """Return the name of the measurement that an expression is, with `%` behind it for a hundred times a share."""
        depth += 1
        if value is None or depth > DEEPEST:
            return ""
        if own := named_by_arithmetic(value):
            return own
        match value:
            case ast.Call(func=ast.Attribute(value=base, attr=method)) if method in METHODS and not is_library(base):
                return self.name_of(base, depth)
            case ast.Call(func=function, args=[first, *_]) if last_name(function) in _WRAPPERS:
                return self.name_of(first, depth)
            case ast.Call(func=function, args=[first, *_]) if last_name(function) == "sqrt":
                return root(self.name_of(first, depth))
            case ast.Call(func=function):
                own = _CALLED.get(last_name(function)) or _short(last_name(function))
                return self._name_of_extreme(value, depth) or own
            case ast.BinOp():
                return self._name_of_operation(value, depth)
            case ast.Subscript(value=base, slice=ast.Constant(value=str(key))):
                return "" if _is_table(base) else _short(key) or self.name_of(base, depth)
            case ast.Subscript(value=base, slice=ast.Constant(value=int(index))) if last_name(base) not in _VALUES:
                return (name := self.name_of(base, depth)) and f"{_singular(name)}_{index}"
            case ast.Subscript(value=base):
                return _singular(self.name_of(base, depth))
            case ast.Attribute(value=base, attr=attribute) if attribute in _VALUES:
                return self.name_of(base, depth)
            case ast.Attribute(value=base) if _is_table(base):
                return ""
            case ast.Name() | ast.Attribute():
                name = _short(last_name(value))
                return _singular(name) or self.name_of(self.value_of(value), depth)
        return ""

    def _name_of_extreme(self, value: ast.Call, depth: int) -> str:
        """Return `max_accuracy` for `max(accuracies)` and `accuracies.max()`."""
        which, base = last_name(value.func), value.args[0] if value.args else getattr(value.func, "value", None)
        name = self.name_of(base, depth) if which in {"max", "min"} else ""
        return name and f"{which}_{name}"

    def _name_of_operation(self, value: ast.BinOp, depth: int) -> str:
        """Return `accuracy` for `correct / total`, `accuracy%` for 100 times that, `rmse` for `mse ** 0.5`."""
        left, right = value.left, value.right
        match value.op:
            case ast.Mult() if 100 in {getattr(left, "value", 0), getattr(right, "value", 0)}:
                other = right if getattr(left, "value", 0) == 100 else left
                is_correct = bool(_CORRECT.fullmatch(last_name(other)))
                return "correct%" if is_correct else (name := self.name_of(other, depth)) and f"{name}%"
            case ast.Div():
                name = self.name_of(left, depth)
                if counts_agreement(left) or _CORRECT.fullmatch(last_name(left)):
                    return "accuracy"
                if name == "correct%" or counts_agreement(without_hundred(left)):
                    return "accuracy%"
                return _SUMS.sub("", name) if name and not self.name_of(right, depth) else ""
            case ast.Pow() if getattr(right, "value", 0) == 0.5:
                return root(self.name_of(left, depth))
        return ""

    def name_of_list(self, value: ast.expr) -> tuple[str, bool]:
        """Return the name of a list of numbers, and True if they are those of folds, else those of a history."""
        name = self.name_of(value) or _short(_singular(last_name(value)))
        name, origin = _singular(name), self.value_of(value) if isinstance(value, ast.Name) else value
        if any(_FOLDS.fullmatch(last_name(node.func)) for node in _calls(origin)):
            return name, True
        added = self._added.get(last_name(value) or "?", ())
        loops = [outer for node in added for outer in self.around(node) if isinstance(outer, ast.For)]
        if any(last_name(call.func) == "split" for loop in loops for call in _calls(loop.iter)):
            return name, True
        if any(last_name(call.func) in _FITS for loop in loops[:1] for call in _calls(loop)):
            is_sweep = any(self.setting_of(loops[0], last_name(each)) for each in walk(loops[0].target))
            return ("", False) if is_sweep else (name, True)
        is_course = not loops or any(map(self._is_course, loops))
        history = _HISTORY.fullmatch(name) if is_course and not _is_begin_of(value) else None
        short = _singular(history[1]) if history else ""
        return (short, False) if _CURVE.fullmatch(short) and is_measured(short) else ("", False)

    def _setting_of(self, repeated: ast.AST | None, name: str) -> str:
        """Return the setting that a variable is in a loop: `n_neighbors` for `i` in `Model(n_neighbors=i)`."""
        for maker in self._makers(repeated) if name and repeated else ():
            is_model = bool(estimator_in(last_name(maker.func)))
            is_plain = isinstance(maker.func, ast.Name) and maker.func.id not in ANY and name.lower() in WORDS["swept"]
            for keyword in maker.keywords:
                is_swept = keyword.arg and (is_model or keyword.arg.lower() in WORDS["swept"])
                if is_swept and last_name(keyword.value) == name:
                    return str(keyword.arg).lower()
            if (is_model or is_plain) and name in map(last_name, maker.args):
                return name.lower()
        return ""

    def is_unmeasured(self, value: ast.expr | None, depth: int = 0) -> bool:
        """Return True for what measures no model: a prediction, a column of data, a cost of given parameters."""
        match value:
            case ast.Name() if depth < DEEPEST:
                return self.is_unmeasured(self.value_of(value), depth + 1)
            case ast.Call(func=ast.Attribute(value=base, attr=method)) if method in _PREDICTS or not is_measured(
                method
            ):
                is_column = isinstance(base, ast.Subscript | ast.Attribute) and _is_table(base)
                return method in _PREDICTS or is_column or self.is_unmeasured(base, depth)
            case ast.Call(func=function, args=args) if is_measured(last_name(function)):
                return last_name(function) in {"entropy", "gini"} or any(map(self._is_given, args))
            case ast.Call(func=function, args=[inner, *_]) if last_name(function) in _WRAPPERS:
                return self.is_unmeasured(inner, depth)
            case ast.Subscript(value=inner):
                return self.is_unmeasured(inner, depth)
        return False

    def _is_given(self, value: ast.expr) -> bool:
        """Return True for an array of constants, and for parameters that are one and are not changed in place."""
        if not (isinstance(value, ast.Name) and _PARAMETERS.fullmatch(value.id)):
            return is_array(value)
        return value.id not in self._changed and is_array(self.value_of(value))

    @functools.cached_property
    def _changed(self) -> set[str]:
        """Names of variables that a statement may change in place."""
        statements = (variables(node) for node in self.nodes if isinstance(node, ast.AugAssign | ast.Expr))
        return {name for names in statements if "print" not in names for name in names}

    def is_trained_below(self, value: ast.expr) -> bool:
        """Return True if what an expression is made of is trained only further down, and not before."""
        scope, origin = self.function(value), self.value_of(value) if isinstance(value, ast.Name) else None
        first = getattr(origin, "lineno", value.lineno)
        begun = {name for name in variables(origin or value) if self._is_begin(scope, name, first)}
        uses = ((name, node) for name in {*variables(value)} | begun for node in self._uses.get((scope, name), ()))
        return any(
            (name in begun and may_train(node)) or self._is_made_anew(name, node)
            for name, node in uses
            if node.lineno > value.lineno
        )

    def _is_begin(self, scope: ast.AST | None, name: str, line: int) -> bool:
        """Return True for parameters as they begin: `theta = np.zeros(3)`, which nothing above that line changes."""
        above = [node for node in self._uses.get((scope, name), ()) if node.lineno < line]
        made = [node for node in above if isinstance(node, ast.Assign) and name in map(last_name, node.targets)]
        if not (made and any(last_name(call.func) in _BEGINS for call in _calls(made[-1].value))):
            return False
        return not any(changes(node, name) for node in above if node.lineno > made[-1].lineno)

    def _is_made_anew(self, name: str, node: ast.AST) -> bool:
        """Return True for `theta = descend(X, y, theta)` outside loops."""
        match node:
            case ast.Assign(targets=[target, *_], value=ast.Call(args=args)) if name in variables(target):
                is_given = any(name in variables(each) for each in args)
                return is_given and not any(isinstance(outer, ast.For | ast.While) for outer in self.around(node))
        return False

    def part_of(self, value: ast.expr) -> str:
        """Return the part of the data that an expression is of, by the names in it or by the function around it."""
        for node in walk(value):
            if isinstance(node, ast.Name) and not is_measured(node.id) and (split := SPLIT.search(node.id)):
                return split[0].lower()
        origin = self.value_of(value) if isinstance(value, ast.Name) else None
        if origin is not None and not isinstance(origin, ast.Name):
            return self.part_of(origin)
        function = self.function(value)
        split = SPLIT.search(function.name) if isinstance(function, FUNCTIONS) else None
        return split[0].lower() if split else ""

    def owner_of(self, value: ast.expr) -> str:
        """Return the name of the variable on which a method is called: `forest` for `forest.score(X, y)`."""
        origin = self.value_of(value) if isinstance(value, ast.Name) else value
        for call in _calls(origin):
            names = variables(call.func) if is_measured(getattr(call.func, "attr", "")) else []
            if names and not is_library(ast.Name(names[0])):
                return metric_name(names[0])
        return ""

    def argument_of(self, value: ast.expr) -> str:
        """Return the last thing that a function is called with: `p_forest` of `r2_score(y, p_forest)`."""
        origin = self.value_of(value) if isinstance(value, ast.Name) else value
        given = [call.args[-1] for call in _calls(origin) if call.args and is_measured(last_name(call.func))]
        return metric_name(" ".join(variables(given[0]))) if given else ""


def _calls(value: ast.AST | None) -> Iterator[ast.Call]:
    return (node for node in walk(value) if isinstance(node, ast.Call)) if value else iter(())


def _is_course(loop: ast.For) -> bool:
    """Return True for the loop of a training."""
    return any(is_step(node) for node in walk(loop))


def _is_begin_of(value: ast.expr) -> bool:
    """Return True for `losses[:10]`, whose last element is not the last of all."""
    return isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Slice) and value.slice.upper is not None


def _is_table(base: ast.expr) -> bool:
    """Return True for data, whose columns measure no model: `df["score"].mean()`."""
    names = variables(base)[:1]
    return any(map(_TABLE.fullmatch, names)) and not any(map(_RESULTS.fullmatch, names))


def _singular(name: str) -> str:
    plural = next((plural for plural in _PLURALS if name.endswith(plural)), "")
    return name.removesuffix(plural) + _PLURALS[plural] if plural else name


def _short(name: str) -> str:
    """Return the name of a metric for a name in the source, or nothing: `accuracy` for `accuracy_score`."""
    plain = metric_name(name)
    short = plain.removesuffix("_score")
    return "" if not is_measured(name) or plain == "reward" else short if is_measured(short) else plain
