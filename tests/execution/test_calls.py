"""Tests of readers/calls.py: numbers that have the names of the calls of `print` that printed them."""

from __future__ import annotations

import atexit
import sys
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_training.execution.attempt.startup.sitecustomize import MOST_FIRST, Printed
from pytest_training.execution.readers.calls import with_calls
from pytest_training.execution.readers.noted import calls_of
from pytest_training.execution.readers.protocol import Measured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_training.execution.readers.numbers import Number


class Model:
    """One that has learned nothing."""

    def __init__(self, k: int = 1, **_: int) -> None:
        self.k = k

    def score(self, *_: object) -> float:
        return 0.9 - self.k / 100

    def predict(self, _: object) -> list[float]:
        return [self.k - 0.5]


def names() -> dict[str, Any]:
    """Return what the sources below use without a definition."""
    numbers = count(1)
    return {
        **dict.fromkeys(("accuracy_score", "f"), lambda *_: 0.9),
        **dict.fromkeys(("r2_score", "f1_score", "roc_auc_score"), lambda *_: 0.5),
        "mean_squared_error": lambda *_: 4.0,
        "sqrt": lambda value: value**0.5,
        "cross_val_score": lambda *_: np.array([0.7, 0.8]),
        "np": np,
        "y": np.array([1, 0, 1, 1]),
        "p": np.array([1, 1, 1, 1]),
        "X": [],
        "X_train": [],
        "X_test": [],
        "m": Model(),
        "Model": Model,
        "forest": Model(2),
        "KNeighborsClassifier": Model,
        "correct": 9,
        "total": 10,
        "train": lambda *_: 1 / next(numbers),
    }


