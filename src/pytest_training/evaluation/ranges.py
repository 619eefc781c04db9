"""What a metric's name means: more is better or worse, and between which values it lies; without numpy."""

import math
import re
from collections.abc import Sequence
from typing import Literal

Direction = Literal["higher", "lower"]
MOST = math.inf
MEANINGS: dict[str, tuple[Direction, float, float]] = {
    "accuracy acc auc auroc roc_auc pr_auc auprc average_precision f1 precision recall sensitivity specificity ppv npv"
    " dice iou jaccard c_index concordance": ("higher", 0.0, 1.0),
    "kappa mcc correlation pearson spearman youden": ("higher", -1.0, 1.0),
    "r2 explained_variance": ("higher", -MOST, 1.0),
    "log_likelihood net_benefit score": ("higher", -MOST, MOST),
    "ece mce fpr fnr": ("lower", 0.0, 1.0),
    "brier brier_score": ("lower", 0.0, 2.0),
    "mae mse rmse mape max_error median_absolute_error davies_bouldin_score fid_score score_time": ("lower", 0.0, MOST),
    "loss error log_loss cross_entropy deviance hinge perplexity nll crps_score negative_log_likelihood"
    " neg_log_likelihood": ("lower", -MOST, MOST),
}
"""Metrics with what is better, more or less, and the least and the greatest value."""
KNOWN = {name: each for names, each in MEANINGS.items() for name in names.split()}
SILENT = frozenset(["std", "se", "sd", "var", "count", "n", "seconds", "slope", "intercept", "threshold", "baseline"])
SILENT |= {"dummy", "drop", "gap", "width"}
"""Words in a name that is no measure of how good the model is."""
SIGNED = SILENT.union(["gain", "difference", "diff", "delta", "change", "log", "logit"])  # any sign


def meaning(metric: str, silent: frozenset[str] = SILENT) -> tuple[Direction | None, float, float]:
    """Return what the longest known part of a name means, the last of several; without one all values are possible."""
    words = re.split(r"[^a-z0-9]+", metric.lower().partition("@")[0])  # behind it stands the source
    number, sizes = len(words), range(len(words), 0, -1)  # the longest part first: `log_loss` before `loss`
    parts = ("_".join(words[start : start + size]) for size in sizes for start in range(number - size, -1, -1))
    known = () if silent.intersection(words) else (KNOWN[part] for part in parts if part in KNOWN)
    found, low, high = next(iter(known), (None, -MOST, MOST))
    is_negated = found == "lower" and "neg" in words and "likelihood" not in words  # as scikit-learn names its scorers
    return ("higher", -high, -low) if is_negated else (found, low, high)


def ends(metric: str, values: Sequence[float]) -> tuple[float, float]:
    """Return the least and the greatest value of a metric; infinite if values, perhaps per cent, lie beyond."""
    _, low, high = meaning(metric, SIGNED)
    return (low, high) if low <= min(values) and max(values) <= high else (-MOST, MOST)
