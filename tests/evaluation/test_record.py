"""Tests of evaluation/record.py: what a job may state, what is refused, and that a file gives the record back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import records as samples

from pytest_training.evaluation import record
from pytest_training.evaluation.judge import evaluate
from pytest_training.evaluation.record import Predictions

TRUTH = [0, 1, 1, 0, 1, 0]
RISKS = [0.1, 0.9, 0.4, 0.2, 0.7, 0.6]


def is_equal(one: Predictions, other: Predictions) -> bool:
    names = ("truth", "score", "row", "person", "fold", "repeat")
    return (
        all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
        and all(getattr(one, name) == getattr(other, name) for name in ("classes", "cutoff", "name"))
        and one.subgroup.keys() == other.subgroup.keys()
        and all(np.array_equal(one.subgroup[name], other.subgroup[name]) for name in one.subgroup)
    )


@pytest.mark.parametrize(
    ("truth", "score", "stated", "classes"),
    [
        (TRUTH, RISKS, {}, ("0", "1")),
        (np.array(TRUTH, dtype=bool), np.array(RISKS), {}, ("0", "1")),
        (pd.Series(TRUTH, dtype=float), pd.Series(RISKS), {}, ("0", "1")),
        ([["no", "yes"][each] for each in TRUTH], RISKS, {}, ("no", "yes")),
        (pd.Series(["no", "yes"]).take(TRUTH).astype("category"), RISKS, {}, ("no", "yes")),
        (TRUTH, RISKS, {"classes": ["healthy", "ill"]}, ("healthy", "ill")),
        (["ill" if each else "healthy" for each in TRUTH], RISKS, {"classes": ["healthy", "ill"]}, ("healthy", "ill")),
        ([each + 1 for each in TRUTH], [[1 - each, each] for each in RISKS], {}, ("1", "2")),
        (TRUTH, [[each] for each in RISKS], {}, ("0", "1")),
        (TRUTH, [RISKS] * 4, {}, ("0", "1")),
        (TRUTH, RISKS, {"classes": ()}, ()),
        ([0.5, 2, 3, 1, 7, 4], RISKS, {}, ()),
        ([0, 1, 2, 0, 1, 2], np.full((6, 3), 1 / 3), {}, ("0", "1", "2")),
    ],
)
def test_targets_of_every_kind_are_taken(truth: Any, score: Any, stated: dict[str, Any], classes: tuple[str]) -> None:
    made = record.make(truth, score, **stated)
    assert made.classes == classes
    if len(classes) == 2:
        assert made.truth[:6].tolist() == TRUTH
        assert made.score[:6].tolist() == RISKS


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"truth": [[0], [1]]}, "truth has the shape (2, 1); expected one value a row"),
        ({"truth": []}, "truth has the shape (0,)"),
        ({"truth": [0, 1, None, 0, 1, 0]}, "truth is missing in 1 of 6 places"),
        ({"truth": [0, 1, np.nan, 0, 1, 0]}, "truth is missing in 1 of 6 places"),
        ({"truth": ["no", "yes", "Yes", "no", "yes", "no"]}, "expected as many"),
        ({"truth": [1] * 6}, "truth has the class '1' alone; expected several classes"),
        ({"truth": ["b"] * 6, "score": [[0.1, 0.8, 0.1]] * 6, "classes": list("abc")}, "truth has the class 'b' alone"),
        ({"truth": [3.7] * 6}, "truth is 3.7 in all 6 lines; expected numbers that differ"),
        ({"truth": [1, 1, 1, 1, 1, 1], "classes": ()}, "truth is 1 in all 6 lines"),
        ({"truth": [0.3, 0.1 + 0.2] * 3}, "truth is 0.3 in all 6 lines"),
        ({"score": RISKS[:5]}, "score has 5 lines and truth 6; expected as many"),
        ({"score": [*RISKS[:5], np.nan]}, "score is missing or infinite in 1 of 6 places"),
        ({"score": [*RISKS[:5], "high"]}, "score has values that are no numbers"),
        ({"score": [-3, *RISKS[:5]]}, "score has values from -3 to 0.9; expected risks from 0 to 1"),
        ({"score": [[0.2, 0.2]] * 6}, "score has rows whose risks do not sum to 1"),
        ({"classes": ["a", "b", "c"]}, "expected as many"),
        ({"classes": ["a", "b"], "truth": ["a", "b", "c", "a", "b", "a"]}, "truth has the value 'c'; expected one of"),
        ({"person": [1, 2]}, "person has the shape (2,); expected a value for each of 6 lines"),
        ({"person": [1, 2, 3, None, 5, 6]}, "person is missing in 1 of 6 places"),
        ({"subgroup": {"sex": ["f"]}}, "subgroup['sex'] has the shape (1,)"),
        ({"cutoff": 1}, "cutoff is 1; expected a risk above 0 and below 1"),
        ({"name": "a b"}, "name is 'a b'; expected a word"),
        ({"name": 3}, "name is 3; expected a word"),
        ({"cutoff": "0.5"}, "cutoff is '0.5'; expected a risk"),
        ({"classes": "ab"}, "classes is 'ab'; expected a list of names"),
        ({"classes": 3}, "classes is 3; expected a list of names"),
        ({"subgroup": np.arange(6)}, "subgroup is array([0, 1, 2, 3, 4, 5]); expected columns by name"),
        ({"subgroup": pd.Series(TRUTH)}, "expected columns by name: {'sex': sex}, or a table"),
        ({"truth": [[1], [1, 2]]}, "truth has rows of unequal length"),
        ({"score": 0.5}, "score has 1 lines and truth 6"),
        ({"score": np.array(RISKS) + 0j}, "score has values of the type complex128; expected real numbers"),
        ({"score": np.array(["2020"] * 6, dtype="M8[D]")}, "score has values of the type datetime64[D]"),
        ({"truth": [2 * each - 1 for each in TRUTH]}, "truth has the values -1 and 1 alone"),
        ({"score": pd.Series(RISKS, name="a"), "classes": ["a", "b"]}, "score is the column 'a'; expected the risk of"),
        (
            {"score": pd.DataFrame({"p": RISKS, "q": [1 - each for each in RISKS]}), "classes": ["a", "b"]},
            "score has the columns p, q; expected a column for each of a, b",
        ),
        (
            {"score": [pd.DataFrame([[0.5, 0.5]] * 6, columns=list(names)) for names in ("ab", "ba")]},
            "score has tables whose columns have other names",
        ),
        ({"row": [1, 2, 3, 4, 5, 5]}, "a row is predicted twice in one repeat"),
        ({"repeat": [0, 0, 0, 1, 1, 1]}, "the repeats have different rows, or rows in another order"),
        ({"score": [RISKS] * 2, "repeat": [0, 0, 0, 1, 1, 1]}, "score is repeats × rows, and repeat is stated too"),
    ],
)
def test_what_is_wrong_is_a_sentence(change: dict[str, Any], sentence: str) -> None:
    stated: dict[str, Any] = {"truth": TRUTH, "score": RISKS} | change
    with pytest.raises(ValueError, match=re.escape(sentence)):
        record.make(**stated)


@pytest.mark.parametrize("kind", [samples.binary, samples.classes, samples.numbers])
@pytest.mark.parametrize(
    "stated", [{}, {"person": np.arange(60) // 3, "subgroup": {"sex": ["f", "m"] * 30, "a,b\n": ['"', ""] * 30}}]
)
def test_a_record_is_read_back_equal(tmp_path: Path, kind: Any, stated: dict[str, Any]) -> None:
    made = kind(name="external", **stated)
    path = record.write(made, tmp_path)
    assert path.name == "predictions_external.csv"
    assert is_equal(record.read(path), made)


def test_of_a_very_long_record_whole_repeats_are_written(tmp_path: Path) -> None:
    made = samples.binary(60, repeats=3)
    assert is_equal(record.read(record.write(made, tmp_path, most=150)), made.take(np.arange(120)))
    assert is_equal(record.read(record.write(made, tmp_path, most=40)), made.take(np.arange(40)))


def test_ids_that_pandas_made_floats_are_the_same_people() -> None:
    made = record.make(TRUTH, RISKS, person=pd.Series([1.0, 1.0, 2.0, 2.0, 3.0, 3.0]))
    assert made.person.tolist() == ["1", "1", "2", "2", "3", "3"]
    assert made.people[1] == 3


MASK = [True, True, False, False, False, False]
LABELS = [["well", "ill"][each] for each in TRUTH]
LEVELS = ["low", "mid", "high"] * 2
RISKS_OF_LEVELS = np.full((6, 3), 0.1) + 0.7 * np.eye(3)[[0, 1, 2] * 2]


@pytest.mark.parametrize("order", [["low", "mid", "high"], ["high", "low", "mid"]])
@pytest.mark.parametrize(
    ("truth", "stated"),
    [
        (LEVELS, {}),
        (LEVELS, {"classes": ["low", "mid", "high"]}),
        (pd.Categorical(LEVELS, categories=["low", "mid", "high"], ordered=True), {}),
        (pd.Series(LEVELS, dtype="category"), {}),
    ],
)
@pytest.mark.parametrize("copies", [1, 2])
def test_columns_count_by_their_names(truth: Any, stated: Any, order: list[str], copies: int) -> None:
    table = pd.DataFrame(RISKS_OF_LEVELS, columns=["low", "mid", "high"])[order]
    made = record.make(truth, [table] * copies if copies > 1 else table, **stated)
    assert [made.classes[code] for code in made.truth] == LEVELS * copies
    assert [made.classes[place] for place in made.score.argmax(axis=1)] == LEVELS * copies


@pytest.mark.parametrize("positive", ["well", "ill"])
@pytest.mark.parametrize("kind", ["columns", "categories", "series of categories", "more categories", "both", "codes"])
def test_the_last_named_of_two_classes_is_positive_and_said(kind: str, positive: str) -> None:
    names = ["well", "ill"] if positive == "ill" else ["ill", "well"]
    risk = np.array(RISKS if positive == "ill" else [1 - each for each in RISKS])
    table = pd.DataFrame({names[0]: 1 - risk, names[1]: risk})
    stated: dict[str, dict[str, Any]] = {
        "columns": {"truth": LABELS, "score": table},
        "categories": {"truth": pd.Categorical(LABELS, categories=names), "score": risk},
        "series of categories": {"truth": pd.Series(LABELS).astype(pd.CategoricalDtype(names)), "score": risk},
        "more categories": {"truth": pd.Categorical(LABELS, categories=["dead", *names]), "score": risk},
        "both": {"truth": pd.Categorical(LABELS, categories=names), "score": table[names[::-1]]},
        "codes": {"truth": [names.index(each) for each in LABELS], "score": table},
    }
    made = record.make(**stated[kind])
    assert made.classes == tuple(names)
    assert [names[code] for code in made.truth] == LABELS
    assert made.score.tolist() == risk.tolist()
    assert evaluate(made).method.endswith(f"; positive class: {positive}")
    assert "positive" not in evaluate(record.make(TRUTH, RISKS)).method


@pytest.mark.parametrize("missing", ["masked", "masked in a list", "NA", "NaN", "None"])
@pytest.mark.parametrize("name", ["truth", "score", "person", "fold", "subgroup"])
def test_a_missing_value_of_any_kind_is_the_same_error(missing: str, name: str) -> None:
    values = RISKS if name == "score" else TRUTH
    made: Any = {
        "masked": np.ma.array(values, mask=MASK),
        "masked in a list": [np.ma.masked, np.ma.masked, *values[2:]],
        "NA": pd.array([None, None, *values[2:]]),
        "NaN": [np.nan, np.nan, *values[2:]],
        "None": [None, None, *values[2:]],
    }[missing]
    stated: dict[str, Any] = {"truth": TRUTH, "score": RISKS, name: {"sex": made} if name == "subgroup" else made}
    with pytest.raises(ValueError, match=r"is missing (or infinite )?in 2 of 6 places"):
        record.make(**stated)
    whole: Any = np.ma.array(values, mask=False)
    stated[name] = {"sex": whole} if name == "subgroup" else whole
    assert record.make(**stated).truth.tolist() == TRUTH


@pytest.mark.parametrize("shift", [1, 9, 1.0])
def test_two_whole_numbers_need_their_classes(shift: float) -> None:
    truth = np.array(TRUTH) + shift
    first, second = str(int(shift)), str(int(shift) + 1)
    with pytest.raises(ValueError, match=re.escape(f"expected classes=('{first}', '{second}'), the positive one last")):
        record.make(truth, RISKS)
    assert record.make(truth, RISKS, classes=(first, second)).truth.tolist() == TRUTH
    assert record.make(truth, RISKS, classes=()).question == "number"


def test_people_with_the_event_count_once() -> None:
    made = record.make(
        [0, 1, 1, 1, 0, 0], [RISKS] * 2, person=[1, 1, 2, 2, 3, 3], subgroup=pd.DataFrame({"site": list("aaaabb")})
    )
    evaluation = evaluate(made)
    assert (evaluation.people, evaluation.events) == (3, 2)
    assert [(each.value, each.people, each.events) for each in evaluation.subgroups] == [("a", 2, 2), ("b", 1, 0)]


ORDERED: dict[str, Any] = {
    "score": lambda rows: {"score": rows},
    "scores of repeats": lambda rows: {"score": [rows, rows]},
    "table": lambda rows: {"score": pd.DataFrame({"0": 1 - rows, "1": rows})},
    "person": lambda rows: {"person": rows},
    "fold": lambda rows: {"fold": rows},
    "subgroup": lambda rows: {"subgroup": {"site": rows}},
    "subgroups": lambda rows: {"subgroup": pd.DataFrame({"site": rows})},
}


@pytest.mark.parametrize("what", ORDERED)
def test_values_in_another_order_of_the_same_index_are_refused(what: str) -> None:
    truth, rows = pd.Series(TRUTH, index=list("abcdef")), pd.Series(RISKS, index=list("abcdef"))
    others: list[pd.Series[Any]] = [rows.reset_index(drop=True), rows.rename(lambda each: each + "2")]
    for same in (rows, *others):  # in order, or of an index of their own
        record.make(truth, **{"score": RISKS, **ORDERED[what](same)})
    with pytest.raises(ValueError, match=r"have the same index in another order; expected one order, or .* without an"):
        record.make(truth, **{"score": RISKS, **ORDERED[what](rows[::-1])})
