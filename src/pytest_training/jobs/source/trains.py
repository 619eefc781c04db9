"""Whether a Python file trains when it is run: the first call that says so among all that its statements reach.

Local modules are followed. Names of files alone say little: of the files that train, few are called train_*.py.
"""

import ast
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pytest_training.jobs.source.by_hand import RATE, ROUNDS, descends, has, snake, solves
from pytest_training.jobs.source.literals import is_main_guard, last_name, module_statements, walk
from pytest_training.jobs.source.sources import Candidate, Source, Sources
from pytest_training.jobs.source.used import Definition, reached

MOST_FOLLOWED = 25  # local modules that are read to judge one file
SHOWN_CALL = 60
NAMED = re.compile(r"((pre|re)?train(ing)?|(fine|pre)_?tun(e|ing))(_.+)?")
"""Stems of files that say themselves that they train, in lower case and with `_` for `-`."""
_PARTS = re.compile(
    r".*_(utils?|helpers?|config|args?|opt(ion)?s?|test|split|plots?|curves?|logs?|history|results?|metrics?|figures?|report|data|data_?sets?|(data_?)?loaders?|val|hooks?|analysis|eda)(_?v?\d+)?"
)
_STARTS = re.compile(r"(.*_)?(main|run|exp|launch|start|cli|experiment|pipeline|demo|app|(pre)?train(ing)?)s?(_.*)?")
"""Stems of files that may start what other files define."""
_TESTS = re.compile(r"(.*/)?((tests?|testing)/.*|test_[^/]*|[^/]*_test|conftest)\.py")  # by their paths
_OTHERS = re.compile(
    r"(.*/)?(setup|[^/]*submitit[^/]*"
    r"|([^/]*_)?(bench(mark)?(s|ing)?|profil(e|er|ing)|lr_find(er)?|speed(_?test)?)(_[^/]*)?)\.py"
)  # benchmarks, and what starts others
_COMPARES = re.compile(rb"(?s)(?!.*(?:perf_counter|timeit|time\.time\(|Profile)).*?(?:accuracy|auc|f1_|rmse|score)")
_CHECKS = re.compile(rb"unittest|pytest|absltest|tf\.test|def test(_\w|\(\))")  # what tests contain
_WORDS = (
    b"fit(|fit_|backward(|train(|_train|train_|training(|trainModel(|rainer|tune(|learn(|minimize(|apply_gradients"
    b"|apply_updates|.cv(|_and_grad|jax.grad|cross_val|CLI(|lr *|rate *|alpha *|eta *|lr*|rate*|alpha*|eta*|LR *"
    b"|RATE *|ETA *|ALPHA *|step_size *|* lr|* LR|* learning_rate|* LEARNING_RATE|learningRate|* grad|*grad|* dw|*dw"
    b"|* d_|*d_|* alpha|_descent(|_regression(|_search(|random_forest(|uner.run(|mcmc|fmin|inv(|.I *|lstsq(|.solve("
    b"|lope =|Slope|perceptron(|kmeans(|k_means(|decision_tree|aive_|aiveB|e_tree(|d_tree(|w_tree(|eTree(|dTree(|wTree("
).split(b"|")  # what a file contains that trains by itself
_PASSED = rb"[Tt]rain|[Ff]it|[Ll]earn|backward|epoch|minimize|gradient|eta \*|MCMC\(|fmin|inv\(|lstsq|bayes|_tree\("
"""What local modules contain on the way to what trains."""
_NEIGHBOUR = re.compile(rb"^(?:from|import)\s+(\w+)((?:\.\w+)*)", re.MULTILINE)
_GUARD = re.compile(rb"__name__\s*==|==\s*__name__")
_RUNS = re.compile(
    rb"\n(?:(?:for|while|with)\b|(?:try|if\b.*):\s*\n\s+\w+\(|@\w+\.automain"
    rb"|(?=[A-Za-z_][\w.]*\()(?!.*(?:register|append|insert|filter|set_|add_))|\w[\w, ]*=.*\b(?:fit|train|main)\w*\()"
)  # what stands behind the end of a line of a file that does more than import and define
_FITS = re.compile(rb"=.*\b(?:fit|train)\w*\(")
_FUNCTION = (
    r"_?(do_|run_|start_|launch_|main_)?((pre|re)?train|training(?=_))(_(and_\w+|(the_|a_|one_|single_|my_)?(models?|net|nn|gan|vae"
    r"|networks?|loop|epochs?|episodes?|step(_\w+)?|on_batch|batch|worker|folds?|fn|func|ddp|detector|segmentor|classifier|regressor|agent|policy"
    r"|discriminator|generator|main|supervised|unsupervised)))?"
)
_BY_HAND = re.compile(
    r"(\w+_)?gradient_descent(_\w+)?|k_?means(_\w+)?|(multi_layer_)?perceptron(_\w+)?|naive_bayes(_\w+)?|(linear|logistic|ridge|lasso|softmax|polynomial)_regression|random_forest"
    r"|(train|fit)_((my|the|a)_)?(perceptron|naive_bayes|nb|(linear|logistic)_regression|svm|knn|tree|forest|mlp|rbf|cnn|rnn|lstm"
    r"|decision_tree|random_forest|xgb(oost)?|lgbm|lightgbm|catboost|gmm|k?means)(_\w+)?"
    r"|fit_(\w+_)?(model|regress\w*|classifier|network)|(build|grow|learn|create|generate)_(decision_)?tree|decision_tree_learning"
)  # functions of scripts without a library
_ENTROPY = re.compile(rb"(?i)entropy|gini|gain|decision")  # what a tree that is learnt is grown by
_TRAINERS = r"(?<!pre)train(?!ed)|runner|engine|experiment|learner|estimator|agent|recipe|solver|algo|yolo|workflow"
_TRAINS = re.compile(
    r".*\.(fit_(generator|one_cycle|flat_cos|predict)|partial_fit|apply_(gradients|updates)|value_and_grad|fine_?tune|cross_validate"
    rf"|cross_val_\w+|create_supervised_trainer|lightningcli|(grid|randomized)_search)\(.*|\.{_FUNCTION}\(.*|(?!super\.).*\.{_FUNCTION}\(…\)"
    rf"|.*({_TRAINERS}).*\.train(ing)?\(\)|.*train(er|ing).*\.(run|launch)\(.*|.*\._?learn\(…\)|.*\bjax\.grad\(…\)"
    r"|(?!\.|(.* )?(optimize|scipy|so|spo)\.).*\.minimize\(…\)|(.* )?(xgb|xgboost|lgb|lightgbm|catboost|cb)\.cv\(…\)"
    r"|\w*naive_?bayes\w* \w+\.(predict|classify)\w*\(…\)|\w*tree\w* \w+\.(build|grow)_tree\(…\)"
    r"|(mcmc|svi)( \w+)?\.run\(…\)|.*tuner\.run\(.*|.*\.hyperparameter_search\(.*|.*agent.*\.learn\(\)"
    # What learns how to prepare data, or fits a curve, trains no model.
    r"|(?!.*(scal|[pm]ca|vectori|tokeni|imput|transform|normali|preproc|selector|embedder|binari|discreti|svd|umap|tsne|polynomialf|kaplan|spline"
    r"|(?<!auto)(?<!auto_)encoder|(^| |_)(le|ohe|oe|ss|mms|mlb|tfidf|stats|norm|ax|polynomial|kmf)( |\.))).*\.fit\(.*"
)  # calls that train: what made their receiver, the receiver, and `…` for arguments, in lower case
_STEPS = re.compile(
    r"\bback(?:ward|_?prop)\w*\(.*\b(?:lr|learning_rate|alpha|eta|epochs?)\b|\bfmin_\w+\(.*(?:cost|loss|obj|log_?reg|svm|likelihood)"
    r"|\bfmin\(.*(?:cost|loss|objective)|\bminimize\(.*(?:cost|loss|log_?reg|likelihood|theta)"
)  # calls of a network by hand, and of SciPy: `net.backward(x, y, lr)`, `fmin_cg(cost, theta)`
_UPDATES = re.compile(
    r".*\.((\w*optim\w*_)?step(_and_\w+)?|optimi[sz]e\w*|update_(param|weight)\w*|(add|sub)_)\(.*|.*optim.*\.update\w*\(.*"
)
_MODES = {"mode", "training", "is_train", "is_training", "train", "was_training", "train_mode"}  # that trains nothing
_SERVES = re.compile(
    rb"^(?:import|from)\s+(?:streamlit|gradio|dash|airflow|flask|fastapi|uvicorn|nicegui|apscheduler|schedule|celery|telegram|discord|\w*tkinter)\b",
    re.MULTILINE,
)
_IDLE = re.compile(
    r"append|insert|filterwarnings|simplefilter|basicConfig|getLogger|.*seed|use|set_\w+|disable\w*|register\w*|add_(?!arg)\w+"
)  # calls at the top of a module that only defines things
_LOGS = re.compile(r"print|log|debug|info|warn(ing)?|error|open|(safe_)?loads?|dict|items|replace|format")
_PREPARES = re.compile(r"scaler|preproc|pca|imputer|vectori[sz]er|normali[sz]er", re.IGNORECASE)  # they train nothing
_SELECTS = re.compile(r"pre_?proc|feature_(select|engineer)|data_prep", re.IGNORECASE)  # files that train nothing
_PREDICTS = re.compile(rb"\.(predict|score|evaluate)\w*\(|accuracy|cross_val")  # unless they contain this


