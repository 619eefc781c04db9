"""Which names that a foreign program writes are metrics, and how their numbers are spelt; no file is read here."""

import re
from decimal import Decimal
from functools import lru_cache

from pytest_training.execution.readers.printed_words import is_measured

_SETTINGS = (
    "lr momentum decay time seconds secs sec ms minutes hours runtime duration elapsed eta timestamp date per samples"
    " sample flos flops n num size count counts weight weights threshold thresholds patience tolerance tol seed version"
    " memory mem gpu cpu params parameters param id idx rank alpha beta gamma scale importance coef coefficient support"
    " target hp wall fps system gib mib gb mb kb bytes"
)
_COUNTERS = (
    "epoch epochs step steps iteration iterations iter iters batch batches round rounds fold folds speed throughput"
    " rate timesteps trial trials run total dropout temperature estimators depth layers"
)
NO_METRIC, COUNTED = frozenset(_SETTINGS.split()), frozenset(_COUNTERS.split())
"""Words of what is none; and of what is none unless a measurement is named beside it: `train_loss_epoch`."""
MORE = re.compile(
    r"acc\d|b?ce|mar|similarity|distance|rewards|returns|fitness|eer|s[dn]r|pesq|stoi|mos|objective|match"
)  # measurements that only files have
AXES = {
    **dict.fromkeys(("epoch", "epochs", "ep"), "epoch"),
    **dict.fromkeys(("step", "global_step", "trainer/global_step", "timestep", "num_timesteps"), "step"),
    **dict.fromkeys(("total_timesteps", "time/total_timesteps"), "step"),
    **dict.fromkeys(("iteration", "iterations", "iter", "iters", "it"), "iteration"),
    **dict.fromkeys(("round", "boosting_round", "tree"), "round"),
}  # names of what counts up, each with the one that a curve has
UNNAMED = ("", "unnamed_0", "index")  # names of a column with the numbers, or names, of rows
SPLITS = frozenset(
    ("train", "training", "val", "valid", "validation", "test", "testing", "eval", "evaluation", "dev", "holdout")
)
LONGEST_NUMBER = 40
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,4})?%?|[-+]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)


@lru_cache(maxsize=4096)
def metric_name(raw: str) -> str:
    """Return a name in lower case with its words joined by `_`; a `/` stays, as in `eval/auc`."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", raw.strip()).lower()
    name = re.sub(r"[^\w/@.]+|(?<!\d)\.|\.(?!\d)", "_", name)
    return re.sub(r"__+|_*/_*", lambda match: "/" if "/" in match[0] else "_", name).strip("_/")


@lru_cache(maxsize=4096)
def is_metric(name: str, *, is_logged: bool) -> bool:
    """Return True unless a name is that of a time, a setting or a counter; one that nobody logs must be a measure."""
    words = frozenset(re.split(r"[\W_]+", name))
    if not name or words & NO_METRIC:
        return False
    is_measure = is_measured(re.sub(r"(^|_)(epoch|step)s?(?=_|$)", "", name)) or any(map(MORE.fullmatch, words))
    return is_measure or (is_logged and not words & COUNTED)


def of_split(split: str, name: str) -> str:
    """Return a name with its part of the data before it, unless the name says that itself."""
    return name if not split or SPLITS.intersection(re.split(r"[_/]", name)) else f"{split}_{name}"


def measured(cell: object) -> float | Decimal | None:
    """Return the number that a cell holds, with the digits that are written; None if it is no number."""
    if isinstance(cell, str):
        text = cell.strip()
        is_number = len(text) <= LONGEST_NUMBER and NUMBER.fullmatch(text)
        return (Decimal(text.rstrip("%")) / (100 if text[-1] == "%" else 1)) if is_number else None
    return None if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal) else cell
