"""Bring what a job passes to `run.predictions` (lists, arrays, Series, labels) to checked arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_training.evaluation.stated import is_missing
from pytest_training.wording import listing

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Texts = NDArray[np.str_]
SUM = 1e-3  # by which risks of all classes may miss 1


@dataclass(frozen=True)
class Lines:
    """Brings a value for each row, or each line, to one for each line."""

    rows: int
    copies: int

    def __call__(self, what: str, values: ArrayLike) -> Texts:
        """Return the values as texts; raise ValueError if their number is wrong or one is missing."""
        array = plain(what, values)
        lines = self.rows * self.copies
        flat = np.tile(array, self.copies) if array.shape == (self.rows,) else array.reshape(-1)
        if len(flat) != lines:
            raise ValueError(f"{what} has the shape {array.shape}; expected a value for each of {lines} lines")
        require_all(what, flat)
        if flat.dtype.kind == "f" and np.all(flat == np.round(flat)):
            flat = flat.astype(np.int64)  # pandas makes 7.0 of an id 7 where another row had none
        return flat.astype(np.str_)


def unstacked(risks: Floats, rows: int, *, is_flat: bool) -> tuple[Floats, int]:
    """Return a line for each row and repeat, and the number of repeats that were stacked."""
    is_stacked = risks.ndim == 3 or (risks.ndim == 2 and len(risks) != rows == risks.shape[1])
    if is_stacked and is_flat:
        raise ValueError("score is repeats × rows, and repeat is stated too; expected one of them")
    copies = len(risks) if is_stacked else 1
    lines = risks.reshape(-1, *risks.shape[2:]) if is_stacked else risks
    if len(lines) != rows * copies:
        raise ValueError(f"score has {len(lines)} lines and truth {rows * copies}; expected as many")
    return lines, copies


def plain(what: str, values: Any) -> NDArray[Any]:
    """Return an array with None at masked places; raise ValueError if its rows have unequal lengths."""
    parts = values if isinstance(values, list | tuple) else [values]
    try:
        if any(isinstance(each, np.ma.MaskedArray) for each in parts):
            whole = isinstance(values, np.ma.MaskedArray)
            masked: Any = np.ma.array(values if whole else [None if each is np.ma.masked else each for each in values])
            return np.asarray(np.where(masked.mask, None, masked.data) if np.any(masked.mask) else masked.data)
        return np.asarray(values)
    except ValueError:
        raise ValueError(f"{what} has rows of unequal length; expected a value for each line") from None


def require_all(what: str, values: NDArray[Any]) -> None:
    """Raise ValueError if a value is missing."""
    if missing := int(np.isnat(values).sum()) if values.dtype.kind in "mM" else sum(map(is_missing, values.tolist())):
        raise ValueError(f"{what} is missing in {missing} of {len(values)} places; expected a value in each")


def whole_numbers(texts: Texts) -> Codes:
    """Return whole numbers: those that the texts say, else the texts' places in order."""
    try:
        return texts.astype(np.int64)
    except ValueError:
        return np.unique(texts, return_inverse=True)[1].astype(np.int64)


def numbers(what: str, values: ArrayLike) -> Floats:
    """Return finite numbers, one column as a row; raise ValueError if there is anything else."""
    array = plain(what, values)
    if array.dtype.kind not in "biufOSU":
        raise ValueError(f"{what} has values of the type {array.dtype}; expected real numbers")
    try:
        if array.dtype == object:
            flat = [np.nan if is_missing(each) else each for each in array.ravel().tolist()]
            array = np.array(flat, dtype=np.float64).reshape(array.shape)
        array = np.atleast_1d(array.astype(np.float64))
    except (TypeError, ValueError):
        raise ValueError(f"{what} has values that are no numbers; expected numbers alone") from None
    if wrong := int(np.sum(~np.isfinite(array))):
        raise ValueError(f"{what} is missing or infinite in {wrong} of {array.size} places; expected finite numbers")
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def stated_order(truth: Any, names: Sequence[str]) -> Sequence[str]:
    """Return the classes as the truth's categories order them, else as the columns of the score are named."""
    categories: Any = getattr(getattr(truth, "dtype", None), "categories", None)  # of pandas and polars
    return [_label(each) for each in categories.to_list()] if hasattr(categories, "to_list") else names


