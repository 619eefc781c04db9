"""Own what a model relies on: how much its headline metric falls when a block of columns is permuted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pytest_training.evaluation.metrics import macro_roc_auc, r2, roc_auc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from arrays import Floats
    from cohorts import Cohort

HEADLINE = {"binary": roc_auc, "classes": macro_roc_auc, "number": r2}
ROWS_AT_ONCE = 4000  # of permuted copies: small folds are permuted more often


def losses(predict: Callable[[pd.DataFrame], Floats], unseen: Cohort, seed: int) -> dict[str, float]:
    """Return the mean fall of the headline metric on held-out rows per permuted block.

    All permuted copies are predicted in one call: 130 single calls would take longer than the training.
    """
    blocks = unseen.blocks or {str(column): [column] for column in unseen.features}
    rows, random = np.arange(len(unseen)), np.random.default_rng(seed)
    copies = max(1, min(5, ROWS_AT_ONCE // len(rows), 60 // len(blocks)))
    variants = [(name, random.permutation(rows)) for name in blocks for _ in range(copies)]
    moved = {name: [order if block == name else rows for block, order in variants] for name in blocks}
    source = {column: np.concatenate(moved[name]) for name, columns in blocks.items() for column in columns}
    unmoved = np.tile(rows, len(variants))
    features = pd.DataFrame(
        {column: values.array.take(source.get(column, unmoved)) for column, values in unseen.features.items()}
    )
    one_fold, headline = np.zeros(len(rows), dtype=np.int64), HEADLINE[unseen.question]
    parts = [predict(unseen.features), *np.split(predict(features), len(variants))]
    try:
        whole, *values = [headline(unseen.target, part, one_fold).value for part in parts]
    except ZeroDivisionError:  # a fold of one class
        return {}
    return mean([{name: whole - value} for (name, _), value in zip(variants, values, strict=True)])


def mean(losses: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the mean by block, the largest first."""
    by_block: dict[str, list[float]] = {}
    for each in losses:
        for block, loss in each.items():
            by_block.setdefault(block, []).append(loss)
    return dict(sorted(((block, float(np.mean(of))) for block, of in by_block.items()), key=lambda pair: -pair[1]))
