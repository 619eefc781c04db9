"""Own what a job leaves behind besides its predictions: the refitted model, pictures, what its card needs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import matplotlib as mpl
import pictures
from threadpoolctl import threadpool_limits
from validation import Estimator, Fit, OutOfFold

from pytest_training import Run

UNITS = {"_years": "years", "_mg_dl": "mg/dl", "_mmhg": "mm Hg", "_mm": "mm", "_kg_m2": "kg/m²", "_months": "months"}
"""Units by the endings of names."""
TRIED = "The model was chosen after {} had been judged on the same folds, so its headline may flatter it a little."
HEADLINE = {"binary": "ROC AUC", "classes": "ROC AUC", "number": "R²"}


def save_all(  # noqa: PLR0913  (each is one thing that the job knows and this does not)
    run: Run,
    predictions: OutOfFold,
    *,
    fit: Fit | None,
    about: str | None,
    notes: Sequence[str] = (),
    tried: str = "",
) -> Estimator:
    """Save pictures and describe the people; with `fit`, also save a model refitted on everybody.

    `about` is the job's docstring; `notes` are added to the card's limits, and so is `tried`: what else was judged on
    the reported folds before this model was chosen.
    """
    save_pictures(run, predictions)
    describe(run, predictions, about or "", [*notes, *([TRIED.format(tried)] if tried else [])])
    if fit is None:
        return None
    with threadpool_limits(limits=1, user_api="blas"):
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
        relies_on=predictions.relies_on,
        method=about,
    )


def save_pictures(run: Run, predictions: OutOfFold) -> None:
    """Draw and save what the page does not draw from the predictions; mark simulated data in each picture."""
    mark = "" if all(used.real for used in run.used) else " (simulated data)"
    question = predictions.cohort.question
    with mpl.rc_context(pictures.STYLE):
        if question == "number":
            run.save("measured.svg", pictures.measured(predictions, f"Predicted and measured{mark}"))
        title = f"What the model relies on{mark}"
        run.save("importance.svg", pictures.importance(predictions.relies_on, title, HEADLINE[question]))
