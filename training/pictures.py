"""Own the pictures of a job, all of one look: small, few inks, readable without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from arrays import Floats, Mask
    from evaluation import OutOfFold
    from matplotlib.axes import Axes
    from matplotlib.typing import RcKeyType

INK, SOFT, FAINT = "#1f4e79", "#8fb0cf", "#9a9a9a"
SIZE_IN = (3.9, 3.6)
STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",  # text stays text: small files that can be searched
    "svg.hashsalt": "pytest-training",  # the same picture gives the same file
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.solid_capstyle": "round",
}
POINTS = 200  # of a curve: the eye tells no more apart at this size
BARS = 15  # of the columns a model relies on most
BINS = 10  # of the calibration picture, each with a tenth of the people


def _axes(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE_IN, layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def _square(axes: Axes) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Thin a curve evenly; keep both ends."""
    shown = np.unique(np.linspace(0, len(x) - 1, POINTS).astype(int))
    return x[shown], y[shown]


def _answers(predictions: OutOfFold) -> list[tuple[str, Mask, Floats]]:
    """Return (name, truth, one risk array per repeat) of the positive class, or of each of several classes."""
    target, predicted = predictions.cohort.target, predictions.predicted
    if predictions.cohort.question == "binary":
        return [(predictions.cohort.classes[1], target == 1, predicted)]
    return [(name, target == k, predicted[..., k]) for k, name in enumerate(predictions.cohort.classes)]


def roc(predictions: OutOfFold, title: str, metrics: Mapping[str, float]) -> Figure:
    """Draw sensitivity over false positives, a line per repeat or class, and the stated cut-off."""
    figure, axes = _axes(title, "1 - specificity", "Sensitivity")
    axes.plot([0, 1], [0, 1], color=FAINT, lw=0.8, ls=":", label="chance")
    _curves(axes, predictions, lambda truth, risk: roc_curve(truth, risk)[:2])
    if "cutoff" in metrics:
        label = f"cut-off {metrics['cutoff']:.2g}"
        axes.plot(1 - metrics["specificity"], metrics["sensitivity"], "o", ms=5, color=INK, label=label)
    _square(axes)
    axes.legend(loc="lower right")
    return figure


def precision_recall(predictions: OutOfFold, title: str) -> Figure:
    """Draw precision over sensitivity, one line per repeat or class."""
    figure, axes = _axes(title, "Sensitivity (recall)", "Precision")
    answers = _answers(predictions)
    for _, truth, _ in answers:
        axes.axhline(
            truth.mean(),
            color=FAINT,
            lw=0.8,
            ls=":",
            label="share of positives" if len(answers) == 1 else None,
        )
    _curves(axes, predictions, lambda truth, risk: precision_recall_curve(truth, risk)[1::-1])
    _square(axes)
    axes.legend(loc="lower left" if len(answers) > 1 else "best")
    return figure


def _curves(axes: Axes, predictions: OutOfFold, curve: Callable[[Mask, Floats], tuple[Floats, Floats]]) -> None:
    answers = _answers(predictions)
    for number, (name, truth, risks) in enumerate(answers):
        for repeat, risk in enumerate(risks):
            x, y = _thin(*curve(truth, risk))
            colour = INK if len(answers) == 1 else f"C{number}"
            axes.plot(x, y, color=colour, lw=1.4, alpha=max(0.25, 1 / len(risks)), label=None if repeat else name)


