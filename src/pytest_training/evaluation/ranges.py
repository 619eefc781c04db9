"""Between which values a metric lies, by its name, and so the ends of its intervals; without numpy."""

import math
import re
from collections.abc import Container, Sequence

SILENT = frozenset(["std", "se", "sd", "count", "n", "seconds", "slope", "intercept", "threshold", "baseline", "dummy"])
"""Words in a name that is no measure of how good the model is."""
SIGNED = frozenset(["gain", "difference", "diff", "delta", "change", "drop", "gap", "log", "logit"])
"""Words in a name that is a difference, or a logarithm, of such a measure."""
RANGES = {
    "r2 explained_variance": (-math.inf, 1.0),
    "mae mse rmse mape": (0.0, math.inf),
    "brier": (0.0, 2.0),
    "kappa mcc correlation pearson spearman youden": (-1.0, 1.0),
    "accuracy acc auc auroc roc_auc pr_auc auprc average_precision f1 precision recall sensitivity specificity ppv npv"
    " dice iou jaccard c_index concordance ece mce fpr fnr": (0.0, 1.0),
}
KNOWN = {name: ends for names, ends in RANGES.items() for name in names.split()}


def ends(metric: str, values: Sequence[float]) -> tuple[float, float]:
    """Return the least and the greatest value that a metric has; infinite if values, perhaps per cent, lie beyond."""
    low, high = KNOWN.get(named(metric, KNOWN, SILENT | SIGNED), (-math.inf, math.inf))
    return (low, high) if low <= min(values) and max(values) <= high else (-math.inf, math.inf)


def named(metric: str, names: Container[str], silent: frozenset[str] = SILENT) -> str:
    """Return the longest part of a metric's name that is one of these, the last of several, or an empty text."""
    words = re.split(r"[^a-z0-9]+", metric.lower().partition("@")[0])  # behind it stands the source
    length, several = len(words), range(len(words), 0, -1)  # the longest part first: `log_loss` before `loss`
    parts = ("_".join(words[start : start + size]) for size in several for start in range(length - size, -1, -1))
    return "" if silent.intersection(words) else next((part for part in parts if part in names), "")
