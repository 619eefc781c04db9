"""Summarises the people behind a model for its card: each predictor over all rows and for each class."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pytest_training.evaluation.description import LONGEST, MOST_PREDICTORS, Description, Predictor
from pytest_training.evaluation.stated import order_mistake
from pytest_training.text import one_line
from pytest_training.wording import one_of

MOST_LEVELS = 4  # values of a category that are named
MOST_RELIED_ON = 20
FEWEST = 5  # rows with a value of a category that is named if there are more than a few
LONGEST_LEVEL = 40  # characters
DATE = r"\d{4}-\d\d(-\d\d)?([ T].*)?"
Mask = NDArray[np.bool_]


def describe(so_far: Description, features: Any, target: Any, stated: Mapping[str, Any]) -> Description:
    """Return the description with what a further call states; raise ValueError if it does not fit."""
    fields = {name: value for name, value in stated.items() if value is not None}
    table = {name: fields.pop(name) for name in ("person", "units", "known") if name in fields}
    fields |= summarise(features, target, classes=fields.pop("classes", ()), **table)
    if "model" in fields:
        fields |= model_words(fields["model"])
    if "relies_on" in fields:
        finite = {str(name): float(fall) for name, fall in fields["relies_on"].items() if math.isfinite(fall)}
        fields["relies_on"] = dict(sorted(finite.items(), key=lambda pair: -pair[1])[:MOST_RELIED_ON])
    if "method" in fields:
        fields["method"] = inspect.cleandoc(fields["method"])[:LONGEST]
    if "left_out" in fields:
        fields["left_out"] = {str(reason): int(rows) for reason, rows in fields["left_out"].items()}
    try:
        return msgspec.convert(msgspec.to_builtins(so_far) | fields, Description)
    except msgspec.ValidationError as error:
        raise ValueError(f"run.describe: {error}") from None


def summarise(  # noqa: PLR0913  (each is one thing that a job may state)
    features: Any = None,
    target: Any = None,
    *,
    classes: Sequence[str] = (),
    person: Any = None,
    units: Mapping[str, str] | None = None,
    known: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the fields of a Description that a table and its outcome decide; raise ValueError if they disagree."""
    table = None if features is None else _table(features)
    lengths = {"features": table, "target": target, "person": person}
    if mistake := order_mistake(features=features, target=target, person=person):
        raise ValueError(f"run.describe: {mistake}")
    rows = {name: len(values) for name, values in lengths.items() if values is not None}
    if len(set(rows.values())) > 1:
        stated = ", ".join(f"{name} {length}" for name, length in rows.items())
        raise ValueError(f"run.describe: expected the same number of rows, found {stated}")
    if rows and not (max(rows.values()) and (table is None or table.shape[1])):
        shape = f"{max(rows.values())} rows and {0 if table is None else table.shape[1]} columns"
        raise ValueError(f"run.describe: expected rows to describe, found {shape}")
    fields: dict[str, Any] = dict.fromkeys(("rows", "people"), max(rows.values())) if rows else {}
    if person is not None:
        fields["people"] = len(pd.unique(pd.Series(np.asarray(person))))
    masks: list[Mask] = []
    if target is not None:
        masks, fields = _outcome(pd.Series(np.asarray(target)), classes, fields)
    if table is not None:
        for what, names in (("units", units or {}), ("known", map(str, known))):
            for name in (name for name in names if name not in table.columns):
                named = one_of(name, list(table.columns))
                raise ValueError(f"run.describe: {what} has {name!r}, which is no column: {named}")
        predictors = tuple(_predictors(table.iloc[:, :MOST_PREDICTORS], masks, units or {}))
        fields |= {"columns": table.shape[1], "predictors": predictors}
    return fields


def _table(features: Any) -> pd.DataFrame:
    try:
        return pd.DataFrame(features.to_pandas() if hasattr(features, "to_pandas") else features).rename(columns=str)
    except ValueError as error:
        raise ValueError(f"run.describe: expected a table of predictors; {error}") from None