NAMED = {
    "a metric": ("print(accuracy_score(y, p))", {"accuracy": 0.9}),
    "a variable": ("acc = f(y)\nprint(acc)", {"acc": 0.9}),
    "a variable that its call names": ("a = r2_score(y, p)\nprint(a)", {"r2": 0.5}),
    "a word of another language": ("print('Genau:', accuracy_score(y, p))", {"accuracy": 0.9}),
    "text without a space": ("acc = f(y)\nprint('acc is{:.3f}'.format(acc))", {"acc": 0.9}),
    "a format with a name": ("print('{a:.2f} und {0}'.format(1, a=f1_score(y, p)))", {"f1": 0.5}),
    "per cent formats": ("print('%d: %.3f%%' % (3, 100 * accuracy_score(y, p)))", {"accuracy": 0.9}),
    "text that is added": ("print('Ergebnis ' + str(r2_score(y, p)))", {"r2": 0.5}),
    "an f-string": ("print(f'Wert {r2_score(y, p):.3f} von {len(y)}')", {"r2": 0.5}),
    "rounded": ("print(round(f1_score(y, p), 3))", {"f1": 0.5}),
    "the mean of folds": ("s = cross_val_score(m, X, y)\nprint(s.mean())", {"cross_val_score": 0.75}),
    "the list of folds": ("s = cross_val_score(m, X, y)\nprint(s)", {"cross_val_score": 0.75}),
    "folds by hand": (
        "accs = []\nfor i in '1,2'.split(','):\n    accs.append(int(i) / 4)\nprint(accs)",
        {"acc": 0.375},
    ),
    "a history": ("losses = []\nfor e in range(9):\n    losses.append(train())\nprint(losses)", {"loss": 1 / 9}),
    "a course by hand": (
        "w, costs = 1.0, []\nfor i in range(3):\n    costs.append(w)\n    w = w - 0.25\nprint('Verlauf', costs)",
        {"cost": 0.5},
    ),
    "a cost of parameters that were changed": (
        "theta = np.zeros(2)\nfor step in range(3):\n    theta -= 0.1\nloss = f(theta)\nprint(loss)\nf(f, theta)",
        {"loss": 0.9},
    ),
    "a cost of parameters that a call changed": (
        "theta = np.zeros(2)\nf(X, theta)\nloss = f(theta)\nprint(loss)\nf(theta)",
        {"loss": 0.9},
    ),
    "columns with blanks before them": (
        "loss, acc = 0.5, 0.75\nprint(f'  {1:>6.2f}  {loss:>9.4f}  {acc:>7.4f}  [{2}]')",
        {"loss": 0.5, "acc": 0.75},
    ),
    "parameters that are changed in place": (
        "w, loss = 1, f\nw = np.zeros(2)\nw += 0.5\nprint(loss(X, w))",
        {"loss": 0.9},
    ),
    "a cost behind the training": ("theta, loss = 1, f\ntheta = f(X, theta)\nprint(loss(X, theta))", {"loss": 0.9}),
    "a result by its key": ("results = {'auc': 0.5}\nprint(results['auc'])", {"auc": 0.5}),
    "a loop": ("for e in range(100):\n    loss = train()\n    print(e, loss)", {"loss": 0.01}),
    "a tensor": ("loss = 'tensor(0.25, grad_fn=<MeanBackward0>)'\nprint(loss)", {"loss": 0.25}),
    "two parts of the data": (
        "print(m.score(X_train, y))\nprint(forest.score(X_test, y))",
        {"train_score": 0.89, "test_score": 0.88},
    ),
    "two parts by their texts": (
        "print('C', 1, 'auf train:', m.score(X, y), 'auf test:', forest.score(X, y))",
        {"train_score": 0.89, "test_score": 0.88},
    ),
    "two models": ("print(m.score(X, y))\nprint(forest.score(X, y))", {"m_score": 0.89, "forest_score": 0.88}),
    "two predictions": (
        "g = lambda y, p: sum(p)\nerror = g\nprint(error(y, m.predict(X)))\nprint(error(y, forest.predict(X)))",
        {"m_x_error": 0.5, "forest_x_error": 1.5},
    ),
    "two texts": ("print('Eins', f1_score(y, p))\nf1 = 0.7\nprint('Zwei', f1)", {"eins_f1": 0.5, "zwei_f1": 0.7}),
    "names with blanks before them": (
        "for n in 'LR', 'LDA':\n    score = Model(len(n)).score(X, y)\n    print(f'{n:>4}: {score:.3f} (+/- {0.1})')",
        {"lr_score": 0.88, "lda_score": 0.87},
    ),
    "a setting": (
        "for k in [1, 5]:\n    print(k, KNeighborsClassifier(k).score(X, y))",
        {"k_1_score": 0.89, "k_5_score": 0.85},
    ),
    "a setting by its keyword": (
        "for i in [1, 5]:\n    model = Model(k=i)\n    print(i, model.score(X, y))".replace(
            "Model", "KNeighborsClassifier"
        ),
        {"k_1_score": 0.89, "k_5_score": 0.85},
    ),
    "a name in the loop": (
        "for n, m in [('One', m), ('Two', forest)]:\n    print(n)\n    print(m.score(X, y))",
        {"one_score": 0.89, "two_score": 0.88},
    ),
    "a name in a function": (
        "def show(n, m):\n    print(f'--- {n}')\n    print(m.score(X, y))\nshow('KNN 1', m)\nshow('KNN 2', forest)",
        {"knn_1_score": 0.89, "knn_2_score": 0.88},
    ),
    "what the log overwrites": (
        "for n, m in [('One', m), ('Two', forest)]:\n    print(f'[{n:4}] score {m.score(X, y):.2f}')",
        {"one_score": 0.89, "two_score": 0.88},
    ),
    "a title": (
        "print('Vor')\nf1 = 0.4\nprint(f1)\nf1 = 0.5\nprint('Nach allem')\nprint(f1)",
        {"vor_f1": 0.4, "nach_allem_f1": 0.5},
    ),
    "the best": ("accs = [0.5, 0.75]\nprint(max(accs))", {"max_acc": 0.75}),
    "errors by hand": (
        "print(np.mean((p - y) ** 2))\nprint(np.mean(np.abs(p - y)))\nprint(np.sqrt(((p - y) ** 2).mean()))",
        {"mse": 0.25, "mae": 0.25, "rmse": 0.5},
    ),
    "an element of a list": ("accuracies = [0.5, 0.75]\nprint('Eins', accuracies[0])", {"accuracy_0": 0.5}),
    "the last element": ("accuracies = [0.5, 0.75]\nprint(accuracies[-1])", {"accuracy": 0.75}),
    "several runs of each": (
        "for i in range(2):\n    for n, k in [('eins', 1), ('zwei', 2)]:\n        print(n, Model(k + i).score())",
        {"eins_score": 0.88, "zwei_score": 0.87},
    ),
    "a root": ("print(np.sqrt(mean_squared_error(y, p)))", {"rmse": 2.0}),
    "a power": ("print(mean_squared_error(y, p) ** 0.5)", {"rmse": 2.0}),
    "per cent by hand": ("print(round(m.score(X, y) * 100, 2))", {"score": 0.89}),
    "a share": ("print(correct / total)", {"accuracy": 0.9}),
    "a share in per cent": ("print(100 * correct / total)", {"accuracy": 0.9}),
    "what agrees": ("print(np.mean(p == y))", {"accuracy": 0.75}),
    "each that agrees": ("print(sum(a == b for a, b in zip(p, y)) / len(y))", {"accuracy": 0.75}),
    "how many agree": ("print(sum(p == y) / len(y))", {"accuracy": 0.75}),
    "the last of a run": ("loss = train()\nprint(loss)\nloss = train()\nprint(loss)", {"loss": 0.5}),
    "a choice": ("if m:\n    print(accuracy_score(y, p))\nelse:\n    print(loss)", {"accuracy": 0.9}),
    "two calls in a function": (
        "def show():\n    print(train_loss)\ntrain_loss = 0.5\nshow()\nshow()",
        {"train_loss": 0.5},
    ),
    "not a number": ("loss = float('nan')\nprint(loss)", {"loss": float("nan")}),
}
NOT_NAMED = {
    "what the log says": "print('accuracy:', accuracy_score(y, p))",
    "no measurement": "seconds = 3.2\nprint(seconds)",
    "a count": "print(len(y), 'rows')\nerrors = 3\nprint(errors)",
    "ten times": "print(accuracy_score(y, p) * 10)",
    "a loss function": "loss = m\nprint(loss)",
    "a comparison": "best_loss, loss = 0.3, 0.2\nprint(f'von {best_loss:.2f} -> {loss:.2f}')",
    "one of many settings": "for k in [1, 3]:\n    loss = train()\n    print(f'Tried {{k}} with {loss}')",
    "before the training": "print('Vorher (untrained)', accuracy_score(y, p))",
    "two on a line": "print(accuracy_score(y, p)); print(r2_score(y, p))",
    "values in a row": "print(*[accuracy_score(y, p)])",
    "another stream": "import sys\nprint(accuracy_score(y, p), file=sys.stderr)",
    "a column of the data": "df = {'score': 0.5}\nprint(df['score'])",
    "the share of a class": "positive = 1\nprint((y == positive).mean())",
    "a cost before the training": "theta = 1.5\nloss = f\nprint(loss(X, theta))\ntheta = f(X, theta)",
    "a cost of the first parameters": "w = np.zeros(2)\nloss = train(w, X)\nprint(loss)\nresult = f(train, w)",
    "parameters that a model begins with": "w = np.ones(2)\nprint(accuracy_score(w, X))\nw = f(w)",
    "the first of many samples": "accs = []\nfor i in range(4):\n    accs.append(train())\nprint('Erste:', accs[:2])",
    "samples of one model": "accs = []\nfor i in [2, 3, 4]:\n    accs.append(accuracy_score(y, p) / i)\nprint(accs)",
    "a matrix": "loss = [[1.0, 2.0], [3.0, 4.0]]\nprint(loss)",
    "a probability": "score = m.predict(X)\nprint('score:', score[0])",
    "a column under its name": "df = {'score': y}\nprint('Mean score:', df['score'].mean())",
    "a cost at given parameters": "loss = f\nprint(loss(X, np.array([-1, 2])))",
    "a cost at a variable with them": "loss = f\nt_theta = [1, 2]\nj = loss(X, t_theta)\nprint(j)",
    "an F of an F-test": "f1 = 646.98\nprint(f1)",
    "a reward of a step": "reward = 1.5\nprint(reward)",
    "scores of features": "imp = m.predict(X)\nprint('f1', imp[0])",
    "the entropy of labels": "entropy = f\nprint('Entropy of it:', entropy(y))",
    "two parts in one text": "print(f'Train/Test: {m.score(X, y):.3f} / {forest.score(X, y):.3f}')",
    "two numbers of each": "for n in ('Eins', 'Zwei'):\n    print(f'| {n} | {m.score(X)} | {m.score(y)} |')",
    "a whole number beside others": "loss = 3\nprint('Runde', 4, loss)",
}


