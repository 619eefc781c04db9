"""Which names of numbers that programs print and write are measurements, and which settings, times or counts."""

import re
import tomllib
from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from pytest_training.execution.readers.protocol import GROUPS

MOST_TITLE_WORDS, MOST_CELLS, LONGEST_NUMBER, LONGEST_NAME = 5, 2_000, 40, 200
_LISTS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
WORDS = {key: frozenset(words.split()) for key, words in _LISTS.items()}
ANY = {key: f"(?:{'|'.join(words.split())})" for key, words in _LISTS.items()}
"""Lists of words, and patterns of any of their words."""
_MEASURED, _IN_FILES = re.compile(ANY["measurements"]), re.compile(ANY["measurements_in_files"])
_ESTIMATOR = re.compile(ANY["estimators"], re.IGNORECASE)
SPLITS = WORDS["splits"]
_NO_TAGS = SPLITS | WORDS["activities"] | WORDS["titles"] | WORDS["settings"] | {"info", "warning", "error", "debug"}
NOT_WHOLE = re.compile(rf"(?:.*_)?{ANY['counts_if_whole']}s?")
SHARE = re.compile(r"\w*(?:acc|accuracy|accuracies|recall|precision|genauigkeit|hits?|success)")  # may be 141/200
_COUNTED = re.compile(r"top|k|rouge|bleu|hits?|precision|recall|f|acc|ndcg|map|ap|r")  # `top 5`, `recall at 20`
SPLIT = re.compile(rf"(?<![^\W_])(?<!scikit[\W_]){ANY['splits']}(?![^\W\d_])", re.IGNORECASE)
TITLE = re.compile(
    rf"(?P<frame>[\W_]*)(?:final\s+)?(?P<split>{ANY['splits']})\b(?P<words>(?:\W+{ANY['titles']})*)(?P<end>[\W_]*)",
    re.IGNORECASE,
)  # a line that says of which split the numbers below it are
_BEGIN = re.compile(
    r"[\W_]*(?:model\s*[:=]\s*)?(?P<name>[^\W\d](?:[\w .+()-]|\b=\b){1,40}?)\s*"
    r"(?:(?P<colon>[:|]|\s-(?=\s))(?=\s*(?P<next>[^\W\d][\w ^²-]{0,30}?)\s*[:=])|[:|,\]]|\s-+>?)\s",
    re.IGNORECASE,
)  # the begin of a line, which may be the name of a class or of an estimator
_RESULT = re.compile(r"(?i)\W*(?:result|score|metric)s?\s+(?:for|of)\s+([^\W\d][\w .+()-]{1,40}?)\s*[:,|]\s*(?=\D)")
_TAG = re.compile(r"\s*\[([^\W\d]\w{2,40})\s*\]\s+(?=\S)")  # at the begin of a line
CASE = re.compile(rf"(?i)(?:{ANY['swept']})_[\d.]+(?:e[+-]?\d+)?_")  # the begin of a name: `k_3_`
_CASE = re.compile(
    rf"(?i)[^\w(\[]*({ANY['swept']})(?:\s*=\s*|(?<=\w\w)(?<!lr)(?<!rate)\s*[:\s]\s*)"
    r"(\d[\d.]*(?:e[+-]?\d+)?)\s*(?:[,:;|→]|[-=]+>|\s(?=[^\W\d]))"
)  # `k=3, accuracy: 0.9`, `Degree 2: MSE = 0.3`, `depth: 3 -> accuracy: 0.9`
_ASSIGNED, _ENDED = re.compile(r"\w=[\w'\"\[(]"), re.compile(r"\b(?:finish|end|complet|done)", re.IGNORECASE)
_VERB = re.compile(rf"\b{ANY['verbs']}\s+(?:an?\s+|the\s+)?(?![^()]*\))", re.IGNORECASE)
_WITH = re.compile(r"(?<=\w)\s+(?:with|using|on|for)\s")
_SENTENCE = re.compile(
    rf"\W*([^\W\d][\w+-]*(?: [\w+-]+){{0,2}}?)(?:\s+(?:with|using|on|for)\s.*)?\s{ANY['verbs']}\s", re.IGNORECASE
)
_COUNTER = re.compile(r"\b(?:epoch|step|iter|iteration|batch|round|episode)s?\b", re.IGNORECASE)
_LOGISTIC = re.compile(
    r"lr[\s_]+(?=(?:(?:classification|classifier|model|test|train(?:ing)?|val(?:idation)?|cv|mean|average)[\s_]+)*"
    r"(?:accuracy|precision|recall|f1|auc|roc|score)(?![^\W_]))",
    re.IGNORECASE,
)  # `LR test accuracy`: logistic regression, and no learning rate
_SCALED = re.compile(ANY["no_measurements"], re.IGNORECASE)
_CAMEL = re.compile(r"[A-Z]?[a-z]+\d*|[A-Z]+\d*(?![a-z])|\d+")
_COUNTING = """
epoch epochs ep; step global_step trainer/global_step timestep num_timesteps total_timesteps time/total_timesteps;
iteration iterations iter iters it; round boosting_round tree
"""
AXES = {name: names.split()[0] for names in _COUNTING.split(";") for name in names.split()}
"""By name of what counts up the one that a curve has."""
UNNAMED = ("", "unnamed_0", "index")  # names of a column with the numbers, or names, of rows
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,4})?\s?%?|[-+]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"^([-+]?\d+),(\d+)(?=(?:e[-+]?\d+)?\s?%?$)", re.IGNORECASE)
OF_SPLIT = re.compile(r"split|phase|mode|set|stage|part")  # columns that say of which part of the data a row is


