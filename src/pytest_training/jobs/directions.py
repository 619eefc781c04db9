"""What a metric's name means: more is better or worse; it is the end of an interval or a baseline."""

import re
from collections.abc import Iterable
from typing import Literal

from pytest_training.evaluation.ranges import named
from pytest_training.jobs.model import Gate

Direction = Literal["higher", "lower"]
HIGHER = {
    *("accuracy", "acc", "auc", "auroc", "roc_auc", "pr_auc", "auprc", "average_precision", "f1"),
    *("precision", "recall", "sensitivity", "specificity", "ppv", "npv", "r2", "explained_variance"),
    *("kappa", "mcc", "dice", "iou", "jaccard", "c_index", "concordance", "correlation", "pearson"),
    *("spearman", "youden", "log_likelihood", "net_benefit", "score"),
}
"""Metrics of which more is better."""
LOWER = {
    *("loss", "error", "mae", "mse", "rmse", "mape", "max_error", "median_absolute_error", "log_loss"),
    *("cross_entropy", "deviance", "brier", "brier_score", "ece", "mce", "hinge", "perplexity", "nll"),
    *("fpr", "fnr"),
}
"""Metrics of which less is better."""
BASELINES = ("baseline_", "dummy_")
BASELINE = re.compile(rf"(?:^|(?<=_))(?:{'|'.join(BASELINES)})")  # also in `external_baseline_auc`, of `external_auc`
ENDS = ("_low", "_high")


def direction(metric: str, gates: Iterable[Gate] = ()) -> Direction | None:
    """Return whether more or less of a metric is better, by its gates, else by its name, or None if neither decides."""
    signs = {gate.operator[0] for gate in gates if gate.metric == metric and gate.operator != "=="}
    if len(signs) == 1:
        return "higher" if signs == {">"} else "lower"
    if signs or is_side_number(metric):
        return None
    part = named(metric, HIGHER | LOWER)
    return "higher" if part in HIGHER else "lower" if part in LOWER else None


def is_side_number(metric: str) -> bool:
    """Return True if the number belongs to another metric: an interval's end or a baseline."""
    return metric.endswith(ENDS) or BASELINE.search(metric) is not None
