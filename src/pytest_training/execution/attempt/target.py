"""Shuffles a target: a model that still predicts it has seen it. No library: targets have many types."""

import random
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from pytest_training.errors import DataError
from pytest_training.evaluation.stated import is_missing, order_mistake
from pytest_training.wording import safe_repr


def check(values: Any, person: Any = None) -> None:
    """Raise DataError if a target has no values, or lacks some, or if its people are of other rows."""
    try:
        rows = len(values)
    except TypeError:
        raise DataError(f"run.target: expected a value for each row, found {safe_repr(values)}") from None
    people = range(rows) if person is None else _plain(person)
    if mistake := order_mistake(**{"the target": values, "person": person}):
        raise DataError(f"run.target: {mistake}")
    if not rows:
        raise DataError(f"run.target: expected a value for each row, found {safe_repr(values)}")
    if len(people) != rows:
        raise DataError(f"run.target: expected one person for each of {rows} values, found {len(people)}")
    plain = _plain(values)
    if rows == 1 and (size := len(plain[0] if isinstance(plain[0], list) else plain)) > 1:
        raise DataError(f"run.target: expected a value for each row, found 1 row of {size} values")
    for what, each in (("the target", plain), ("person", people)):
        if missing := sum(map(is_missing, each)):
            raise DataError(f"run.target: {what} is missing in {missing} of {rows} rows; expected a value in each")


def shuffled(values: Any, person: Any = None, *, seed: str) -> Any:
    """Return the values in another order, in their own type; rows of a person get the sequence of another person."""
    people = range(len(values)) if person is None else _plain(person)
    return _taken(values, new_order(people, random.Random(seed)))  # noqa: S311  (nothing here is secret)


def new_order(people: Iterable[Hashable], generator: random.Random) -> list[int]:
    """Return for each row the row whose value it gets.

    A longer sequence is cut, a shorter one begins again: a person with one value in all rows has one afterwards too.
    """
    rows_of: dict[Hashable, list[int]] = {}
    for row, person in enumerate(people):
        rows_of.setdefault(person, []).append(row)
    sequences = list(rows_of.values())
    generator.shuffle(sequences)
    taken = {
        row: other[i % len(other)]
        for own, other in zip(rows_of.values(), sequences, strict=True)
        for i, row in enumerate(own)
    }
    return [taken[row] for row in range(len(taken))]


def _plain(values: Any) -> Sequence[Hashable]:
    """Return plain values, of a table row by row: numbers of numpy and texts of pandas."""
    if getattr(values, "ndim", 1) != 1 or not hasattr(values, "tolist"):
        values = values.to_numpy() if hasattr(values, "to_numpy") else values
        values = values.ravel() if hasattr(values, "ravel") else values
    plain: Sequence[Hashable] = values.tolist() if hasattr(values, "tolist") else list(values)
    return plain


def _taken(values: Any, order: list[int]) -> Any:
    """Return the values at these positions, in the type and with the index of the values."""
    if hasattr(values, "iloc"):  # of pandas
        taken = values.iloc[order]
        taken.index = values.index
        return taken
    if isinstance(values, list | tuple):
        return type(values)(values[row] for row in order)
    return values[order]  # numpy, torch, polars
