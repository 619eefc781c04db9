"""Model: can the column that you name be predicted from the others of your table?

Data:   any CSV (`--set model.data=FILE --set model.target=COLUMN`), by default the Wisconsin breast masses: 569
        biopsies, 30 measures of cell nuclei, 37 % malignant (Street 1993).
Model:  gradient-boosted trees, one per epoch: an unfamiliar table's numbers, categories and missing values go in
        as they are, on any scale.
Reads:  out-of-fold predictions; inner folds choose the number of trees; with `group`, all rows of a person stay
        on one side of every split, and intervals are over people. What gives the answer away is named and fails
        the gate: a column that alone does far better than all others together, two that tell together, gaps that
        tell, an id, rows of one person. `known` has the columns that you know to be no leak.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from artifacts import save_all
from cohorts import Cohort, breast, files, table
from cohorts.table import OwnTable
from fitting import fit_boosting
from folds import require_people
from validation import cross_validate, judge

from pytest_training import Run
from pytest_training.errors import DataError
from pytest_training.evaluation import leaks

GATES = {"over_dummy_gain_low": ">= 0.02", "leak_suspects": "== 0"}
# The headline metric (ROC AUC or R²) surely above the dummy's, whatever the table. The default
# table has 0.44 to 0.45 for seeds 0 to 9, with a ROC AUC of 0.98 to 0.99.
CUTOFF = 0.50
TREES = {"learning_rate": 0.1, "max_leaf_nodes": 15, "min_samples_leaf": 10}  # tables are small
WHAT_TO_DO = {
    "id": "group={0} keeps its rows together; known={0} says that it is no person",
    "same-rows": "group=COLUMN names the person's column; known=same-rows says that they are different people",
}
OTHERWISE = "drop={0} leaves it out; known={0} says that it was measured before"


def train(  # noqa: PLR0913  (each is a choice of the user's)
    run: Run,
    *,
    epochs: int = 50,
    folds: int = 5,
    data: str | None = None,
    target: str | None = None,
    group: str | None = None,
    drop: str | None = None,
    known: str | None = None,
    positive: str | None = None,
) -> dict[str, float]:
    """Cross-validate the model on the user's table; `drop` and `known` take names with commas."""
    names = {"drop": _names(drop), "known": _names(known)}
    try:
        own = obtain(run, data, target=target, group=group, positive=positive, **names)
        require_people(own.cohort, folds)
    except ValueError as error:  # of the user's table: this file's own frames would tell nothing
        raise DataError(str(error)) from None
    cohort = own.cohort.with_target_of(run)
    fit = partial(fit_boosting, epochs=epochs, trees=TREES)

    suspects = examine(own, cohort, names["known"])
    warnings = [warning(each) for each in suspects]
    for sentence in [*own.notes[:1], *warnings, *own.notes[1:]]:
        run.note(sentence)
    predictions = cross_validate(run, cohort, fit, folds=folds)
    judged = judge(run, predictions, cutoff=CUTOFF)
    metrics, headline = judged.metrics, next(iter(judged.metrics))
    save_all(run, predictions, fit=fit, about=__doc__, notes=warnings)
    if f"{headline}_low" not in metrics:
        raise DataError(judged.method)  # of so few people nothing can be said
    gain_low = metrics[f"{headline}_low"] - metrics[f"baseline_{headline}"]
    return {"over_dummy_gain_low": gain_low, "leak_suspects": len(suspects)}


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def examine(own: OwnTable, cohort: Cohort, known: list[str]) -> list[leaks.Suspect]:
    """Return what gives the answer away, in the columns that are used and in those that are not."""
    features, truth, question = cohort.features, cohort.target, cohort.question
    return [*own.suspects, *leaks.suspects(features, truth, question=question, person=cohort.person, known=known)]


def warning(suspect: leaks.Suspect) -> str:
    """Return the sentence about a suspect, with what to do."""
    what_to_do = WHAT_TO_DO.get(suspect.code, OTHERWISE).format(",".join(suspect.columns))
    return f"leak suspect: {suspect.sentence}; {what_to_do}"


def obtain(  # noqa: PLR0913  (each is a choice of the user's)
    run: Run,
    data: str | None,
    *,
    target: str | None,
    group: str | None,
    positive: str | None,
    drop: list[str],
    known: list[str],
) -> OwnTable:
    """Return the user's table, or the default one."""
    if data is None:
        if any((target, group, positive, drop, known)):
            message = "target, group, drop, known and positive describe a table: name it with data=FILE"
            raise ValueError(message)
        return table.OwnTable(cohort=breast.load(run.data("breast_masses")))
    path = Path(data).expanduser()
    if target is None:
        columns = list(files.read(path).columns.columns)
        message = f"which column of {path.name} is to be predicted? Name it with target=COLUMN; it has {columns[:20]}"
        raise ValueError(message)
    own = table.load(path, target=target, group=group, drop=drop, known=known, positive=positive)
    run.use(data)
    return own
