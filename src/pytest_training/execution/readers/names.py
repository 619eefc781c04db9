"""Which names of numbers that programs print and write are measurements, and which settings, times or counts."""

import re
import tomllib
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

MOST_TITLE_WORDS, LONGEST_NUMBER = 5, 40
_LISTS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
WORDS = {key: tuple(words.split()) for key, words in _LISTS.items()}
SPLITS, _SETTINGS, _FILLERS, _ACTIVITIES = map(
    frozenset, (WORDS["splits"], WORDS["settings"], WORDS["fillers"], WORDS["activities"])
)
_MEASURED, _IN_FILES = (re.compile("|".join(WORDS[key])) for key in ("measurements", "measurements_in_files"))
_ESTIMATOR = re.compile("|".join(WORDS["estimators"]), re.IGNORECASE)
_SPLIT = "|".join(WORDS["splits"])
NOT_WHOLE = re.compile(
    r"(?:.*_)?(?:error|err|hits?|success|entropy|m?aps?|cost|fehler|precision|squared|epoch|step|iter|iteration)s?"
)  # a word whose number, where it is whole, is a count, a code or a setting
SHARE = re.compile(r"\w*(?:acc|accuracy|accuracies|recall|precision|genauigkeit|hits?|success)")  # may be 141/200
_COUNTED = re.compile(r"top|k|rouge|bleu|hits?|precision|recall|f|acc|ndcg|map|ap|r")  # `top 5`, `recall at 20`
SPLIT = re.compile(rf"(?<![^\W_])(?:{_SPLIT})(?![^\W\d_])", re.IGNORECASE)
TITLE = re.compile(
    rf"(?P<frame>[\W_]*)(?:final\s+)?(?P<split>{_SPLIT})\b(?P<words>(?:\W+(?:set|data|dataset|results?|metrics?|scores?"
    r"|performance|evaluation|report|errors?|phase|stats|statistics|classification|accuracy|loss|summary))*)(?P<end>[\W_]*)",
    re.IGNORECASE,
)  # a line that says of which split the numbers below it are
_BEGIN = re.compile(
    r"[\W_]*(?:model\s*[:=]\s*)?(?P<name>[^\W\d][\w .+()-]{1,40}?)\s*"
    r"(?:(?P<colon>:)(?=\s*(?P<next>[^\W\d][\w ^²-]{0,30}?)\s*[:=])|[:|,\]]|\s-+>?)\s",
    re.IGNORECASE,
)  # the begin of a line, which may be the name of a class or of an estimator
_COUNTER = re.compile(r"\b(?:epoch|step|iter|iteration|batch|round|episode)s?\b", re.IGNORECASE)
_SCALED = re.compile(r"_scale|scale_|loss scale|expected(?!.calib)", re.IGNORECASE)
_CAMEL = re.compile(r"[A-Z]?[a-z]+\d*|[A-Z]+\d*(?![a-z])|\d+")
_COUNTING = """
epoch epochs ep; step global_step trainer/global_step timestep num_timesteps total_timesteps time/total_timesteps;
iteration iterations iter iters it; round boosting_round tree
"""
AXES = {name: names.split()[0] for names in _COUNTING.split(";") for name in names.split()}
"""By name of what counts up the one that a curve has."""
UNNAMED = ("", "unnamed_0", "index")  # names of a column with the numbers, or names, of rows
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,4})?%?|[-+]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)


def _plain(text: str) -> str:
    text = re.sub(r"[rR](?:²|\^2)", "r2", text.replace("'s", " "))
    return re.sub(r"(?<=[a-z]{2})(?=[A-Z][a-z])|(?<=\w)-(?=\w)", "_", text)


def words_of(text: str) -> list[str]:
    """Return the words that name a number, in lower case, without articles and bare counts."""
    words: list[str] = []
    for word in re.sub(r"[^\w./@]", " ", _plain(text)).split():
        plain = word.strip("._/@").lower()
        is_count = plain.isdigit() and not (words and _COUNTED.fullmatch(words[-1]))
        is_filler = plain in _FILLERS and (word != "A" or not words)
        words += [plain] if plain and not is_filler and not is_count else []
    return words


def is_measured(text: str) -> bool:
    """Return True if a name is that of a measurement."""
    pieces = re.split(r"[\W_]+", _plain(text))
    parts = [*pieces, *(part for piece in pieces if not piece.isupper() for part in _CAMEL.findall(piece))]
    parts = [part.lower() for part in (*parts, *text.split())]
    return any(map(_MEASURED.fullmatch, parts)) and _SETTINGS.isdisjoint(parts) and not _SCALED.search(text)


def joined(words: list[str]) -> str:
    """Return the name that words make; of `accuracy test` the split comes first."""
    measured = next((place for place, word in enumerate(words) if is_measured(word)), 0)
    late = [word for word in words[measured + 1 :] if SPLIT.fullmatch(word)]
    return "_".join([*late[:1], *(word for word in words if word not in late[:1])])


def estimator_in(text: str) -> str:
    """Return the name of the estimator that a title is about, or nothing."""
    words = [word for word in words_of(text) if word not in _ACTIVITIES]
    return "_".join(words) if len(words) <= MOST_TITLE_WORDS and _ESTIMATOR.search(text) else ""


def label_of(line: str) -> str:
    """Return the name of the class or estimator with which a line begins, or nothing."""
    begin = _BEGIN.match(line)
    if begin is None or is_measured(begin["name"]) or SPLIT.search(begin["name"]) or _COUNTER.search(begin["name"]):
        return ""
    words = [word for word in words_of(begin["name"]) if word not in _ACTIVITIES]
    return "_".join(words) if begin["colon"] and is_measured(begin["next"]) else estimator_in(begin["name"])


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
    if not name or not words.isdisjoint(WORDS["settings_in_files"]):
        return False
    is_measure = is_measured(re.sub(r"(^|_)(epoch|step)s?(?=_|$)", "", name)) or any(map(_IN_FILES.fullmatch, words))
    return is_measure or (is_logged and words.isdisjoint(WORDS["counters_in_files"]))


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
