"""Words in names that programs print beside numbers: which are measurements, which are settings, times or counts."""

import re

MOST_TITLE_WORDS = 5
_MEASURED = re.compile(
    r"(?:\w*(?:loss|acc|accuracy|score|auc|auroc|error|iou|dice|rmse|mae|mse|reward|genauigkeit)|losses|accuracies|scores"
    r"|cost|auprc|aupr|roc|prc|fb?\d|fbeta|fmeasure|precision|recall|sensitivity|specificity|[pn]pv|[tf][pn]r|err"
    r"|(?:s|w|md)?mape|mdape|wape|mase|r?rse|r?msle|crps|pinball|prec|sens|spec|hter|acer|[prh]r?@\d+|rss|r2|r2aj|rsquared|squared|squares|determination|explained|jaccard|dsc|hd\d{0,2}|n?assd?|nsd"
    r"|m?aps?\d*|n?dcg|mrr|xent|hits?|bleu\d?|rouge\w*|meteor|chrf\d?|cider|[wce]er|ppl|perplexity|bp[cbd]|psnr|ssim|lpips"
    r"|fid|kid|nll|elbo|kld?|divergence|likelihood|loglik|kappa|mcc|matthews|corr|correlation|corrcoef|pearsonr?"
    r"|spearmanr?|kendall|brier|ece|c_?index|concordance|silhouette|bouldin|calinski|harabasz|ari|nmi|ami|inertia"
    r"|homogeneity|completeness|purity|aic|bic|entropy|rew|return|success|gini|top_?\d|mota|idf1|pck|mpjpe|epe"
    r"|verlust|fehler|trefferquote|perte|exactitude|exactitud|pérdida|precisión|précision|rappel|损失|准确率|精度|召回率)"
)
_SETTINGS = """
alpha api base batches beta bins bound budget buffer cache calculating code coef coeff computed config could count
counts cutoff decay decreased delta depth device dim dropout dropped eta every exit factor failed file fn fps
frequency from func function gamma goal gpu grad id if improve improved increased initscore key lambda learning least
length limit line lr margin matrix mem memory mixed mode momentum must name names num number occurred optimizer paper
parameters params patience reach reached required scaler scheduler sec seconds seed should size smoothing sota speed
status stop target thr thre thres threshold thresholds throughput time tol tolerance type unexpected until version
warmup weight weighting weights went when while window workers
"""  # words that say that a number is no measurement, whatever else its name says
NOT_WHOLE = re.compile(
    r"(?:.*_)?(?:error|err|hits?|success|entropy|m?aps?|cost|fehler|precision|squared|epoch|step|iter|iteration)s?"
)  # a word whose number, where it is whole, is a count, a code or a setting
SHARE = re.compile(r"\w*(?:acc|accuracy|accuracies|recall|precision|genauigkeit|hits?|success)")  # may be 141/200
_FILLERS = (
    "the a an of on for in our over at is was set data dataset network model images samples and with to by folds this"
)
_COUNTED = re.compile(r"top|k|rouge|bleu|hits?|precision|recall|f|acc|ndcg|map|ap|r")  # `top 5`, `recall at 20`
_SPLITS = "train|training|learn|val|vali|valid|validation|test|testing|eval|evaluation|dev|holdout|oof"
SPLIT = re.compile(rf"(?<![^\W_])(?:{_SPLITS})(?![^\W\d_])", re.IGNORECASE)
TITLE = re.compile(
    rf"(?P<frame>[\W_]*)(?:final\s+)?(?P<split>{_SPLITS})\b(?P<words>(?:\W+(?:set|data|dataset|results?|metrics?|scores?"
    r"|performance|evaluation|report|errors?|phase|stats|statistics|classification|accuracy|loss|summary))*)(?P<end>[\W_]*)",
    re.IGNORECASE,
)  # a line that says of which split the numbers below it are
_ESTIMATOR = re.compile(
    r"regress|classifier|forest|sv[mcr]\b|knn|neighbo|bayes|tree|boost|xgb|lgbm|lightgbm|gbm|mlp|lasso|ridge|elastic|perceptron"
    r"|baseline|ensemble|stacking|voting|bagging|lstm|\bgru|rnn|cnn|resnet|vgg|bert|transformer|logistic|k-?means|arima|dummy",
    re.IGNORECASE,
)
_DOINGS = (
    "model training fitting evaluating testing running starting trained saving loading building creating final results"
    " result performance metrics evaluation summary"
)
_BEGIN = re.compile(
    r"[\W_]*(?:model\s*[:=]\s*)?(?P<name>[^\W\d][\w .+()-]{1,40}?)\s*"
    r"(?:(?P<colon>:)(?=\s*(?P<next>[^\W\d][\w ^²-]{0,30}?)\s*[:=])|[:|,\]]|\s-+>?)\s",
    re.IGNORECASE,
)  # the begin of a line, which may be the name of a class or of an estimator
_COUNTER = re.compile(r"\b(?:epoch|step|iter|iteration|batch|round|episode)s?\b", re.IGNORECASE)
_SCALED = re.compile(r"_scale|scale_|loss scale|expected(?!.calib)", re.IGNORECASE)
_CAMEL = re.compile(r"[A-Z]?[a-z]+\d*|[A-Z]+\d*(?![a-z])|\d+")
_SETTING, _FILLER, _DOING = (frozenset(words.split()) for words in (_SETTINGS, _FILLERS, _DOINGS))