class Row(NamedTuple):
    """What is written at one moment, or about one model: names as they stand there, and what stands below them."""

    cells: Mapping[str, Any]
    is_logged: bool = False  # True if its numbers are logged as metrics, and are no settings
    is_point: bool = True  # False for a summary, which is no point of a curve


def _plain(text: str) -> str:
    text = re.sub(r"(?<=\w)'s(?![^\W_])", " ", text)
    text = re.sub(r"[rR](?:²|\^2)", "r2", text.replace("scikit learn", "scikit_learn"))
    return re.sub(r"(?<=[a-z]{2})(?=[A-Z][a-z])|(?<=\w)-(?=\w)", "_", text)


def words_of(text: str) -> list[str]:
    """Return the words that name a number, in lower case, without articles and bare counts."""
    words: list[str] = []
    for word in re.sub(r"[^\w./@]", " ", _plain(text)).split():
        plain = word.strip("._/@").lower()
        is_count = plain.isdigit() and not (words and _COUNTED.fullmatch(words[-1]))
        is_filler = plain in WORDS["fillers"] and (word != "A" or not words) and words[-1:] != ["neural"]
        words += [plain] if plain and not is_filler and not is_count else []
    return words


@lru_cache(maxsize=1024)
def is_measured(text: str) -> bool:
    """Return True if a name names a measurement."""
    text = text[logistic.end() :] if (logistic := _LOGISTIC.match(text)) else text
    pieces = re.split(r"[\W_]+", _plain(text))
    parts = [*pieces, *(part for piece in pieces if not piece.isupper() for part in _CAMEL.findall(piece))]
    parts = [part.lower() for part in (*parts, *text.split())]
    return any(map(_MEASURED.fullmatch, parts)) and WORDS["settings"].isdisjoint(parts) and not _SCALED.search(text)


def joined(words: list[str]) -> str:
    """Return the name that words make; of `accuracy test` the split comes first."""
    measured = next((place for place, word in enumerate(words) if is_measured(word)), 0)
    late = [word for word in words[measured + 1 :] if SPLIT.fullmatch(word)]
    return "_".join([*late[:1], *(word for word in words if word not in late[:1])])


@lru_cache(maxsize=1024)
def estimator_in(text: str) -> str:
    """Return the name of the estimator that a title is about, or nothing."""
    head, _, settings = text.partition("(")
    text = head if _ASSIGNED.search(settings) else text
    if _ASSIGNED.search(text):  # settings of an estimator whose name stands in a line above
        return ""
    words = [word for word in words_of(text) if word not in WORDS["activities"]]
    return "_".join(words) if len(words) <= MOST_TITLE_WORDS and _ESTIMATOR.search(text) else ""


def without_sentence(text: str) -> str:
    """Return what a sentence says is measured: `MSE` of `model logged in run with MSE`, `svm AUC` of `SVM has AUC`."""
    verb = deque(_VERB.finditer(text), maxlen=1)
    before, after = (text[: verb[0].start()], text[verb[0].end() :]) if verb else ("", text)
    if verb and not before.strip() and is_measured(after):
        return after  # `svm on (0, 1) has a score of`
    if not before.strip() or is_measured(before) or not is_measured(after):
        return text
    ended = _ENDED.search(verb[0][0] + before)  # `training finished with accuracy` is not the accuracy in training
    kept = [word for word in words_of(before) if word in WORDS["degrees"] or (word in SPLITS and not ended)]
    estimator = estimator_in(" ".join(word for word in words_of(_WITH.split(before)[0]) if word not in kept))
    return " ".join([*kept, estimator, after]).strip()


