"""Judge a record of predictions: every metric with its interval, beside a dummy's."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np

from pytest_training.evaluation import interval
from pytest_training.evaluation.comparison import gain
from pytest_training.evaluation.curves import drawings
from pytest_training.evaluation.metrics import BASELINES, dummy, figure, measures
from pytest_training.evaluation.record import Predictions
from pytest_training.evaluation.result import Evaluation, metrics_of
from pytest_training.evaluation.subgroups import subgroups
from pytest_training.wording import printable


def evaluate(record: Predictions, against: Predictions | None = None) -> Evaluation:
    """Return every metric of a record, the headline first, each with its interval, beside those of a dummy."""
    all_measures = measures(record)
    metrics = interval.measured(record, all_measures)
    metrics |= {"cutoff": record.cutoff} if record.question == "binary" else {}
    constant = dummy(record)
    for name in BASELINES[record.question]:
        with suppress(ZeroDivisionError):
            metrics[f"baseline_{name}"] = figure(constant, all_measures[name]).value
    metrics |= gain(record, against) if against else {}
    groups = subgroups(record)
    metrics |= metrics_of(groups)
    prefix = f"{record.name}_" if record.name else ""
    people, repeats = record.people[1], record.repeats
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
        method=interval.method(record.folds, len(repeats), people, is_number=not record.classes) + positive(record),
        drawings=drawings(record),
        subgroups=groups,
        metrics={prefix + name: value for name, value in metrics.items() if math.isfinite(value)},
    )


def positive(record: Predictions) -> str:
    """Name the positive class, to whom risks belong, unless it is 1."""
    is_plain = record.question != "binary" or record.classes == ("0", "1")
    return "" if is_plain else f"; positive class: {printable(record.classes[1], 60)}"
