"""Whether a Python file trains when it is run: the first call that says so among all that its statements reach.

Local modules are followed. Names of files alone say little: of the files that train, few are called train_*.py.
"""

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pytest_training.jobs.source.literals import is_main_guard, last_name, walk
from pytest_training.jobs.source.sources import Candidate, Source, Sources
from pytest_training.jobs.source.used import reached

MOST_FOLLOWED = 25
"""Local modules that are read to judge one file."""
SHOWN_CALL = 60


NAMED = re.compile(
    r"((pre|re)?train(ing)?|(fine|pre)_?tun(e|ing))(_.+)?|.+_((pre)?train(ing)?|fine_?tun(e|ing))|run_.*train"
)
"""Stems of files that say themselves that they train, in lower case and with `_` for `-`."""
_PARTS = re.compile(
    r".*_(utils?|helpers?|config|args?|options?|opts|test|split|data|data_?sets?|(data_?)?loaders?|val|hooks?)"
)
_STARTS = re.compile(
    r"_*main_*(_.*)?|(run|exp|launch|start|cli|experiment|pipeline|demo|app)s?(_.*)?"
    r"|.*_(main|run|cli|experiments?|pipeline|demo)"
)
"""Stems of files that may start what other files define."""
_TESTS = re.compile(r"(.*/)?(tests?|testing)/.*|(.*/)?(test_[^/]*|[^/]*_test|conftest|setup)\.py")
_MEASURES = re.compile(r"(.*_)?(bench(mark)?(s|ing)?|profil(e|er|ing)|lr_find(er)?|speed(_?test)?)(_.*)?")

_WORDS = re.compile(
    rb"\b(fit|backward)\s*\(|\b(fit_\w+|fine_?tune|learn|minimize|partial_fit|apply_gradients|apply_updates|cv"
    rb"|value_and_grad|grad|cross_val\w*|cross_validate|(\w*_)?(pre|re)?train(ing)?(_\w+)?)\s*\((?!\s*\))"
    rb"|train\w*[\w.]*\.(train|fit)\(|(CLI|[Tt]rainer)\b|\b(lr|learning_rate|alpha|eta)\s*\*",
)
"""What a file contains that trains by itself."""
_PASSED = re.compile(rb"[Tt]rain|[Ff]it|[Ll]earn|backward|epoch|minimize")
"""What local modules contain on the way to what trains."""
_RUNS = re.compile(
    rb"__name__\s*==|==\s*__name__|^(?:for|while|with)\b|^try:\s*\n\s+\w+\(|^@\w+\.automain"
    rb"|^(?!.*(?:register|append|insert|filter|set_|add_))[A-Za-z_][\w.]*\(|^[\w, ]+=.*\b(?:fit|train|main)\w*\(",
    re.MULTILINE,
)
"""What a file contains that does more than import and define."""

_ALWAYS = {
    *("fit_generator", "train_on_batch", "apply_gradients", "apply_updates", "value_and_grad", "partial_fit"),
    *("fit_one_cycle", "fit_flat_cos", "fine_tune", "finetune", "train_supervised", "train_unsupervised"),
    *("cross_val_score", "cross_val_predict", "cross_validate", "create_supervised_trainer", "LightningCLI"),
}
_FUNCTION = re.compile(
    r"_?(do_|run_|start_|launch_|main_)?(pre|re)?train(ing)?"
    r"(_(and_\w+|(the_|a_|one_|single_|my_)?(models?|networks?|net|nn|gan|vae|loop|epochs?|step|on_batch|batch|worker|folds?|fn"
    r"|func|ddp|detector|segmentor|classifier|regressor|agent|policy|discriminator|generator|main)))?"
)
"""Functions that train by their names."""
_PREPARES = re.compile(
    r"scal|pca|vectori|tokeni|imput|transform|normali|preproc|selector|binari|discreti|svd|umap|tsne|polynomial|spline"
    r"|(?<!auto)(?<!auto_)encoder|(^|[ _])(le|ohe|oe|ss|mms|mlb|tfidf|stats|norm|ax|layout)( |$)"
)
"""Receivers of a `fit` that only learns how to prepare data, or fits a curve."""
_TRAINERS = re.compile(r"train|runner|engine|experiment|learner|estimator|agent|recipe|solver|algo|yolo|workflow")
_MODES = {"mode", "training", "is_train", "is_training", "train", "was_training", "train_mode"}
"""Variables in `model.train(mode)`, which trains nothing."""
_SETUP = re.compile(
    r"append|insert|filterwarnings|simplefilter|basicConfig|getLogger|.*seed|use|set_\w+|disable\w*|register\w*|add_(?!arg)\w+"
)
"""Calls at the top of a module that only defines things."""
_ROUNDS = re.compile(r"epoch|episode|iteration|n_iter|num_steps|max_steps", re.IGNORECASE)
_RATES = {"lr", "learning_rate", "alpha", "eta", "step_size", "lrate"}