def judge(path: Path, place: str, content: bytes, read: Callable[[], Source], sources: Sources) -> Candidate | None:
    """Return whether the file trains when it is run and why, or None if nothing in it looks like a training.

    `place` is its path below the folder that is searched; `read` parses it, or raises Unreadable.
    """
    stem = path.stem.lower().replace("-", "_")
    is_named = bool(NAMED.fullmatch(stem) and not _PARTS.fullmatch(stem)) and b"from airflow" not in content
    runs = _runs(content)
    files = _with_neighbours(path, content) if runs or is_named else ()
    has_words = any(any(map(each.__contains__, _WORDS)) for each in files)  # ten times as fast as one pattern
    if not (is_named or (runs and (has_words or _STARTS.fullmatch(stem)))):
        return None
    compares = "benchmark" in stem and _COMPARES.match(content)  # models, not speed
    is_test = _TESTS.fullmatch(place.lower()) and _CHECKS.search(content)
    if is_test or (_OTHERS.fullmatch(place.lower()) and not compares):
        return Candidate(is_job=False, why="is named as a test or a benchmark") if has_words or is_named else None
    if not is_named and _SERVES.search(content):
        return Candidate(is_job=False, why="serves an app") if has_words else None
    source = read()
    body = [each for each in source.tree.body if not isinstance(each, Definition | ast.AsyncFunctionDef)]
    # tf.app.run() calls `main` and names it nowhere.
    body += [each for each in source.tree.body if getattr(each, "name", "") == "main" and any(map(is_main_guard, body))]
    calls, starts = [call for each in body for call in _calls(each)], b".automain" in content
    if sign := _first_sign(source, body, sources, is_followed=bool(calls) or starts):
        return Candidate(is_job=True, why=sign)
    if is_named:
        works = starts or any(map(_works, body))
        why = f"is named {path.name}, and does something when it is run" if works else "only defines or assigns"
        return Candidate(works, why)
    return Candidate(is_job=False, why="nothing that it runs trains") if has_words else None


