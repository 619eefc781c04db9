"""Summarises the people behind a model for its card: each predictor over all rows and for each class."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pytest_training.evaluation.description import LONGEST, MOST_PREDICTORS, Description, Predictor
from pytest_training.text import one_line
from pytest_training.wording import one_of

MOST_LEVELS = 4  # values of a category that are named
MOST_RELIED_ON = 20
LONGEST_LEVEL = 40  # characters
Mask = NDArray[np.bool_]


def describe(so_far: Description, features: Any, target: Any, stated: Mapping[str, Any]) -> Description:
    """Return the description with what a further call states; raise ValueError if it does not fit."""
    fields = {name: value for name, value in stated.items() if value is not None}
    table = {name: fields.pop(name) for name in ("person", "units") if name in fields}
    fields |= summarise(features, target, classes=fields.pop("classes", ()), **table)
    if "model" in fields:
        fields |= model_words(fields["model"])
    if "relies_on" in fields:
        ordered = sorted(fields["relies_on"].items(), key=lambda pair: -float(pair[1]))
        fields["relies_on"] = {str(name): float(value) for name, value in ordered[:MOST_RELIED_ON]}
    if "method" in fields:
        fields["method"] = inspect.cleandoc(fields["method"])[:LONGEST]
    if "left_out" in fields:
        fields["left_out"] = {str(reason): int(rows) for reason, rows in fields["left_out"].items()}
    try:
        return msgspec.convert(msgspec.to_builtins(so_far) | fields, Description)
    except msgspec.ValidationError as error:
        raise ValueError(f"run.describe: {error}") from None


def summarise(
    features: Any = None,
    target: Any = None,
    *,
    classes: Sequence[str] = (),
    person: Any = None,
    units: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the fields of a Description that a table and its outcome decide; raise ValueError if they disagree."""
    table = None if features is None else pd.DataFrame(features).rename(columns=str)
    lengths = {"features": table, "target": target, "person": person}
    rows = {name: len(values) for name, values in lengths.items() if values is not None}
    if len(set(rows.values())) > 1:
        stated = ", ".join(f"{name} {length}" for name, length in rows.items())
        raise ValueError(f"run.describe: expected the same number of rows, found {stated}")
    fields: dict[str, Any] = {}
    if rows:
        fields = {"rows": max(rows.values()), "people": max(rows.values())}
    if person is not None:
        fields["people"] = len(pd.unique(pd.Series(np.asarray(person))))
    masks: list[Mask] = []
    if target is not None:
        masks, fields = _outcome(pd.Series(np.asarray(target)), classes, fields)
    if table is not None:
        for name in (name for name in units or {} if name not in table.columns):
            raise ValueError(
                f"run.describe: units has {name!r}, which is no column: {one_of(name, list(table.columns))}"
            )
        predictors = tuple(_predictors(table.iloc[:, :MOST_PREDICTORS], masks, units or {}))
        fields |= {"columns": table.shape[1], "predictors": predictors}
    return fields


def _outcome(
    target: pd.Series[Any], classes: Sequence[str], fields: dict[str, Any]
) -> tuple[list[Mask], dict[str, Any]]:
    """Return the rows of each class, none where a number is predicted, and the fields that say how many."""
    if not classes and pd.api.types.is_numeric_dtype(target) and not target.isin([0, 1]).all():
        return [], {**fields, "outcome": _words(target)}
    texts = target.astype(str).str.removesuffix(".0")
    named = tuple(map(str, classes)) or tuple(sorted(texts.unique()))
    numbers = {str(number): name for number, name in enumerate(named)}
    labels = texts if texts.isin(named).all() else texts.map(numbers)
    if labels.isna().any():
        value = next(text for text in texts if text not in named)
        raise ValueError(f"run.describe: target has {one_line(value, 40)!r}, expected one of {', '.join(named)}")
    masks = [(labels == name).to_numpy(dtype=bool) for name in named]
    return masks, {**fields, "classes": named, "counts": tuple(int(mask.sum()) for mask in masks)}


def _predictors(table: pd.DataFrame, masks: list[Mask], units: Mapping[str, str]) -> Iterator[Predictor]:
    for place, name in enumerate(table.columns):
        column = table.iloc[:, place]
        yield Predictor(
            name=one_line(name, 200),
            unit=units.get(name, ""),
            missing=int(column.isna().sum()),
            overall=_words(column),
            by_class=tuple(_words(column[mask]) for mask in masks),
        )


def _words(column: pd.Series[Any]) -> str:
    """Return median and quartiles of numbers, else the most frequent values with their shares."""
    present = column.dropna()
    if present.empty:
        return "no value"
    if pd.api.types.is_numeric_dtype(present) and not pd.api.types.is_bool_dtype(present):
        numbers = present.to_numpy(dtype=float)
        if not np.isin(numbers, (0.0, 1.0)).all():
            low, middle, high = np.quantile(numbers, (0.25, 0.5, 0.75))
            return f"{middle:.4g} ({low:.4g} to {high:.4g})"
        return f"{numbers.mean():.0%} are 1"
    shares = present.astype(str).value_counts(normalize=True)
    if len(shares) > max(MOST_LEVELS, len(present) // 2):
        return f"{len(shares)} different values"
    words = [f"{one_line(str(level), LONGEST_LEVEL)} {share:.0%}" for level, share in shares.head(MOST_LEVELS).items()]
    return ", ".join([*words, f"{len(shares) - MOST_LEVELS} others"] if len(shares) > MOST_LEVELS else words)


def model_words(model: Any) -> dict[str, Any]:
    """Return the fields that an estimator of scikit-learn, or a text, decides: its steps and the model at their end."""
    *steps, last = _steps(model)
    return {"preparation": tuple(map(_one_text, steps)), "model": _one_text(last)}


def _steps(model: Any) -> list[Any]:
    """Return the steps of a pipeline, also of pipelines in it, the model last."""
    parts = [part for _, step in getattr(model, "steps", ()) for part in _steps(step)]
    return parts or [model]


def _one_text(step: Any) -> str:
    return one_line(step if isinstance(step, str) else repr(step), LONGEST)
