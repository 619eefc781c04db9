"""One record of predictions: who was predicted what, by which of the models; it is checked, written and read here.

Lines are flat: one for each row of the table and each repeat of the folds.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_training import atomic
from pytest_training.evaluation import columns
from pytest_training.evaluation.columns import Codes, Floats, Lines, Texts, whole_numbers
from pytest_training.evaluation.result import Question, file_name
from pytest_training.evaluation.stated import order_mistake
from pytest_training.units import number
from pytest_training.wording import safe_repr

MOST_LINES = 200_000  # of predictions.csv, about 10 MB
MOST_VALUES = 8  # of a subgroup's column; numbers that have more are cut into three parts, of texts the rest is "other"


@dataclass(frozen=True, eq=False)
class Predictions:
    """What models predicted for rows that they were not fitted on; a line for each row and repeat."""

    truth: NDArray[Any]  # the class's number, or the number itself
    score: Floats  # the positive class's risk, each class's risk (lines × classes), or the number
    row: Codes
    person: Texts  # rows without a person are people of their own
    fold: Codes
    repeat: Codes
    classes: tuple[str, ...] = ()
    subgroup: dict[str, Texts] = field(default_factory=dict)
    cutoff: float = 0.5
    name: str = ""

    @property
    def question(self) -> Question:
        """The kind of prediction: one of two classes, one of several, or a number."""
        return "classes" if len(self.classes) > 2 else "binary" if self.classes else "number"

    @cached_property
    def people(self) -> tuple[Codes, int]:
        """Each line's number of its person, and how many people there are."""
        persons, codes = np.unique(self.person, return_inverse=True)
        return codes.astype(np.int64), len(persons)

    @cached_property
    def events(self) -> int | None:
        """How many people have the event in a row, or in several; None unless there are two classes."""
        lines = self.repeats[0][self.truth[self.repeats[0]] == 1]
        return len(np.unique(self.people[0][lines])) if self.question == "binary" else None

    @cached_property
    def repeats(self) -> list[Codes]:
        """The lines of each repeat."""
        return [np.flatnonzero(self.repeat == each) for each in np.unique(self.repeat)]

    @cached_property
    def freedom(self) -> int:
        """The people of the rarest class, less one, or all people if the target is a number."""
        codes = self.people[0]
        groups = [codes[self.truth == label] for label in np.unique(self.truth)] if self.classes else [codes]
        return max(min(len(np.unique(group)) for group in groups) - 1, 1)

    @cached_property
    def folds(self) -> int:
        """The number of models of a repeat."""
        return max(len(np.unique(self.fold[lines])) for lines in self.repeats)

    def replaced(self, **fields: Any) -> Predictions:
        """Return the record with other values in some fields."""
        return replace(self, **fields)

    def take(self, lines: NDArray[Any]) -> Predictions:
        """Return the record of some of the lines."""
        own = {name: getattr(self, name)[lines] for name in ("truth", "score", "row", "person", "fold", "repeat")}
        return replace(self, **own, subgroup={name: values[lines] for name, values in self.subgroup.items()})


def parts(record: Predictions) -> dict[tuple[str, str], Predictions]:
    """Return the record of each subgroup, by column and value."""
    return {
        (column, name): record.take(np.flatnonzero(names == name))
        for column, values in record.subgroup.items()
        for names in [_named(values)]
        for name in dict.fromkeys(names[np.argsort(_rank(values), kind="stable")].tolist())
    }


def _named(values: Texts) -> NDArray[np.str_]:
    """Return the name of each line's subgroup."""
    different, counts = np.unique(values, return_counts=True)
    if len(different) <= MOST_VALUES:
        return values
    with suppress(ValueError):
        numbers = values.astype(np.float64)
        low, high = np.quantile(numbers, [1 / 3, 2 / 3])
        names = [f"up to {number(low)}", f"{number(low)} to {number(high)}", f"over {number(high)}"]
        return np.array(names)[np.searchsorted([low, high], numbers)]
    frequent = different[np.argsort(-counts, kind="stable")[: MOST_VALUES - 1]]
    return np.where(np.isin(values, frequent), values, "other")