def _runs(content: bytes) -> bool:
    """Return True for a file that does more than import and define, or defines what fits; the fast looks come first."""
    if (b"__name__" in content and _GUARD.search(content)) or _RUNS.search(b"\n" + content):
        return True
    return (b"fit" in content or b"train" in content) and bool(_FITS.search(content))


def _with_neighbours(path: Path, content: bytes) -> Iterator[bytes]:
    """Yield the content of a file, and of the modules beside it, or in a package beside its folder, that it imports."""
    yield content
    names = [(name.decode(), below.decode().replace(".", "/")) for name, below in _NEIGHBOUR.findall(content)]
    files = [path.with_name(f"{name}.py") for name, _ in names]
    files += [path.parent.with_name(name) / f"{below[1:]}.py" for name, below in names if below]
    yield from (file.read_bytes() for file in files if file.is_file())


def _works(statement: ast.stmt) -> bool:
    """Return True for a statement of a module that does more than to import, assign or set up, or a block that logs."""
    if isinstance(statement, ast.For | ast.While | ast.Assert | ast.Raise):
        return True
    names = [last_name(call.func) for call in _calls(statement) if not _IDLE.fullmatch(last_name(call.func))]
    return any(isinstance(statement, ast.Expr) or not _LOGS.fullmatch(name) for name in names)