def calibration(predictions: OutOfFold, title: str) -> Figure:
    """Draw the share of events over the predicted risk, in tenths of the people, with 95 % intervals."""
    figure, axes = _axes(title, "Predicted risk", "Share in which it happened")
    axes.plot([0, 1], [0, 1], color=FAINT, lw=0.8, ls=":", label="perfect")
    answers = _answers(predictions)
    for number, (name, truth, risks) in enumerate(answers):
        risk = risks.ravel()
        happened = np.tile(truth, len(risks))
        order = np.argsort(risk, kind="stable")
        bins = [each for each in np.array_split(order, BINS) if len(each)]
        x = np.array([risk[each].mean() for each in bins])
        y = np.array([happened[each].mean() for each in bins])
        people = np.array([max(len(each) / len(risks), 1) for each in bins])
        low, high = _wilson(y, people)
        colour = INK if len(answers) == 1 else f"C{number}"
        axes.errorbar(x, y, [y - low, high - y], fmt="o-", ms=3.5, lw=1, elinewidth=0.7, color=colour, label=name)
        shown = risk[order][:: max(1, len(risk) // POINTS)]
        marks = np.column_stack([shown, shown, np.full(len(shown), np.nan)]).ravel()
        axes.plot(marks, np.tile([-0.02, 0.0, np.nan], len(shown)), color=SOFT, lw=0.6)  # one path: a small file
    _square(axes)
    axes.legend(loc="upper left")
    return figure


def _wilson(share: Floats, people: Floats) -> tuple[Floats, Floats]:
    """Return the 95 % Wilson interval of a share."""
    z = 1.96
    centre = (share + z**2 / (2 * people)) / (1 + z**2 / people)
    half = z * np.sqrt(share * (1 - share) / people + z**2 / (4 * people**2)) / (1 + z**2 / people)
    return np.minimum(centre - half, share), np.maximum(centre + half, share)


def importance(reliance: pd.DataFrame, title: str, metric: str) -> Figure:
    """Draw the fall of the metric per permuted block of columns."""
    top = reliance.head(BARS).iloc[::-1]
    figure, axes = _axes(title, f"Fall of {metric} when permuted", "")
    figure.set_size_inches(5.0, 1.1 + 0.19 * max(len(top), 6))
    axes.barh(top["block"].astype(str).str.slice(0, 32), top["loss"], color=INK, height=0.65)
    axes.axvline(0, color=FAINT, lw=0.8)
    axes.tick_params(axis="y", length=0)
    return figure


def measured(predictions: OutOfFold, title: str) -> Figure:
    """Draw predicted over measured values."""
    unit = f" ({predictions.cohort.unit})" if predictions.cohort.unit else ""
    figure, axes = _axes(title, f"Measured{unit}", f"Predicted{unit}")
    truth, predicted = predictions.cohort.target, predictions.predicted[0]
    ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
    axes.plot(ends, ends, color=FAINT, lw=0.8, ls=":", label="perfect")
    shown = np.random.default_rng(predictions.seed).permutation(len(truth))[:1000]
    axes.plot(truth[shown], predicted[shown], "o", ms=2.6, mew=0, alpha=0.45, color=INK, rasterized=len(shown) > 500)
    axes.axhline(predictions.baseline[0].mean(), color=SOFT, lw=1, label="dummy: the mean")
    axes.set_aspect("equal")
    axes.legend(loc="upper left")
    return figure


def comparison(table: pd.DataFrame) -> Figure:
    """Draw the ROC AUC of every family on every table, with 95 % intervals."""
    figure, axes = _axes("Out of fold, identical folds", "ROC AUC", "")
    tables, families = list(table["table"].unique())[::-1], list(table["model"].unique())
    figure.set_size_inches(5.2, 1.2 + 0.42 * len(tables))
    for number, family in enumerate(families):
        rows = table[table["model"] == family]
        y = np.array([tables.index(name) for name in rows["table"]]) + 0.27 - 0.18 * number
        spread = np.abs(rows[["roc_auc_low", "roc_auc_high"]].to_numpy().T - rows["roc_auc"].to_numpy())
        axes.errorbar(
            rows["roc_auc"], y, xerr=spread, fmt="sdov"[number % 4], ms=4, lw=1, color=f"C{number}", label=family
        )
    axes.axvline(0.5, color=FAINT, lw=0.8, ls=":")
    axes.set_yticks(range(len(tables)), tables)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure
