"""Shuffles a target: what still predicts it has seen what it must not see. No library: targets have many types."""

import random
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from pytest_training.errors import DataError


def shuffled(values: Any, person: Any = None, *, seed: str) -> Any:
    """Return the values in another order, in their own type; rows of a person get the sequence of another person."""
    rows = len(values)
    people = range(rows) if person is None else _plain(person)
    if len(people) != rows:
        raise DataError(f"run.target: expected one person for each of {rows} values, found {len(people)}")
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


def _plain(person: Any) -> Sequence[Hashable]:
    """Return the people as plain values: numbers of numpy and texts of pandas."""
    people: Sequence[Hashable] = person.tolist() if hasattr(person, "tolist") else list(person)
    return people


def _taken(values: Any, order: list[int]) -> Any:
    """Return the values at these positions, in the type and with the index of the values."""
    if hasattr(values, "iloc"):  # of pandas
        taken = values.iloc[order]
        taken.index = values.index
        return taken
    if isinstance(values, list | tuple):
        return type(values)(values[row] for row in order)
    return values[order]  # numpy, torch, polars
