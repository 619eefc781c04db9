"""Own the pictures of a job, all of one look: small, few inks, readable without colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from validation import OutOfFold

if TYPE_CHECKING:
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
BARS = 15  # of the columns a model relies on most


def _axes(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE_IN, layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def importance(relies_on: Mapping[str, float], title: str, metric: str) -> Figure:
    """Draw the fall of the metric per permuted block of columns."""
    top = list(relies_on.items())[:BARS][::-1]
    figure, axes = _axes(title, f"Fall of {metric} when permuted", "")
    figure.set_size_inches(5.0, 1.1 + 0.19 * max(len(top), 6))
    axes.barh([block[:32] for block, _ in top], [loss for _, loss in top], color=INK, height=0.65)
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
    shown = np.random.default_rng(0).permutation(len(truth))[:1000]
    axes.plot(truth[shown], predicted[shown], "o", ms=2.6, mew=0, alpha=0.45, color=INK, rasterized=len(shown) > 500)
    axes.axhline(truth.mean(), color=SOFT, lw=1, label="dummy: the mean")
    axes.set_aspect("equal")
    axes.legend(loc="upper left")
    return figure


def comparison(gains: pd.DataFrame) -> Figure:
    """Draw each family's difference to logistic regression on every table, with 95 % intervals."""
    figure, axes = _axes("Out of fold, identical folds", "ROC AUC above logistic regression", "")
    tables, families = list(gains["table"].unique())[::-1], list(gains["model"].unique())
    figure.set_size_inches(5.2, 1.2 + 0.42 * len(tables))
    for number, family in enumerate(families):
        rows = gains[gains["model"] == family]
        y = np.array([tables.index(name) for name in rows["table"]]) + 0.1 - 0.2 * number
        spread = np.abs(rows[["gain_low", "gain_high"]].to_numpy().T - rows["gain"].to_numpy())
        axes.errorbar(
            rows["gain"], y, xerr=spread, fmt="os"[number], ms=4, lw=1, color=(INK, SOFT)[number], label=family
        )
    axes.axvline(0, color=FAINT, lw=0.8, ls=":")
    axes.set_yticks(range(len(tables)), tables)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure
