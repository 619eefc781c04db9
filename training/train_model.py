"""Model: can the column that you name be predicted from the others of your table?

Data:   any CSV (`--set model.data=FILE --set model.target=COLUMN`), by default the Wisconsin breast masses: 569
        biopsies, 30 measures of cell nuclei, 37 % malignant (Street 1993).
Model:  gradient-boosted trees, one per epoch: an unfamiliar table's numbers, categories and missing values go in
        as they are, on any scale.
Reads:  out-of-fold predictions; inner folds choose the number of trees; with `group`, all rows of a person stay
        on one side of every split, and intervals are over people. A column that alone answers the question is
        named as a leak suspect.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from artifacts import save_all
from cohorts import breast, own_data, table
from columns import judge_each_column
from fitting import fit_boosting
from validation import cross_validate, judge

if TYPE_CHECKING:
    from cohorts import Cohort

    from pytest_training import Run

GATES = {"over_dummy_gain_low": ">= 0.02"}
# The headline metric (ROC AUC or R²) surely above the dummy's, whatever the table. The default
# table has 0.44 to 0.45 for seeds 0 to 9, with a ROC AUC of 0.98 to 0.99.
CUTOFF = 0.50
SUSPECT = 0.98  # ROC AUC or R² of one column alone: no single measurement of a real question is that good
TREES = {"learning_rate": 0.1, "max_leaf_nodes": 15, "min_samples_leaf": 10}  # tables are small


def train(  # noqa: PLR0913  (each is a choice of the user's)
    run: Run,
    *,
    epochs: int = 50,
    folds: int = 5,
    data: str | None = None,
    target: str | None = None,
    group: str | None = None,
    drop: str | None = None,
    positive: str | None = None,
) -> dict[str, float]:
    """Cross-validate the model on the user's table and return its metrics; `drop` takes names with commas."""
    cohort = obtain(run, data, target=target, group=group, drop=drop, positive=positive)
    cohort = cohort.with_target_of(run)
    fit = partial(fit_boosting, epochs=epochs, trees=TREES)

    predictions = cross_validate(run, cohort, fit, folds=folds)
    metrics = judge(run, predictions, cutoff=CUTOFF).metrics
    headline = next(iter(metrics))
    suspects = [
        f"LEAK SUSPECT: {column!r} alone predicts the target almost perfectly ({score:.3f})."
        for column, score in judge_each_column(cohort, run.seed).items()
        if score >= SUSPECT
    ]
    for sentence in [*suspects, *(limit for limit in cohort.limits if limit.startswith("LEAK"))]:
        logging.getLogger("model").warning(sentence)
    save_all(run, predictions, fit=fit, about=__doc__, notes=suspects)
    return {"over_dummy_gain_low": metrics[f"{headline}_low"] - metrics[f"baseline_{headline}"]}


def obtain(run: Run, data: str | None, *, target: str | None, **choices: str | None) -> Cohort:
    """Return the people of the user's table, or of the default one."""
    if data is None:
        if target or any(choices.values()):
            message = "target, group, drop and positive describe a table: name it with data=FILE"
            raise ValueError(message)
        return breast.load(run.data("breast_masses"))
    if target is None:
        columns = list(table.read(Path(data).expanduser()).columns)
        message = (
            f"which column of {Path(data).name} is to be predicted? Name it with target=COLUMN; it has {columns[:20]}"
        )
        raise ValueError(message)
    dropped = [name.strip() for name in (choices.pop("drop") or "").split(",") if name.strip()]
    cohort = table.load(Path(data).expanduser(), target=target, drop=dropped, **choices)
    own_data.use(run, data)
    return cohort