def judge(path: Path, place: str, content: bytes, read: Callable[[], Source], sources: Sources) -> Candidate | None:
    """Return whether the file trains when it is run and why, or None if nothing in it looks like a training.

    `place` is its path below the folder that is searched; `read` parses it, or raises Unreadable.
    """
    stem = path.stem.lower().replace("-", "_")
    is_named = bool(NAMED.fullmatch(stem) and not _PARTS.fullmatch(stem))
    has_words = bool(_WORDS.search(content))
    if not (is_named or (_RUNS.search(content) and (has_words or _STARTS.fullmatch(stem)))):
        return None
    if _TESTS.fullmatch(place.lower()) or _MEASURES.fullmatch(stem):
        return Candidate(is_job=False, why="is named as a test or a benchmark") if has_words or is_named else None
    source = read()
    body = [
        each for each in source.tree.body if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    runs = b".automain" in content or any(map(_runs, body))
    if sign := _first_sign(source, body, sources, is_followed=runs):
        return Candidate(is_job=True, why=sign)
    if is_named and runs:
        return Candidate(is_job=True, why=f"is named {path.name}, and does something when it is run")
    if is_named:
        return Candidate(is_job=False, why="only defines or assigns")
    return Candidate(is_job=False, why="nothing that it runs trains") if has_words else None


def _runs(statement: ast.stmt) -> bool:
    """Return True for a statement of a module that does more than to import, assign or set up."""
    calls = (node.value for node in walk(statement) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
    is_work = isinstance(statement, ast.For | ast.While | ast.With | ast.Assert | ast.Raise)
    return is_work or is_main_guard(statement) or any(not _SETUP.fullmatch(last_name(call.func)) for call in calls)


def _first_sign(source: Source, body: Iterable[ast.stmt], sources: Sources, *, is_followed: bool) -> str | None:
    """Return the first call that trains in these statements, or in what they reach."""
    nodes = [node for statement in body for node in walk(statement)]
    signs = _Signs()
    if (sign := signs.first(source, nodes)) or not is_followed:
        return sign
    further = reached(source, nodes, sources, words=_PASSED, most=MOST_FOLLOWED)
    return next((sign for place, each in further if (sign := signs.first(place, each))), None)


def _trains(call: ast.Call, words: str) -> bool:
    """Return True for `trainer.train()` and `model.train(data)`, not for `model.train()` and `model.train(False)`."""
    values = [*call.args, *(each.value for each in call.keywords)]
    is_mode = len(values) == 1 and (isinstance(values[0], ast.Constant) or last_name(values[0]) in _MODES)
    return not words.startswith("super ") and bool((values and not is_mode) or _TRAINERS.search(words))


_METHODS: Mapping[str, Callable[[ast.Call, str], bool]] = {
    "fit": lambda _call, words: not _PREPARES.search(words),
    "train": _trains,
    "learn": lambda _call, _words: True,
    "minimize": lambda _call, words: not re.match(r"(optimize|scipy|so|opt|spo) ", words),
    "cv": lambda _call, words: bool(re.match(r"(xgb|xgboost|lgb|lightgbm|catboost|cb) ", words)),
    "grad": lambda _call, words: words.startswith("jax "),
    "run": lambda _call, words: "train" in words,
    "launch": lambda _call, words: "train" in words,
}
"""Methods that train by their receiver: its name, and what made it."""


class _Signs:
    """Reads syntax trees for a call that trains; `backward` counts together with an optimiser, also one elsewhere."""

    def __init__(self) -> None:
        self._made: dict[str, str] = {}
        """Names of variables, and of what made their values."""
        self._backward = ""
        self._has_optimiser = False

    def first(self, source: Source, nodes: list[ast.AST]) -> str | None:
        """Return the first call that trains as `train.py:12: calls trainer.fit`, or None."""
        for node in nodes:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                self._made |= {last_name(target): last_name(node.value.func) for target in node.targets}
        for node in nodes:
            if isinstance(node, ast.Call) and self._trains(node):
                return _sentence(source, node)
            if isinstance(node, ast.Call):
                self._note(source, node)
            elif isinstance(node, ast.For) and _descends(node):
                return f"{source.where(node)}: descends in a loop"
        return self._backward if self._has_optimiser and self._backward else None

    def _note(self, source: Source, call: ast.Call) -> None:
        name = last_name(call.func)
        if name in {"backward", "manual_backward"} and isinstance(call.func, ast.Attribute):
            self._backward = self._backward or _sentence(source, call)
        self._has_optimiser |= (
            name in {"step", "add_", "sub_"} or "optim" in name.lower() or "optim" in _owner(call).lower()
        )

    def _trains(self, call: ast.Call) -> bool:
        name, owner = last_name(call.func), _owner(call)
        words, has_values = f"{owner} {self._made.get(owner, '')}".lower(), bool(call.args or call.keywords)
        if isinstance(call.func, ast.Name) or name in _ALWAYS or name not in _METHODS:
            is_function = bool(_FUNCTION.fullmatch(name)) and (isinstance(call.func, ast.Name) or has_values)
            return name in _ALWAYS or (is_function and name != "training" and owner != "super")
        return _METHODS[name](call, words) and (has_values or name in {"fit", "train"})


def _owner(call: ast.Call) -> str:
    """Return `c` for the calls `c.fit()`, `a.b.c.fit()` and `a.c().fit()`."""
    below = call.func.value if isinstance(call.func, ast.Attribute) else None
    return last_name(below.func if isinstance(below, ast.Call) else below)


def _descends(loop: ast.For) -> bool:
    """Return True for a loop over epochs that changes something by a learning rate."""
    rounds = (node for part in (loop.target, loop.iter) for node in walk(part))
    if not any(_ROUNDS.search(last_name(node)) for node in rounds):
        return False
    changes = (node.value for node in walk(loop) if isinstance(node, ast.AugAssign))
    return any(last_name(node) in _RATES for value in changes for node in walk(value))


def _sentence(source: Source, call: ast.Call) -> str:
    text = ast.unparse(call.func)
    return f"{source.where(call)}: calls {text if len(text) <= SHOWN_CALL else '…' + text[-SHOWN_CALL:]}"
