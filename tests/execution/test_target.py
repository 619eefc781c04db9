"""Tests of `run.target`: the target as it is, or, in an audit, of other people."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_training.errors import DataError
from pytest_training.execution.attempt.run import Run

TARGETS = {
    "list": list(range(30)),
    "tuple": tuple(range(30)),
    "texts": [f"case {row}" for row in range(30)],
    "numpy": np.arange(30),
    "of texts": np.array([f"case {row}" for row in range(30)]),
    "two columns": np.arange(60).reshape(30, 2),
    "series": pd.Series(range(30), index=[f"row {row}" for row in range(30)], name="dead"),
    "categories": pd.Series([f"case {row}" for row in range(30)], dtype="category"),
    "frame": pd.DataFrame({"time": range(30), "dead": range(30)}),
}


def run(folder: Path = Path(), *, shuffle: int = 1, seed: int = 0) -> Run:
    return Run(folder=folder, shuffle=shuffle, seed=seed)


@pytest.mark.parametrize("kind", TARGETS)
def test_a_target_of_any_type_is_returned_as_it_is_or_shuffled_in_its_type(kind: str) -> None:
    values: Any = TARGETS[kind]
    assert run(shuffle=0).target(values) is values
    shuffled = run().target(values)
    assert type(shuffled) is type(values)
    assert getattr(shuffled, "dtype", None) is getattr(values, "dtype", None) or shuffled.dtype == values.dtype
    if hasattr(values, "index") and not isinstance(values, list | tuple):
        assert list(shuffled.index) == list(values.index)
    before, after = (np.asarray(each).tolist() for each in (values, shuffled))
    assert before != after
    assert sorted(before) == sorted(after)
    assert np.asarray(run().target(values)).tolist() == after
    assert np.asarray(run(shuffle=2).target(values)).tolist() != after
    assert np.asarray(run(seed=1).target(values)).tolist() != after


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_rows_of_a_person_get_the_sequence_of_one_other_person(people: list[int]) -> None:
    values = [(person, people[:row].count(person)) for row, person in enumerate(people)]
    shuffled = run().target(values, people)
    sizes = Counter(people)
    giver = {}
    for person in sizes:
        taken = [value for value, owner in zip(shuffled, people, strict=True) if owner == person]
        ((giver[person],), length) = {owner for owner, _ in taken}, sizes[taken[0][0]]
        assert [place for _, place in taken] == [place % length for place in range(sizes[person])]
    assert sorted(giver.values()) == sorted(giver)


def test_a_person_with_one_outcome_keeps_one() -> None:
    people = pd.Series(np.repeat(["a", "b", "c", "d"], [1, 2, 3, 4]))
    shuffled = run(shuffle=3).target(people.map({"a": 0, "b": 0, "c": 1, "d": 1}), people)
    assert shuffled.groupby(people).nunique().eq(1).all()


@pytest.mark.parametrize("shuffle", [0, 1])
@pytest.mark.parametrize(
    ("values", "person", "sentence"),
    [
        ([0, 1, 0], ["a", "b"], "expected one person for each of 3 values, found 2"),
        (pd.DataFrame({"time": [1, 2], "dead": [0, 1]}), [1], "expected one person for each of 2 values, found 1"),
        ([], None, "expected a value for each row, found []"),
        (np.zeros((0, 2)), None, "expected a value for each row, found array([]"),
        (1, None, "expected a value for each row, found 1"),
        (iter([0, 1]), None, "expected a value for each row, found <list_iterator"),
        ([0, None], None, "the target is missing in 1 of 2 rows"),
        (np.array([0, np.nan]), None, "the target is missing in 1 of 2 rows"),
        (np.ma.array([0, 1], mask=[True, False]), None, "the target is missing in 1 of 2 rows"),
        (pd.Series([0, None], dtype="Int64"), None, "the target is missing in 1 of 2 rows"),
        (pd.DataFrame({"time": [1, np.nan], "dead": [0, 1]}), None, "the target is missing in 1 of 2 rows"),
        ([0, 1], pd.Series(["a", None]), "person is missing in 1 of 2 rows"),
    ],
)
def test_a_target_that_is_none_is_an_error_in_every_training(
    values: Any, person: Any, sentence: str, shuffle: int
) -> None:
    with pytest.raises(DataError, match=f"^run.target: {re.escape(sentence)}"):
        run(shuffle=shuffle).target(values, person)


@pytest.mark.parametrize("values", [np.arange(30)[None], pd.DataFrame([range(30)]), [list(range(30))]])
def test_a_single_row_of_many_values_is_no_target(values: Any) -> None:
    with pytest.raises(DataError, match="expected a value for each row, found 1 row of 30 values"):
        run(shuffle=0).target(values)


@pytest.mark.parametrize("kind", [pd.Series, pd.DataFrame])
def test_people_in_another_order_than_the_target_are_refused(kind: Any) -> None:
    person = pd.Series(range(30))
    message = "the target and person have the same index in another order; expected one order"
    with pytest.raises(DataError, match=message):
        run().target(kind(range(30)), person[::-1])
    assert len(run().target(kind(range(30)), person[::-1].to_numpy())) == 30