def _calls(statement: ast.stmt) -> list[ast.Call]:
    """Return the calls of a statement of a module that does more than to import and assign."""
    is_block = is_main_guard(statement) or isinstance(statement, ast.For | ast.While | ast.With)
    parts = [statement] if is_block else [node for node in walk(statement) if isinstance(node, ast.Expr)]
    return [node for part in parts for node in walk(part) if isinstance(node, ast.Call)]


def _first_sign(source: Source, body: Iterable[ast.stmt], sources: Sources, *, is_followed: bool) -> str | None:
    """Return the first call that trains in these statements, or in what they reach."""
    nested = (each for each in module_statements(source.tree.body) if isinstance(each, Definition) and each.col_offset)
    inside = {node for each in nested for node in walk(each)}  # in `if` or `try`; these count when they are named
    nodes, signs = [node for statement in body for node in walk(statement) if node not in inside], _Signs()
    further = reached(source, nodes, sources, words=_PASSED, most=MOST_FOLLOWED) if is_followed else ()
    places = itertools.chain([(source, nodes)], further)
    return next((sign for place, each in places if (sign := signs.first(place, each))), None)


class _Signs:
    """Reads syntax trees for a call that trains; `backward` counts together with an optimiser, also one elsewhere."""

    def __init__(self) -> None:
        self._made: dict[str, str] = {}  # names of variables, and of what made their values
        self._methods: list[tuple[Source, ast.FunctionDef | ast.AsyncFunctionDef]] = []  # that nothing has named so far
        self._named = set[str]()
        self._backward: str | None = None
        self._has_optimiser = False
        self._descent: str | None = None  # a step by hand, which counts together with a loop over epochs
        self._has_rounds = False

    def first(self, source: Source, nodes: list[ast.AST]) -> str | None:
        """Return the first call that trains as `train.py:12: calls trainer.fit`, or None.

        A class's methods count if they are named somewhere.
        """
        if _SELECTS.search(source.path.stem) and not _PREDICTS.search(source.content):
            return None
        if nodes and isinstance(nodes[0], ast.ClassDef):
            if _PREPARES.search(nodes[0].name):
                return None
            methods = [each for each in nodes[0].body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
            self._methods += [(source, method) for method in methods]
            inside = {node for method in methods for node in walk(method)}
            nodes = [node for node in nodes if node not in inside]
        sign = self._read(source, nodes)
        while sign is None and (ready := [each for each in self._methods if self._is_named(each[1].name)]):
            self._methods = [each for each in self._methods if each not in ready]
            sign = next(filter(None, (self._read(place, [*walk(method)]) for place, method in ready)), None)
        return sign

    def _is_named(self, name: str) -> bool:
        return name in self._named or name.startswith(("__", "forward")) or "Fire" in self._named

    def _read(self, source: Source, nodes: list[ast.AST]) -> str | None:
        self._named |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        for node in nodes:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                self._made |= {last_name(target): last_name(node.value.func) for target in node.targets}
        for node in nodes:
            if isinstance(node, ast.For | ast.While):
                counted = [*walk(node.target), *walk(node.iter)] if isinstance(node, ast.For) else []
                has_rounds = any(ROUNDS.search(last_name(each)) for each in counted)  # over epochs
                self._has_rounds |= has_rounds
                if any(descends(each, has_rounds=has_rounds) for each in walk(node)):
                    return f"{source.where(node)}: descends in a loop"
            if isinstance(node, ast.BinOp | ast.AugAssign | ast.Call):
                if solves(node):
                    return f"{source.where(node)}: solves for a model"
                if descends(node, has_rounds=True):
                    self._descent = self._descent or f"{source.where(node)}: descends by a learning rate"
            if isinstance(node, ast.Call) and (sign := self._called(source, node)):
                return sign
        return (self._backward if self._has_optimiser else None) or (self._descent if self._has_rounds else None)

    def _called(self, source: Source, call: ast.Call) -> str | None:
        """Return the sign of a call that trains; remember a `backward`, and an optimiser."""
        words, name = self._words(call), last_name(call.func)
        if any(getattr(each.value, "value", None) == 0 and ROUNDS.search(each.arg or "") for each in call.keywords):
            return None  # `total_timesteps=0` loads a model
        is_bare = words.endswith((".train()", ".training()"))
        steps = any(word in words for word in (".back", ".fmin", ".minimize")) and _STEPS.search(ast.unparse(call))
        is_function = isinstance(call.func, ast.Name) and bool(call.args or call.keywords or "bayes" in words)
        by_hand = is_function and name[:1].islower() and bool(_BY_HAND.fullmatch(snake(name)))
        by_hand &= "tree" not in words or bool(_ENTROPY.search(source.content))
        if steps or by_hand or _TRAINS.fullmatch(words) or (is_bare and self._is_own(source, call)):
            return _sentence(source, call)
        if name in {"assign", "assign_sub"} and any(has(RATE, each) for each in call.args):
            return f"{source.where(call)}: descends by a learning rate"
        if name in {"backward", "manual_backward"}:
            self._backward = self._backward or _sentence(source, call)
        self._has_optimiser |= bool(_UPDATES.fullmatch(words))
        return None

    def _is_own(self, source: Source, call: ast.Call) -> bool:
        """Return True for a call of a method of a class of this file that takes no mode."""
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        made = last_name(owner.func if isinstance(owner, ast.Call) else owner)
        own = (each for each in source.tree.body if getattr(each, "name", "") == self._made.get(made, made))
        methods = [each for node in own for each in walk(node) if isinstance(each, ast.FunctionDef)]
        return any(each.name == last_name(call.func) and len(each.args.args) == 1 for each in methods)

    def _words(self, call: ast.Call) -> str:
        """Return `sgd optimizer.minimize(…)`, `.train(…)` for a plain function, `net.train()` for `net.train(mode)`."""
        below = call.func.value if isinstance(call.func, ast.Attribute) else None
        owner = last_name(below.func if isinstance(below, ast.Call) else below)
        values = [*call.args, *(each.value for each in call.keywords)]
        is_mode = len(values) == 1 and (isinstance(values[0], ast.Constant) or last_name(values[0]) in _MODES)
        made, name = owner and self._made.get(owner), last_name(call.func)
        name = snake(name) if name[:1].islower() else name
        shown = "…" if values and not (is_mode and below and name == "train") else ""
        return f"{made + ' ' if made else ''}{owner or ('' if below is None else '?')}.{name}({shown})".lower()


def _sentence(source: Source, call: ast.Call) -> str:
    text = ast.unparse(call.func)
    return f"{source.where(call)}: calls {text if len(text) <= SHOWN_CALL else '…' + text[-SHOWN_CALL:]}"