TWO = """
import sys

class Two:
    def __init__(self, one):
        self.one = one
    def write(self, text):
        self.one.write(text)
    def flush(self):
        pass

sys.stdout = Two(sys.stdout)
print(f1_score(y, p))
sys.stdout = sys.stdout.one
"""


@pytest.fixture(name="printed")
def _printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Printed]:
    monkeypatch.setattr(sys.stdout, "write", sys.stdout.write)  # puts it back
    printed = Printed(str(tmp_path / "printed.txt"))
    printed.begin()
    yield printed
    atexit.unregister(printed.leave)


def read(printed: Printed, source: str, known: dict[str, Number] | None = None) -> dict[str, float]:
    """Return the numbers of a source by their names."""
    script = Path(printed.file).with_name("x.py")
    script.write_text(source, encoding="utf-8")
    exec(compile(source, str(script), "exec"), names())  # noqa: S102  (as the attempt runs a script)
    printed.leave()
    log = {name: Measured(number, "stdout", is_last=True) for name, number in (known or {}).items()}
    named = with_calls(Path(printed.file), script.parent, log)
    return {name: round(float(measured.value), 6) for name, measured in named if log.get(name) != measured}


@pytest.mark.parametrize(("source", "expected"), NAMED.values(), ids=NAMED)
def test_a_number_has_the_name_of_what_prints_it(printed: Printed, source: str, expected: dict[str, float]) -> None:
    assert read(printed, source) == pytest.approx(expected, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("source", NOT_NAMED.values(), ids=NOT_NAMED)
def test_another_number_is_left_out(printed: Printed, source: str) -> None:
    assert read(printed, source) == {}


def test_what_the_log_says_under_the_name_stays(printed: Printed) -> None:
    source = "print(accuracy_score(y, p))\nprint(r2_score(y, p))"
    assert read(printed, source, {"accuracy": Decimal("0.8"), "r2": Decimal("0.50")}) == {}


def test_a_known_number_of_the_first_parameters_is_no_result(printed: Printed) -> None:
    source = (
        "w = np.zeros(2)\nloss = np.array([f(w)])\nprint('Loss:\\n', loss)\nf(train, w)\nprint('AUC', f1_score(y, p))"
    )
    read(printed, source)
    log = {name: Measured(Decimal(text), "stdout") for name, text in (("loss", "0.9"), ("auc", "0.5"))}
    assert {*dict(with_calls(Path(printed.file), Path(printed.file).parent, log))} == {"auc"}


def test_calls_tell_apart_what_the_log_has_of_several_models(printed: Printed) -> None:
    source = """
dtc, mlp = Model(1), Model(2)
print(f"Training accuracy = {dtc.score(X, y)}")
print(f"Training accuracy = {mlp.score(X, y)}")
acc_knn, acc_svm = 0.7, 0.8
print('Accuracy:', acc_knn)
print('Accuracy:', acc_svm)
print('F1:', f1_score(y, p))
"""
    log: dict[str, Number] = {"training_accuracy": Decimal("0.88"), "accuracy": Decimal("0.8"), "f1": Decimal("0.5")}
    assert read(printed, source, log) == {
        "dtc_training_accuracy": 0.89,
        "mlp_training_accuracy": 0.88,
        "knn_accuracy": 0.7,
        "svm_accuracy": 0.8,
    }


def test_a_number_says_where_it_was_printed(printed: Printed) -> None:
    read(printed, "\nprint(accuracy_score(y, p))\nfor _ in 'ab':\n    print(f1_score(y, p))")
    found = dict(with_calls(Path(printed.file), Path(printed.file).parent, {}))
    assert {name: (each.source, each.is_last) for name, each in found.items()} == {
        "accuracy": ("stdout of x.py line 2", False),
        "f1": ("stdout of x.py line 4", True),
    }


def test_a_long_text_with_many_values_is_read_at_once(printed: Printed) -> None:
    values = " ".join(["{f(y):.1f}"] * 40)
    source = f"print(f'{values} a b {{f1_score(y, p)}}')\nprint(f'{{\" \" * 999}}{values} {{m}} b')"
    assert read(printed, source) == {"f1": 0.5}


def test_many_calls_in_one_loop_are_read_at_once(printed: Printed) -> None:
    steps = [f"    w{i} = np.zeros(3)\n    print('Genau {i}', w{i}.sum() / {i + 1}, k, [1.0, 2.0])" for i in range(150)]
    source = "\n".join(["for k in range(4):", *steps, "print(f1_score(y, p))"])
    assert read(printed, source) == {"f1": 0.5}


@pytest.mark.parametrize(
    "source",
    [
        TWO,
        "import functools\nprint = functools.partial(print, flush=True)\nprint(f1_score(y, p))",
        "print('\\n', f1_score(y, p), sep='\\n', end='')",
    ],
)
def test_a_number_is_named_however_it_is_written(printed: Printed, source: str) -> None:
    assert read(printed, source) == {"f1": 0.5}


def test_print_is_python_s_own(printed: Printed) -> None:
    before = print
    printed.begin()
    assert print is before


def test_notes_are_bounded(printed: Printed) -> None:
    read(printed, "for i in range(1000):\n    print('x' * 10_000, i)")
    assert Path(printed.file).stat().st_size < 2 * MOST_FIRST


@pytest.mark.parametrize(
    "content", [b"", b"x.py", b"x.py\x1f1\x1f1\x1fa\x1da\x1da", b"x.py\x1f1", b"\xff", b"\x1e" * 9]
)
def test_damaged_notes_name_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "printed.txt").write_bytes(content)
    assert list(calls_of(tmp_path / "printed.txt", tmp_path)) == []
