"""Own what a job leaves behind: the refitted model, out-of-fold predictions, pictures, the model card."""

from __future__ import annotations

import inspect
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


NOT_CLINICAL = "**Not for clinical use.** A research model; no decision about a person may rest on it."
HOW_JUDGED = (
    "Out of fold: nobody is judged by a model that was fitted on them. Intervals: 95 %, by bootstrap. "
    "The dummy knows only how common the answer is, on the same folds."
)


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
    """Save predictions, pictures and the model card; with `fit`, also a model refitted on everybody.

    `about` is the job's docstring; `data` names its datasets; `notes` are added to the card's limits.
    """
    sources = [run.dataset(each) if isinstance(each, str) else each for each in data]
    run.save("predictions.csv", prediction_table(predictions, sources))
    save_pictures(run, predictions, metrics, simulated=not all(source.real for source in sources))
    run.save("model_card.md", model_card(predictions, metrics, about or "", sources, notes))
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


def model_card(
    predictions: OutOfFold, metrics: dict[str, float], about: str, sources: Sequence[Source], notes: Sequence[str]
) -> str:
    """Return the model card in Markdown."""
    question, _, method = inspect.cleandoc(about).partition("\n")
    simulated = not all(source.real for source in sources)
    sections = [
        f"# {question.rstrip('.')}",
        NOT_CLINICAL,
        *(["**The data are simulated.** Every figure here describes the simulation, not people."] * simulated),
        *_method_and_data(method, sources),
        "## Who is in it",
        _people(predictions),
        "## How well it does",
        HOW_JUDGED,
        metrics_table(metrics),
        "## What it relies on",
        "How much the headline metric falls when a measurement is permuted among held-out people.",
        "\n".join(f"- {row.block}: {row.loss:.3f}" for row in predictions.importance.head(5).itertuples()),
        "## Limits",
        "\n".join(
            f"- {limit}" for limit in (*predictions.cohort.limits, *notes, "Nobody outside these data has tested it.")
        ),
    ]
    return "\n\n".join(sections) + "\n"


def _method_and_data(method: str, sources: Sequence[Source]) -> list[str]:
    return [
        "## Method",
        f"```text\n{method.strip()}\n```",
        "## Data",
        "\n".join(_describe(source) for source in sources),
    ]


def save_comparison(
    run: Run, predictions: Mapping[str, Mapping[str, OutOfFold]], *, about: str | None, data: Sequence[str]
) -> None:
    """Save predictions, a table, a picture and a card of several families of models on several tables."""
    sources = [run.dataset(name) for name in data]
    table = comparison(predictions)
    run.save("comparison.csv", table)
    run.save("predictions.csv", pd.concat(_side_by_side(name, by) for name, by in predictions.items()))
    with mpl.rc_context(pictures.STYLE):
        run.save("comparison.svg", pictures.comparison(table))
    question, _, method = inspect.cleandoc(about or "").partition("\n")
    sections = [
        f"# {question.rstrip('.')}",
        NOT_CLINICAL,
        *_method_and_data(method, sources),
        "## How well they do",
        HOW_JUDGED,
        _markdown(table),
        "## Limits",
        "- Plain settings: a family that does badly here may do well when tuned.",
        "- The limits of every table are in the model card of its own job.",
    ]
    run.save("model_card.md", "\n\n".join(sections) + "\n")


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


def _markdown(table: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * table.shape[1]]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines)


def _describe(source: Source) -> str:
    parts = [
        f"**{source.title or source.name}** ({'real' if source.real else 'simulated'})",
        source.citation,
        f"License: {source.license or 'not stated'}",
        f"sha256 `{source.sha256}`" if source.sha256 else None,
    ]
    return "- " + ". ".join(part.rstrip(".") for part in parts if part) + "."


def _people(predictions: OutOfFold) -> str:
    """Describe the people: who, how many, how many of each class, how many left out."""
    cohort = predictions.cohort
    lines = [cohort.who] if cohort.who else []
    people = len(cohort) if cohort.person is None else len(np.unique(cohort.person))
    lines.append(f"{len(cohort)} rows of {people} people, {cohort.features.shape[1]} columns.")
    if cohort.classes:
        counts = np.bincount(cohort.target, minlength=len(cohort.classes))
        shares = (
            f"{name} {count} ({count / len(cohort):.0%})" for name, count in zip(cohort.classes, counts, strict=True)
        )
        lines.append(f"{', '.join(shares)}.")
        lines += [f"Positive class: {cohort.classes[1]}."] * (cohort.question == "binary")
    else:
        low, middle, high = np.quantile(cohort.target, [0.05, 0.5, 0.95])
        lines.append(f"Median {middle:.4g}, 5 % below {low:.4g}, 5 % above {high:.4g} {cohort.unit}".rstrip() + ".")
    lines += [f"Left out: {rows} rows, {reason}." for reason, rows in cohort.dropped.items()] or [
        "No row was left out."
    ]
    return "\n".join(lines)


def metrics_table(metrics: dict[str, float]) -> str:
    """Return the metrics as a Markdown table, intervals and the dummy's beside them."""
    lines = ["| metric | value | 95 % interval | dummy |", "|---|---|---|---|"]
    for name, value in metrics.items():
        if name.startswith("baseline_") or "_baseline_" in name or name.endswith(("_low", "_high")):
            continue
        low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
        spread = f"{low:.3f} to {high:.3f}" if low is not None and high is not None else ""
        dummy = metrics.get(f"baseline_{name}")
        lines.append(f"| {name} | {value:.3f} | {spread} | {'' if dummy is None else f'{dummy:.3f}'} |")
    return "\n".join(lines)