def _outcome(
    target: pd.Series[Any], classes: Sequence[str], fields: dict[str, Any]
) -> tuple[list[Mask], dict[str, Any]]:
    """Return the rows of each class, none where a number is predicted, and the fields that say how many."""
    present = target.dropna()
    if not classes and pd.api.types.is_numeric_dtype(target) and not present.isin([0, 1]).all():
        return [], {**fields, "outcome": _number_words(present.to_numpy(dtype=float), is_flag=False)}
    texts = present.astype(str).str.removesuffix(".0")
    named = tuple(map(str, classes)) or tuple(sorted(texts.unique()))
    numbers = {str(number): name for number, name in enumerate(named)}
    labels = texts if texts.isin(named).all() else texts.map(numbers)
    if labels.isna().any():
        value = next(text for text in texts if text not in named)
        raise ValueError(f"run.describe: target has {one_line(value, 40)!r}, expected one of {', '.join(named)}")
    masks = [(labels == name).reindex(target.index, fill_value=False).to_numpy(dtype=bool) for name in named]
    return masks, {**fields, "classes": named, "counts": tuple(int(mask.sum()) for mask in masks)}


def _predictors(table: pd.DataFrame, masks: list[Mask], units: Mapping[str, str]) -> Iterator[Predictor]:
    for place, name in enumerate(table.columns):
        column = table.iloc[:, place]
        missing = column.isna().to_numpy(dtype=bool)
        overall, *by_class = _words(column, missing, masks)
        yield Predictor(
            name=one_line(name, 200),
            unit=units.get(name, ""),
            missing=int(missing.sum()),
            overall=overall,
            by_class=tuple(by_class),
        )


def _words(column: pd.Series[Any], missing: Mask, masks: list[Mask]) -> list[str]:
    """Return the summary of a column, then that of the rows of each mask."""
    parts = [~missing, *(mask & ~missing for mask in masks)]
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        numbers = column.to_numpy(dtype=float, na_value=np.nan)
        is_flag = bool(((numbers == 0) | (numbers == 1) | missing).all())
        return [_number_words(numbers[part], is_flag=is_flag) for part in parts]
    texts = column.astype(str).to_numpy()
    present = pd.Series(texts[parts[0]], dtype=object)
    if len(present) and present.str.fullmatch(DATE).all():
        dates = (texts[part] for part in parts)  # months: a day would tell of a single person
        return [f"{min(each)[:7]} to {max(each)[:7]}" if len(each) else "no value" for each in dates]
    counts = present.value_counts()
    named = counts[counts >= FEWEST] if len(counts) > MOST_LEVELS else counts  # others would tell of single people
    return [_level_words(texts[part], list(map(str, named.index[:MOST_LEVELS]))) for part in parts]


def _number_words(numbers: NDArray[np.float64], *, is_flag: bool) -> str:
    """Return median and quartiles, or the share of those that are 1."""
    if not len(numbers):
        return "no value"
    if is_flag:
        return f"{numbers.mean():.0%} are 1"
    last = len(numbers) - 1
    low, middle, high = np.interp((0.25 * last, 0.5 * last, 0.75 * last), np.arange(last + 1), np.sort(numbers))
    return f"{middle:.4g} ({low:.4g} to {high:.4g})"


def _level_words(texts: NDArray[Any], levels: list[str]) -> str:
    if not len(texts):
        return "no value"
    shares = [f"{one_line(level, LONGEST_LEVEL)} {(texts == level).mean():.0%}" for level in levels]
    others = len({*texts} - {*levels})
    return ", ".join([*shares, f"{others} other{'s' * (others != 1)}"] if others else shares)


def model_words(model: Any) -> dict[str, Any]:
    """Return the fields that an estimator of scikit-learn, or a text, decides: its steps and the model at their end."""
    *steps, last = _steps(model)
    return {"preparation": tuple(map(_one_text, steps)), "model": _one_text(last)}


def _steps(model: Any) -> list[Any]:
    """Return the steps of a pipeline, also of pipelines in it, the model last."""
    return [part for _, step in getattr(model, "steps", ()) for part in _steps(step)] or [model]


def _one_text(step: Any) -> str:
    return one_line(step if isinstance(step, str) else repr(step), LONGEST)