def column_names(score: Any, risks: Floats) -> list[str]:
    """Return the names of the score's columns, or of its only one; none if they merely count the columns."""
    part, *others = score if isinstance(score, list | tuple) else [score]
    own = getattr(part, "name", None)
    names = list(getattr(part, "columns", [own] if isinstance(own, str) else []))
    if any(hasattr(each, "columns") and list(each.columns) != names for each in others):
        raise ValueError("score has tables whose columns have other names, or another order; expected the same in each")
    columns = risks.shape[1] if risks.ndim == 2 else 1
    return [] if names == [*range(len(names))] or len(names) != columns else [_label(each) for each in names]


def in_order(risks: Floats, names: Sequence[str], labels: tuple[str, ...]) -> Floats:
    """Return the risks with their columns in the classes' order; raise ValueError if these have other names."""
    if not labels or not names:
        return risks
    if risks.ndim == 1:
        if names[0] in labels[:-1]:
            own, last = names[0], labels[-1]
            raise ValueError(f"score is the column {own!r}; expected the risk of {last!r}, the class named last")
        return risks
    if {*names} != {*labels}:
        raise ValueError(f"score has the columns {', '.join(names)}; expected a column for each of {', '.join(labels)}")
    return risks[:, [names.index(label) for label in labels]]


def classify(
    target: NDArray[Any], risks: Floats, classes: Sequence[str] | None, order: Sequence[str] = ()
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the target as class numbers with the classes' names, or as numbers with none.

    `order` has the classes as the data order them, and maybe others; it counts where no classes are stated.
    """
    values = sorted(set(target.tolist()), key=str) if target.dtype.kind in "OUS" else np.unique(target).tolist()
    columns = risks.shape[1] if risks.ndim == 2 else 2
    texts = {value: _label(value) for value in values}
    if classes is None and order:
        present = [each for each in order if each in texts.values()]
        classes = next((each for each in (order, present) if len(each) == columns), None)
    if _is_number(target, risks, values, classes):
        return numbers("truth", target), ()
    if classes is None:
        is_numbered = all(value in range(columns) for value in values)
        classes = [str(each) for each in range(columns)] if is_numbered else list(texts.values())
    labels = tuple(str(each) for each in classes)
    if len(labels) != columns or len(set(labels)) != columns:
        raise ValueError(f"truth has the classes {listing('class', labels)}, score is for {columns}; expected as many")
    places = {label: place for place, label in enumerate(labels)}
    if not set(texts.values()) <= set(labels) and all(value in range(columns) for value in values):
        places |= {str(place): place for place in range(columns)}
    if strange := [text for text in texts.values() if text not in places]:
        raise ValueError(f"truth has the value {strange[0]!r}; expected one of the classes {', '.join(labels)}")
    return np.array([places[texts[value]] for value in target.tolist()], dtype=np.int64), labels


def _label(value: Any) -> str:
    is_whole = isinstance(value, bool | np.bool_) or (isinstance(value, float) and value.is_integer())
    return str(int(value) if is_whole else value)


def _is_number(target: NDArray[Any], risks: Floats, values: list[Any], classes: Sequence[str] | None) -> bool:
    """Return whether the target is a number; raise ValueError if two whole numbers leave it open."""
    if classes is not None:
        return not len(classes)
    if risks.ndim != 1 or target.dtype.kind not in "iuf" or set(values) <= {0, 1}:
        return False
    if len(values) == 2 and all(float(value).is_integer() for value in values):
        first, second = map(_label, values)
        raise ValueError(
            f"truth has the values {first} and {second} alone; expected classes=({first!r}, {second!r}), "
            "the positive one last, or classes=() for a number"
        )
    return True


def risks_of_classes(risks: Floats, labels: tuple[str, ...]) -> Floats:
    """Return the risk of the second of two classes, or of each; raise ValueError if they are no risks."""
    if not labels:
        return risks
    if risks.min() < 0 or risks.max() > 1:
        more = "; a target of 0 and 1 that is a number: classes=()" if labels == ("0", "1") else ""
        raise ValueError(f"score has values from {risks.min():g} to {risks.max():g}; expected risks from 0 to 1{more}")
    if risks.ndim == 2 and np.abs(risks.sum(axis=1) - 1).max() > SUM:
        raise ValueError("score has rows whose risks do not sum to 1; expected a risk for each class")
    return risks[:, 1] if risks.ndim == 2 and len(labels) == 2 else risks
