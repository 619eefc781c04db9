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
        ({"truth": ["b"] * 6, "score": [[0.1, 0.8, 0.1]] * 6, "classes": "abc"}, "truth has the class 'b' alone"),
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
