"""Own what a model relies on: how much its headline metric falls when a block of columns is permuted."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from arrays import Floats, Rows
from cohorts import Cohort

from pytest_training.evaluation.metrics import macro_roc_auc, r2, roc_auc

Predict = Callable[[pd.DataFrame], Floats]
Blocks = Mapping[str, Sequence[Hashable]]
Variant = tuple[Sequence[Hashable], Rows]

HEADLINE = {"binary": roc_auc, "classes": macro_roc_auc, "number": r2}
ROWS_AT_ONCE = 4000  # of permuted copies: small folds are permuted more often
MOST_BLOCKS = 1000  # that are permuted one by one: of more, those that no prediction depends on are set aside first
PLAIN = ({np.dtype(np.float64)}, {np.dtype(np.float32)})
SMALLER = 5  # times is a group of blocks than that before
VALUES_AT_ONCE = 8_000_000  # in permuted copies: 64 MB


def losses(predict: Predict, unseen: Cohort, seed: int) -> dict[str, float]:
    """Return the mean fall of the headline metric on held-out rows per permuted block.

    Many permuted copies are predicted in one call: 130 single calls would take longer than the training.
    """
    blocks = unseen.blocks or {str(column): [column] for column in unseen.features}
    rows, random = np.arange(len(unseen)), np.random.default_rng(seed)
    copies = max(1, min(5, ROWS_AT_ONCE // len(rows), 60 // len(blocks)))
    unused = dict.fromkeys(blocks, 0.0)
    if len(blocks) > MOST_BLOCKS:
        blocks = {name: blocks[name] for name in _used(predict, unseen.features, blocks, random.permutation(rows))}
    variants = [(name, random.permutation(rows)) for name in blocks for _ in range(copies)]
    one_fold, headline = np.zeros(len(rows), dtype=np.int64), HEADLINE[unseen.question]
    chosen = [(blocks[name], order) for name, order in variants]
    parts = [predict(unseen.features), *_answers(predict, unseen.features, chosen)]
    try:
        whole, *values = [headline(unseen.target, part, one_fold).value for part in parts]
    except ZeroDivisionError:  # a fold of one class
        return {}
    return unused | mean([{name: whole - value} for (name, _), value in zip(variants, values, strict=True)])


def _used(predict: Predict, features: pd.DataFrame, blocks: Blocks, order: Rows) -> list[str]:
    """Return the blocks that change a prediction when they are permuted, found in groups that become smaller."""
    whole, names, size = predict(features), list(blocks), len(blocks)
    while size > 1:
        size = -(-size // SMALLER)
        groups = [names[start : start + size] for start in range(0, len(names), size)]
        variants = [([column for name in group for column in blocks[name]], order) for group in groups]
        answers = _answers(predict, features, variants)
        changed = [group for group, answer in zip(groups, answers, strict=True) if not np.array_equal(answer, whole)]
        names = [name for group in changed for name in group]
    return names


def _answers(predict: Predict, features: pd.DataFrame, variants: Sequence[Variant]) -> Iterator[Floats]:
    """Yield what is predicted of each permuted copy."""
    at_once = max(1, VALUES_AT_ONCE // features.size)
    for start in range(0, len(variants), at_once):
        part = variants[start : start + at_once]
        yield from np.split(predict(_permuted(features, part)), len(part))


def _permuted(features: pd.DataFrame, variants: Sequence[Variant]) -> pd.DataFrame:
    """Return copies of the features below one another, each with some columns in another order."""
    if {*features.dtypes} in PLAIN:  # of 10,000 columns, or 4,000 voxels, each by itself takes too long
        values = features.to_numpy()
        copies = np.tile(values, (len(variants), 1))
        for copy, (columns, order) in zip(np.split(copies, len(variants)), variants, strict=True):
            places = features.columns.get_indexer(pd.Index(columns))
            copy[:, places] = values[np.ix_(order, places)]
        return pd.DataFrame(copies, columns=features.columns)
    rows = np.arange(len(features))
    orders = {name: [order if name in columns else rows for columns, order in variants] for name in features}
    return pd.DataFrame({name: features[name].array.take(np.concatenate(each)) for name, each in orders.items()})


def mean(losses: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the mean by block, the largest first."""
    by_block: dict[str, list[float]] = {}
    for each in losses:
        for block, loss in each.items():
            by_block.setdefault(block, []).append(loss)
    return dict(sorted(((block, float(np.mean(of))) for block, of in by_block.items()), key=lambda pair: -pair[1]))