def _rank(values: Texts) -> NDArray[np.generic]:
    """Return what orders the subgroups: numbers by size, texts by the alphabet."""
    try:
        return values.astype(np.float64)
    except ValueError:
        return values


def is_constant(truth: NDArray[Any]) -> bool:
    """Return whether numbers are equal, but for the last digits of floats."""
    return bool(np.ptp(truth) <= 8 * np.finfo(np.float64).eps * np.abs(truth).max())


def make(  # noqa: PLR0913  (each is one thing that a job may state)
    truth: ArrayLike,
    score: ArrayLike,
    *,
    person: ArrayLike | None = None,
    fold: ArrayLike | None = None,
    repeat: ArrayLike | None = None,
    subgroup: Any = None,
    classes: Sequence[str] | None = None,
    cutoff: float = 0.5,
    name: str = "",
    row: ArrayLike | None = None,
) -> Predictions:
    """Return a checked record; raise ValueError with a sentence about what is wrong.

    `score` has a line for each of `truth`, else it is repeats × rows (× classes); `truth`, `person`, `row` and
    `subgroup` are then those of one repeat, `fold` of one or of all.
    """
    stated = {"person": person, "fold": fold, "repeat": repeat, "row": row, "subgroup": subgroup}
    if mistake := order_mistake(truth=truth, score=score, **stated):
        raise ValueError(mistake)
    target, risks = _target(truth), columns.numbers("score", score)
    risks, copies = columns.unstacked(risks, len(target), is_flat=repeat is not None)
    lines = len(risks)
    _check_settings(cutoff, name, classes)
    texts, names = Lines(len(target), copies), columns.column_names(score, risks)
    truth_lines, labels = columns.classify(target, risks, classes, columns.stated_order(truth, names))
    rows = whole_numbers(texts("row", row)) if row is not None else np.tile(np.arange(len(target)), copies)
    made = Predictions(
        truth=np.tile(truth_lines, copies),
        score=columns.risks_of_classes(columns.in_order(risks, names, labels), labels),
        row=rows,
        person=texts("person", person) if person is not None else rows.astype(np.str_),
        fold=whole_numbers(texts("fold", fold)) if fold is not None else np.zeros(lines, dtype=np.int64),
        repeat=np.repeat(np.arange(copies), texts.rows) if repeat is None else whole_numbers(texts("repeat", repeat)),
        classes=labels,
        subgroup={each: texts(f"subgroup[{each!r}]", values) for each, values in _columns(subgroup)},
        cutoff=cutoff,
        name=name,
    )
    return _checked(_with_rows(made) if row is None and repeat is not None else made)


def _target(truth: ArrayLike) -> NDArray[Any]:
    """Return a row's outcome each, booleans as 0 and 1."""
    target = columns.plain("truth", truth)
    if target.ndim != 1 or not len(target):
        raise ValueError(f"truth has the shape {target.shape}; expected one value a row")
    columns.require_all("truth", target)
    return target.astype(np.int64) if target.dtype == bool else target


def _check_settings(cutoff: Any, name: Any, classes: Any) -> None:
    is_number = isinstance(cutoff, Real)
    if not is_number or not 0 < cutoff < 1:
        stated = cutoff if is_number else safe_repr(cutoff)
        raise ValueError(f"cutoff is {stated}; expected a risk above 0 and below 1")
    if not isinstance(name, str) or (name and not name.isidentifier()):
        raise ValueError(f"name is {name!r}; expected a word of letters, digits and _")
    if classes is not None and (isinstance(classes, str) or not isinstance(classes, Iterable)):
        raise ValueError(f"classes is {safe_repr(classes)}; expected a list of names, the positive one last")