def label_of(line: str, *, has_tags: bool, has_cases: bool) -> str:
    """Return the name of the class, the estimator or the case with which a line begins, or nothing."""
    if tag := _TAG.match(line):
        own = label_of(line[tag.end() :], has_tags=False, has_cases=has_cases)
        is_label = has_tags and tag[1].lower() not in _NO_TAGS
        return own or (tag[1].lower() if is_label else estimator_in(tag[1]))
    case, sentence = _CASE.match(line) if has_cases else None, _SENTENCE.match(line)
    if own := f"{case[1]}_{case[2]}".lower() if case else estimator_in(sentence[1]) if sentence else "":
        return own  # also `decision_tree` of `DecisionTree with features (0, 1) has a score of 0.9`
    if (result := _RESULT.match(line)) and not (SPLIT.search(result[1]) or _COUNTER.search(result[1])):
        return estimator_in(result[1]) or "_".join(words_of(result[1]))
    begin = _BEGIN.match(line)
    if begin is None or is_measured(begin["name"]) or SPLIT.search(begin["name"]) or _COUNTER.search(begin["name"]):
        return ""
    name, _, setting = begin["name"].partition("(")
    words = [word for word in words_of(name) if word not in WORDS["activities"]]
    if not (words and begin["colon"] and is_measured(begin["next"])) or not WORDS["settings"].isdisjoint(words):
        return estimator_in(begin["name"])
    return "_".join((*words, *(re.findall(r"\w+(?:\.\d+)?", setting.lower())[:3] if re.search(r"\d", setting) else ())))


@lru_cache(maxsize=4096)
def metric_name(raw: str) -> str:
    """Return a name in lower case with its words joined by `_`; a `/` stays, as in `eval/auc`."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", raw.strip()).lower()
    name = re.sub(r"[^\w/@.]+|(?<!\d)\.|\.(?!\d)", "_", name)
    return re.sub(r"__+|_*/_*", lambda match: "/" if "/" in match[0] else "_", name).strip("_/")


@lru_cache(maxsize=4096)
def is_metric(name: str, *, is_logged: bool) -> bool:
    """Return True unless a name names a time, a setting or a counter; if not logged, it must name a measurement."""
    words = frozenset(re.split(r"[\W_]+", name))
    if not name or words & WORDS["settings_in_files"]:
        return False
    is_measure = is_measured(re.sub(r"(^|_)(epoch|step)s?(?=_|$)", "", name)) or any(map(_IN_FILES.fullmatch, words))
    return is_measure or (is_logged and not words & WORDS["counters_in_files"])


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


def cells_of(row: Iterable[str], delimiter: str) -> list[str]:
    """Return the cells of a row of a table; in one without commas between them a comma is a decimal point."""
    cells = [cell.strip() for cell in row]
    return cells if delimiter == "," else [DECIMAL_COMMA.sub(r"\1.\2", cell) for cell in cells]


def read_row(row: Row, run: str, *, is_history: bool) -> tuple[dict[str, float], dict[str, float | Decimal], str]:
    """Return a row's counters, its metrics, and of what they are: text names a part of the data, a model or a run.

    In a history a column without a name counts up; elsewhere its numbers are names.
    """
    counts: dict[str, float] = {}
    metrics: dict[str, float | Decimal] = {}
    labels, number, split = [run], "", ""
    for at, (raw, cell) in enumerate(islice(row.cells.items(), MOST_CELLS)):
        name, value = metric_name(raw[:LONGEST_NAME]), measured(cell)
        axis = AXES.get(name) or (name if name in GROUPS else "round" if name in UNNAMED and is_history else "")
        if value is None and isinstance(cell, str):
            word, is_first = cell.strip().lower(), at == 0 and not row.is_logged
            if word in SPLITS:
                split = word if is_first or OF_SPLIT.search(name) else split
            elif name in WORDS["subjects"] or (is_first and not word[:1].isdigit()):
                labels.append(cell[:60])
        elif value is not None and axis:
            counts[axis] = float(value)
            labels += [f"{name}_{cell}"] if name in GROUPS and row.is_point else []
        elif value is not None and name in UNNAMED:
            number = str(cell)
        elif value is not None and is_metric(name, is_logged=row.is_logged) and not raw.startswith("_"):
            metrics[name] = value
    label = " ".join(dict.fromkeys(filter(None, labels))) or number
    is_of_row = len(metrics) > 1 or {*metrics} <= {"score", "value"}  # and not `Cox sensitivity, concordance 0.7`
    is_of_row &= len({*metrics.values()}) == 1 and not row.is_logged
    if is_of_row and is_metric(metric_name(label), is_logged=False):
        metrics, label = {metric_name(label): next(iter(metrics.values()))}, ""  # the row of the accuracy in a report
    return counts, {of_split(split, name): value for name, value in metrics.items()}, label
