"""Bring what a job passes to `run.predictions` (lists, arrays, Series, labels) to checked arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
        array = np.asarray(values)
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


def require_all(what: str, values: NDArray[Any]) -> None:
    """Raise ValueError if a value is missing: None, NaN or NaT, of which the latter differ from themselves."""
    if missing := sum(each is None or bool(each != each) for each in values.tolist()):  # noqa: PLR0124  (see above)
        raise ValueError(f"{what} is missing in {missing} of {len(values)} places; expected a value in each")


def whole_numbers(texts: Texts) -> Codes:
    """Return whole numbers: those that the texts say, else the texts' places in order."""
    try:
        return texts.astype(np.int64)
    except ValueError:
        return np.unique(texts, return_inverse=True)[1].astype(np.int64)


def numbers(what: str, values: ArrayLike) -> Floats:
    """Return finite numbers, one column as a row; raise ValueError if there is anything else."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{what} has values that are no numbers; expected numbers alone") from None
    if wrong := int(np.sum(~np.isfinite(array))):
        raise ValueError(f"{what} is missing or infinite in {wrong} of {array.size} places; expected finite numbers")
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def classify(
    target: NDArray[Any], risks: Floats, classes: Sequence[str] | None
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the target as class numbers with the classes' names, or as numbers with none."""
    values = sorted(set(target.tolist()), key=str) if target.dtype.kind in "OUS" else np.unique(target).tolist()
    is_number = classes is None and risks.ndim == 1 and target.dtype.kind in "iuf" and not set(values) <= {0, 1}
    if (classes is not None and not len(classes)) or is_number:
        return numbers("truth", target), ()
    columns = risks.shape[1] if risks.ndim == 2 else 2
    if classes is None:
        is_numbered = all(value in range(columns) for value in values)
        classes = [str(each) for each in range(columns)] if is_numbered else [str(value) for value in values]
    labels = tuple(str(each) for each in classes)
    if len(labels) != columns or len(set(labels)) != columns:
        raise ValueError(f"truth has the classes {listing('class', labels)}, score is for {columns}; expected as many")
    places = {label: place for place, label in enumerate(labels)}
    texts = {
        value: str(int(value)) if isinstance(value, float) and value.is_integer() else str(value) for value in values
    }
    if not set(texts.values()) <= set(labels) and all(value in range(columns) for value in values):
        places |= {str(place): place for place in range(columns)}
    if strange := [text for text in texts.values() if text not in places]:
        raise ValueError(f"truth has the value {strange[0]!r}; expected one of the classes {', '.join(labels)}")
    return np.array([places[texts[value]] for value in target.tolist()], dtype=np.int64), labels


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
