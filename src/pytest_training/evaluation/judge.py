"""Judge a record of predictions: every metric with its interval, beside a dummy's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np

from pytest_training.evaluation import interval
from pytest_training.evaluation.comparison import gain
from pytest_training.evaluation.curves import drawings
from pytest_training.evaluation.metrics import BASELINES, compared, dummy, figure, lines_of_folds, measures
from pytest_training.evaluation.record import Predictions, parts
from pytest_training.evaluation.result import Evaluation, Subgroup, metrics_of
from pytest_training.wording import counted, printable

FEWEST_PEOPLE = 10  # of a subgroup: below it the counts alone are shown, as an interval over fewer says nothing
CHOSEN = {
    "binary": ("roc_auc", "observed_expected", "brier"),
    "classes": ("roc_auc", "accuracy"),
    "number": ("r2", "mae"),
}
"""Metrics of a subgroup by question."""


def evaluate(record: Predictions, against: Predictions | None = None) -> Evaluation:
    """Return every metric of a record and the dummy's metrics, with intervals, the headline first."""
    all_measures = measures(record)
    metrics = interval.measured(record, all_measures)
    metrics |= {"cutoff": record.cutoff} if record.question == "binary" else {}
    constant, flat = dummy(record), record.replaced(score=np.zeros_like(record.score))
    for name in BASELINES[record.question]:
        with suppress(ZeroDivisionError):  # precision ranks the rows of all folds: the dummy's folds are no ranks
            own = flat if name == "average_precision" else constant
            metrics[f"baseline_{name}"] = figure(own, all_measures[name]).value
    metrics |= gain(record, against) if against else {}
    groups = tuple(_judged(column, value, own) for (column, value), own in parts(record).items())
    metrics |= metrics_of(groups)
    prefix = f"{record.name}_" if record.name else ""
    people, repeats, metrics = record.people[1], record.repeats, {prefix + name: each for name, each in metrics.items()}
    return Evaluation(
        question=record.question,
        name=record.name,
        classes=record.classes,
        rows=len(np.unique(record.row)),
        people=people,
        events=record.events,
        repeats=len(repeats),
        folds=record.folds,
        cutoff=record.cutoff if record.question == "binary" else None,
        method=_method(record, metrics, [prefix + name for name in all_measures]),
        drawings=drawings(record),
        subgroups=groups,
        metrics={name: value for name, value in metrics.items() if math.isfinite(value)},
    )


def _judged(column: str, value: str, own: Predictions) -> Subgroup:
    people = own.people[1]
    chosen = {each: measure for each, measure in measures(own).items() if each in CHOSEN[own.question]}
    return Subgroup(
        column=column,
        value=value,
        rows=len(own.repeats[0]),
        people=people,
        events=own.events,
        metrics=interval.measured(own, chosen) if people >= FEWEST_PEOPLE else {},
    )


def _method(record: Predictions, metrics: Mapping[str, float], names: Sequence[str]) -> str:
    """Say how the intervals come about, and which metrics have none, or are of a part of the rows."""
    people, prefix = record.people[1], f"{record.name}_" if record.name else ""
    bare = [name for name in (*names, f"{prefix}gain") if name in metrics and f"{name}_low" not in metrics]
    equal = [name for name in bare if name in names and interval.is_enough(record, name.removeprefix(prefix))]
    words = [interval.method(record.folds, len(record.repeats), people, is_number=not record.classes)]
    words = words if any(f"{name}_low" in metrics for name in names) else []
    if few := [name for name in bare if name not in equal]:
        of_class = f", and {interval.FEWEST_OF_CLASS} of each class that they compare" if record.classes else ""
        count = counted(people, "person", "people")
        words.append(f"no interval of {', '.join(few)}: {count}, expected {interval.FEWEST}{of_class}")
    if equal:
        words.append(f"no interval of {', '.join(equal)}: equal for all people")
    if record.question == "binary" and f"{prefix}calibration_slope" not in metrics:
        words.append(f"no {prefix}calibration_slope: the risks separate the classes completely")
    words.append(_part(record) if record.classes else "")
    is_named = record.question == "binary" and record.classes != ("0", "1")
    words += [f"positive class: {printable(record.classes[1], 60)}"] if is_named else []
    return "; ".join(filter(None, words))


def _part(record: Predictions) -> str:
    """Say of how many rows and folds the AUC is, if some folds lack a class."""
    lines, folds = compared(record), np.column_stack([record.repeat, record.fold])
    own, every = (len(np.unique(each, axis=0)) for each in (folds[lines], folds))
    if own < every:
        return f"the AUC is of {len(lines)} of {len(folds)} predictions, in {own} of {every} folds: others lack a class"
    each = (lines[fold] for lines in record.repeats for fold in lines_of_folds(record.fold[lines]))
    is_pooled = any(len(np.unique(record.truth[fold])) < 2 for fold in each)
    return "the AUC is over all folds together, for each lacks a class" if is_pooled else ""