def _plain(text: str) -> str:
    text = re.sub(r"[rR](?:²|\^2)", "r2", text.replace("'s", " "))
    return re.sub(r"(?<=[a-z]{2})(?=[A-Z][a-z])|(?<=\w)-(?=\w)", "_", text)


def words_of(text: str) -> list[str]:
    """Return the words that name a number, in lower case, without articles and bare counts."""
    words: list[str] = []
    for word in re.sub(r"[^\w./@]", " ", _plain(text)).split():
        plain = word.strip("._/@").lower()
        is_count = plain.isdigit() and not (words and _COUNTED.fullmatch(words[-1]))
        is_filler = plain in _FILLER and (word != "A" or not words)
        words += [plain] if plain and not is_filler and not is_count else []
    return words


def is_measured(text: str) -> bool:
    """Return True if a name is that of a measurement."""
    pieces = re.split(r"[\W_]+", _plain(text))
    parts = [*pieces, *(part for piece in pieces if not piece.isupper() for part in _CAMEL.findall(piece))]
    parts = [part.lower() for part in (*parts, *text.split())]
    return any(map(_MEASURED.fullmatch, parts)) and _SETTING.isdisjoint(parts) and not _SCALED.search(text)


def joined(words: list[str]) -> str:
    """Return the name that words make; of `accuracy test` the split comes first."""
    measured = next((place for place, word in enumerate(words) if is_measured(word)), 0)
    late = [word for word in words[measured + 1 :] if SPLIT.fullmatch(word)]
    return "_".join([*late[:1], *(word for word in words if word not in late[:1])])


def estimator_in(text: str) -> str:
    """Return the name of the estimator that a title is about, or nothing."""
    words = [word for word in words_of(text) if word not in _DOING]
    return "_".join(words) if len(words) <= MOST_TITLE_WORDS and _ESTIMATOR.search(text) else ""


def label_of(line: str) -> str:
    """Return the name of the class or estimator with which a line begins, or nothing."""
    begin = _BEGIN.match(line)
    if begin is None or is_measured(begin["name"]) or SPLIT.search(begin["name"]) or _COUNTER.search(begin["name"]):
        return ""
    words = [word for word in words_of(begin["name"]) if word not in _DOING]
    return "_".join(words) if begin["colon"] and is_measured(begin["next"]) else estimator_in(begin["name"])
