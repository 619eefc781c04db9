"""Which names that a foreign program writes are metrics, and how their numbers are spelt; no file is read here."""

import re
from decimal import Decimal
from functools import lru_cache

MEASURES = (
    "acc accuracy auc auroc auprc aucpr roc ap map mar f1 f2 fbeta fscore precision prec recall sensitivity specificity"
    " score scores error err mse rmse mae mape smape medae msle rmsle r2 rsquared r_squared explained_variance loss"
    " losses iou miou dice jaccard bleu rouge rougel rougelsum meteor chrf ter cer wer eer ppl perplexity psnr"
    " ssim lpips fid kid nll bpc bpd bpb elbo kl kld logloss brier ece mcc matthews kappa ndcg mrr hit hits top em"
    " exact_match spearman spearmanr pearson pearsonr corr correlation concordance cindex c_index reward rewards rew"
    " return returns success silhouette ari nmi homogeneity completeness inertia davies calinski entropy bce ce hinge"
    " huber crps pinball gini ks lift npv ppv tpr fpr tnr fnr hausdorff hd assd asd similarity mos pesq stoi snr sdr"
    " likelihood aic bic fitness cost objective divergence"
)
SETTINGS = (
    "lr learning_rate momentum decay time seconds secs sec ms minutes hours runtime duration elapsed eta timestamp date"
    " per_second per_sec samples sample flos flops n num size count counts weight weights threshold thresholds patience"
    " tolerance tol seed version memory mem gpu cpu params parameters param id idx index rank alpha beta gamma scale"
    " importance coef coefficient support target hp_metric wall fps system"
)
COUNTERS = (
    "epoch epochs step steps iteration iterations iter iters batch batches round rounds fold folds speed throughput"
    " timesteps trial trials seed run total dropout temperature estimators depth layers"
)
AXES = {
    **dict.fromkeys(("epoch", "epochs", "ep"), "epoch"),
    **dict.fromkeys(("step", "global_step", "trainer/global_step", "timestep", "num_timesteps"), "step"),
    **dict.fromkeys(("total_timesteps", "time/total_timesteps"), "step"),
    **dict.fromkeys(("iteration", "iterations", "iter", "iters", "it"), "iteration"),
    **dict.fromkeys(("round", "boosting_round", "tree"), "round"),
}
"""Names of what counts up, each with the one that a curve has."""
UNNAMED = ("", "unnamed_0", "index")
"""Names of a column with the numbers, or names, of rows."""
SPLITS = frozenset(
    ("train", "training", "val", "valid", "validation", "test", "testing", "eval", "evaluation", "dev", "holdout")
)
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,4})?%?|[-+]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)


def _any_of(words: str) -> str:
    return rf"(?:^|[_/])(?:{'|'.join(words.split())})\d*(?=$|[_/@.])"


@lru_cache(maxsize=4096)
def metric_name(raw: str) -> str:
    """Return a name in lower case with its words joined by `_`; a `/` stays, as in `eval/auc`."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", raw.strip()).lower()
    name = re.sub(r"[^\w/@.]+|(?<!\d)\.|\.(?!\d)", "_", name)
    return re.sub(r"__+|_*/_*", lambda match: "/" if "/" in match[0] else "_", name).strip("_/")


@lru_cache(maxsize=4096)
def is_metric(name: str, *, is_logged: bool) -> bool:
    """Return True unless a name is that of a time, a setting or a counter; one that nobody logs must be a measure."""
    if not name or re.search(_any_of(SETTINGS), name):
        return False
    return bool(re.search(_any_of(MEASURES), name)) or (is_logged and not re.search(_any_of(COUNTERS), name))


def of_split(split: str, name: str) -> str:
    """Return a name with its part of the data before it, unless the name says that itself."""
    return name if not split or SPLITS.intersection(re.split(r"[_/]", name)) else f"{split}_{name}"


def measured(cell: object) -> float | Decimal | None:
    """Return the number that a cell holds, with the digits that are written; None if it is no number."""
    if isinstance(cell, str):
        text = cell.strip()
        return (Decimal(text.rstrip("%")) / (100 if text[-1] == "%" else 1)) if NUMBER.fullmatch(text) else None
    return None if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal) else cell
