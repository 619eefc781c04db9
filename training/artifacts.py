"""Own what a job leaves behind: the refitted model, out-of-fold predictions, pictures, what its card needs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
import pictures
from evaluation import BASELINE, judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cohorts.own_data import Source
    from evaluation import Estimator, Fit, OutOfFold

    from pytest_training import Run


LIMITS = (
    "Plain settings: a family that does badly here may do well when tuned.",
    "The limits of every table are in the model card of its own job.",
)
"""What a reader of the comparison of families must know."""
UNITS = {"_years": "years", "_mg_dl": "mg/dl", "_mmhg": "mm Hg", "_mm": "mm", "_kg_m2": "kg/m²", "_months": "months"}
"""Units by the endings of names."""


def save_all(  # noqa: PLR0913  (each is one thing that the job knows and this does not)
    run: Run,
    predictions: OutOfFold,
    metrics: dict[str, float],
    *,
    fit: Fit | None,
    about: str | None,
    data: Sequence[str | Source],
    notes: Sequence[str] = (),
) -> Estimator:
    """Save predictions and pictures, and describe the people; with `fit`, also save a model refitted on everybody.

    `about` is the job's docstring; `data` names its datasets; `notes` are added to the card's limits.
    """
    sources = [run.dataset(each) if isinstance(each, str) else each for each in data]
    run.save("predictions.csv", prediction_table(predictions, sources))
    save_pictures(run, predictions, metrics, simulated=not all(source.real for source in sources))
    describe(run, predictions, about or "", notes)
    if fit is None:
        return None
    model = fit(predictions.cohort, seed=run.seed, log=partial(run.log, fit="everybody"))
    run.describe(model=model)
    run.save("model.skops", model)
    return model


def describe(run: Run, predictions: OutOfFold, about: str, notes: Sequence[str]) -> None:
    """State what the card needs of these people."""
    cohort = predictions.cohort
    run.describe(
        cohort.features,
        cohort.target,
        classes=cohort.classes,
        person=cohort.person,
        unit=cohort.unit,
        units={str(name): unit for name in cohort.features for end, unit in UNITS.items() if str(name).endswith(end)},
        who=cohort.who,
        left_out=cohort.dropped,
        limits=(*cohort.limits, *notes),
        relies_on=dict(zip(predictions.importance["block"], predictions.importance["loss"], strict=True)),
        method=about,
    )


def prediction_table(predictions: OutOfFold, sources: Sequence[Source]) -> pd.DataFrame:
    """Return one line per repeat and row: its fold, target and prediction."""
    repeats, rows = predictions.fold.shape
    cohort = predictions.cohort
    table = pd.DataFrame(
        {
            "repeat": np.repeat(np.arange(repeats), rows),
            "row": np.tile(cohort.features.index, repeats),
            "fold": predictions.fold.ravel(),
            "target": np.tile(cohort.target, repeats),
        }
    )
    if cohort.person is not None:
        table.insert(2, "person", np.tile(cohort.person, repeats))
    if cohort.question == "classes":
        for label, name in enumerate(cohort.classes):
            table[f"predicted_{name}"] = predictions.predicted[..., label].ravel()
    else:
        table["predicted"], table["baseline"] = predictions.predicted.ravel(), predictions.baseline.ravel()
    table["data"] = "real" if all(source.real for source in sources) else "simulated"
    return table.round(6)


def save_pictures(run: Run, predictions: OutOfFold, metrics: dict[str, float], *, simulated: bool) -> None:
    """Draw and save the pictures of this kind of question; mark simulated data in each."""
    mark = " (simulated data)" if simulated else ""
    metric = BASELINE[predictions.cohort.question][0].replace("roc_auc", "ROC AUC").replace("r2", "R²")
    with mpl.rc_context(pictures.STYLE):
        if predictions.cohort.question == "number":
            run.save("measured.svg", pictures.measured(predictions, f"Predicted and measured{mark}"))
        else:
            run.save("roc.svg", pictures.roc(predictions, f"ROC, out of fold{mark}", metrics))
            run.save(
                "precision_recall.svg",
                pictures.precision_recall(predictions, f"Precision and recall, out of fold{mark}"),
            )
            run.save("calibration.svg", pictures.calibration(predictions, f"Calibration, out of fold{mark}"))
        run.save(
            "importance.svg", pictures.importance(predictions.importance, f"What the model relies on{mark}", metric)
        )


def save_comparison(run: Run, predictions: Mapping[str, Mapping[str, OutOfFold]], *, about: str | None) -> None:
    """Save predictions, a table and a picture of several families of models on several tables; describe them."""
    table = comparison(predictions)
    run.save("comparison.csv", table)
    run.save("predictions.csv", pd.concat(_side_by_side(name, by) for name, by in predictions.items()))
    with mpl.rc_context(pictures.STYLE):
        run.save("comparison.svg", pictures.comparison(table))
    run.describe(method=about, limits=LIMITS)


def comparison(predictions: Mapping[str, Mapping[str, OutOfFold]]) -> pd.DataFrame:
    """Return a line per table and family: ROC AUC with its interval, average precision, Brier score."""
    names = ["roc_auc", "roc_auc_low", "roc_auc_high", "average_precision", "brier"]
    lines = []
    for table, by in predictions.items():
        for family, each in by.items():
            metrics = judge(each)
            lines.append({"table": table, "people": len(each.cohort), "model": family} | {k: metrics[k] for k in names})
    return pd.DataFrame(lines).round(4)


def _side_by_side(name: str, by: Mapping[str, OutOfFold]) -> pd.DataFrame:
    first = next(iter(by.values()))
    risks = {family: each.predicted[0].round(6) for family, each in by.items()}
    columns = {"table": name, "row": first.cohort.features.index, "fold": first.fold[0], "target": first.cohort.target}
    return pd.DataFrame(columns | risks)