def _columns(subgroup: Any) -> Iterator[tuple[str, Any]]:
    """Yield the columns of a mapping or a table by name."""
    names = () if subgroup is None else getattr(subgroup, "columns", subgroup)
    if subgroup is not None and not isinstance(subgroup, Mapping) and names is subgroup:
        raise ValueError(f"subgroup is {safe_repr(subgroup)}; expected columns by name: {{'sex': sex}}, or a table")
    yield from ((str(name), subgroup[name]) for name in names)


def _with_rows(made: Predictions) -> Predictions:
    """Count the rows of each repeat; raise ValueError if repeats have other rows, or another order."""
    row = np.empty(len(made.row), dtype=np.int64)
    first, *others = made.repeats
    for lines in (first, *others):
        row[lines] = np.arange(len(lines))
    is_own = np.array_equal(made.person, made.row.astype(np.str_))
    for lines in others:
        same = len(lines) == len(first) and np.array_equal(made.truth[lines], made.truth[first])
        if not same or not (is_own or np.array_equal(made.person[lines], made.person[first])):
            raise ValueError(
                "the repeats have different rows, or rows in another order; expected row=, each line's row"
            )
    return replace(made, row=row, person=row.astype(np.str_) if is_own else made.person)


def _checked(made: Predictions) -> Predictions:
    if is_constant(made.truth):
        if not made.classes:
            raise ValueError(f"truth is {made.truth[0]:g} in all {len(made.truth)} lines; expected numbers that differ")
        raise ValueError(f"truth has the class {made.classes[int(made.truth[0])]!r} alone; expected several classes")
    pairs = made.repeat.astype(np.int64) * (int(made.row.max()) + 1) + made.row
    if len(np.unique(pairs)) < len(pairs):
        raise ValueError("a row is predicted twice in one repeat; expected repeat=, the number of each line's repeat")
    return made


def write(record: Predictions, folder: Path, *, below: Path | None = None, most: int = MOST_LINES) -> Path:
    """Write predictions.csv, of a very long record as many whole repeats as fit, else its first lines."""
    path = folder / file_name("predictions", record.name)
    if len(record.truth) > most:
        repeats = max(1, most // max(map(len, record.repeats)))
        record = record.take(np.concatenate(record.repeats[:repeats])[:most])
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(_table(record))
    atomic.write_atomically(path, text.getvalue().encode(), below=below)
    return path


def _table(record: Predictions) -> Iterator[Sequence[Any]]:
    truth = [record.classes[code] for code in record.truth] if record.classes else record.truth.tolist()
    risks = np.array([1 - record.score, record.score]) if record.question == "binary" else record.score.T
    table: dict[str, Any] = {name: getattr(record, name) for name in ("row", "person", "repeat", "fold")}
    table |= {f"score_{label}": risk for label, risk in zip(record.classes, risks, strict=False)} or {"score": risks}
    table |= {f"subgroup_{name}": values for name, values in record.subgroup.items()}
    yield ["truth", *table]
    yield from zip(truth, *(values.tolist() for values in table.values()), strict=True)


def read(path: Path, *, cutoff: float = 0.5) -> Predictions:
    """Return the record in a file that `write` has left; raise ValueError if it holds no record."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = [*csv.reader(file)] or [[]]
    if header[:1] != ["truth"] or not rows:
        raise ValueError(f"{path}: expected a record of predictions, with a header that begins with truth")
    table = dict(zip(header, map(np.array, zip(*rows, strict=True)), strict=True))
    scores = {name: values.astype(np.float64) for name, values in table.items() if name.startswith("score")}
    labels = tuple(name.removeprefix("score_") for name in scores if name != "score")
    stacked = np.column_stack([*scores.values()])
    return make(
        table["truth"] if labels else table["truth"].astype(np.float64),
        stacked if len(scores) > 1 else stacked[:, 0],
        **{name: table[name] for name in ("row", "person", "repeat", "fold")},
        subgroup={name.removeprefix("subgroup_"): table[name] for name in table if name.startswith("subgroup_")},
        classes=labels,
        cutoff=cutoff,
        name=path.stem.removeprefix("predictions").removeprefix("_"),
    )
