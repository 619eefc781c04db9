"""Tests of readers/bare.py: numbers alone on their lines, named by what the source prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_training.execution.readers.bare import named_numbers

NAMED = {
    "a metric": ("print(accuracy_score(y, p))", "0.9", {"accuracy": 0.9}),
    "a variable": ("acc = f(y)\nprint(acc)", "0.9", {"acc": 0.9}),
    "a variable that its call names": ("a = metrics.r2_score(y, p)\nprint(a)", "0.5", {"r2": 0.5}),
    "rounded": ("print(round(f1_score(y, p), 3))", "0.812", {"f1": 0.812}),
    "the mean of folds": ("s = cross_val_score(m, X, y)\nprint(s.mean())", "0.7", {"cross_val_score": 0.7}),
    "a model's score": ("print('Results')\nprint(model.score(X, y))", "Results\n0.7", {"score": 0.7}),
    "two": ("print(mean_absolute_error(y, p))\nprint(r2_score(y, p))", "3\n0.5", {"mean_absolute_error": 3, "r2": 0.5}),
    "a number in its name": (
        "loss = f(y, p)\nprint(loss)\nloss2 = f(y, q)\nprint(loss2)",
        "0.9\n0.8",
        {"loss": 0.9, "loss2": 0.8},
    ),
    "beside a count": ("print(len(x))\nprint(accuracy_score(y, p))", "150\n0.9", {"accuracy": 0.9}),
    "beside a line with text": ("print('of all', a)\nprint(loss)", "of all x\n0.9", {"loss": 0.9}),
    "below a matrix": (
        "print(confusion_matrix(y, p))\nprint(accuracy_score(y, p))",
        "[[1 0]\n[0 1]]\n0.9",
        {"accuracy": 0.9},
    ),
    "the mean of a column": ("print(np.mean(cv['test_score']))", "0.9", {"test_score": 0.9}),
    "above a prediction": ("print(m.score(X, y))\nguess = m.predict(z)\nprint(guess)", "0.9\n['ham']", {"score": 0.9}),
    "beside the scores of folds": (
        "print(m.score(X, y))\ns = cross_val_score(m, X, y)\nprint(s)\nprint(s.mean())",
        "0.9\n[0.7 0.8]\n0.75",
        {"score": 0.9, "cross_val_score": 0.75},
    ),
    "a grid's": ("print(grid.best_score_)\nprint(grid.best_params_)", "0.9\n{'C': 1}", {"best_score_": 0.9}),
    "per cent by hand": ("print(round(m.score(X, y) * 100, 2))", "81.59", {"score": 0.8159}),
    "a share in per cent": ("print(correct / total * 100)", "90.0", {"accuracy": 0.9}),
    "a share": ("print(correct / len(y))", "0.9", {"accuracy": 0.9}),
    "in brackets": ("print(accuracy_score(y, p))", "[0.9]", {"accuracy": 0.9}),
    "in main": (
        "def main():\n    print(accuracy_score(y, p))\nif __name__ == '__main__':\n    main()",
        "0.9",
        {"accuracy": 0.9},
    ),
}
NOT_NAMED = {
    "a loop": ("for m in models:\n    print(accuracy_score(y, p))", "0.9"),
    "a prediction that is a number": ("print(accuracy_score(y, p))\nprint(m.predict(z))", "0.9\n[1]"),
    "a table below it": ("print(accuracy_score(y, p))\nprint(frame)", "0.9\na b\n1 2"),
    "a number of a library": ("print(accuracy_score(y, p))", "0.9\n12\nend"),
    "a print that may not come": ("if x:\n    print(accuracy_score(y, p))\nhelper.go()", "42.0"),
    "an exit before the last": (
        "print(accuracy_score(y, p))\nif x:\n    sys.exit()\nprint(roc_auc_score(y, p))",
        "0.9",
    ),
    "a return before the last": (
        "def main():\n    print(accuracy_score(y, p))\n    if x:\n        return\n    print(loss)\nmain()",
        "0.9",
    ),
    "a choice": ("if x:\n    print(accuracy_score(y, p))\nelse:\n    print(loss)", "0.9"),
    "the same twice": ("print(accuracy_score(y, p))\nprint(accuracy_score(z, q))", "0.9\n0.8"),
    "two functions": ("def a():\n    print(acc)\ndef b():\n    print(loss)\nb()\na()", "0.9\n0.8"),
    "a function that is called twice": ("def a():\n    print(acc)\na()\na()", "0.9\n0.8"),
    "a function in a loop": ("def a():\n    print(acc)\nfor i in x:\n    a()", "0.9"),
    "ten times": ("print(accuracy_score(y, p) * 10)", "9.0"),
    "no measurement": ("print(time.time() - start)", "3.2"),
    "no Python": ("print accuracy", "0.9"),
}


def read(folder: Path, source: str, log: str) -> dict[str, float]:
    (folder / "x.py").write_text(source)
    lines = dict(enumerate(log.splitlines(), 1))
    return {name: float(value) for name, value, _ in named_numbers(folder / "x.py", lines, len(lines))}


@pytest.mark.parametrize(("source", "log", "expected"), NAMED.values(), ids=NAMED)
def test_a_number_has_the_name_of_what_prints_it(
    tmp_path: Path, source: str, log: str, expected: dict[str, float]
) -> None:
    assert read(tmp_path, source, log) == expected


@pytest.mark.parametrize(("source", "log"), NOT_NAMED.values(), ids=NOT_NAMED)
def test_a_number_that_something_else_may_have_printed_is_left_out(tmp_path: Path, source: str, log: str) -> None:
    assert read(tmp_path, source, log) == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("for t in range(2):\n    loss = f(y)\n    print(t, loss.item())", {"loss": 0.25}),
        ("for t in range(2):\n    print(t, mean_squared_error(y, p))", {"mean_squared_error": 0.25}),
        ("for t in range(2):\n    print(t, loss)\nprint(3, other)", {}),
        ("for t in range(2):\n    print(seconds, loss)", {}),
        ("for t in range(2):\n    print(t, weight)", {}),
    ],
)
def test_the_last_number_behind_a_count_is_what_the_only_print_in_a_loop_says(
    tmp_path: Path, source: str, expected: dict[str, float]
) -> None:
    (tmp_path / "x.py").write_text(source)
    assert read(tmp_path, source, "498 0.5\n499 2.5e-1") == expected
    assert read(tmp_path, source, "499 of 0.25") == {}
