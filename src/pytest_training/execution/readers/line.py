"""The measurements in one line of a log.

A number that may be a time, a setting or a count is left out: a gap is better than a lie.
A name ends before its number, with a sign or a space between them, and begins behind the last number or bracket.
"""

import re
import string
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from pytest_training.execution.readers.names import (
    ANY,
    NOT_WHOLE,
    SHARE,
    SPLIT,
    WORDS,
    is_measured,
    joined,
    without_sentence,
    words_of,
)
from pytest_training.execution.readers.numbers import Number, parse_number

MOST_WORDS, MOST_NUMBERS, MOST_PAIRS, LONGEST_WORD, _LONGEST_PREFIX = 7, 200, 40, 40, 160
BOXES = {ord(each): "|" for each in "│┃║┆┇┊"} | {ord(each): " " for each in "╭╮╰╯┏┓┡┩└┘├┤┌┐┬┴┼╇╞╡╪─━═╌┄"}
_WIDE = BOXES | {wide: chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)}  # a wide colon is a colon
_FILE = r"(?<![^\s,;(){}'\"])[^\s,;(){}'\"]*[^\s,;(){}'\".\d]\.[a-zA-Z]\w{0,11}(?:(?::\d+)+:?)?(?=[\s,;)\]]|$)"
BAR = re.compile(r"\d+%\|[^|\[]*\|\s*\S*/\S*\s*\[[^,\]]*(?:,\s*[\d.?][^,\]=]*(?:it|s|B|/s)\b)?")  # of tqdm
_OF_COCO = r"Average \w+\s+\((A[PR])\)\s*@\[\s*IoU=([\d.-]+)[\s|]+area=\s*(\w+)[^\]]*?(\d+)\s*\]"
_TIME = r"(?<![\d.])(?:\d{1,4}[-/]\d\d(?:[-/]\d{1,4})?[T ]+)?\d+:\d\d(?::\d\d)*(?:[.,]\d+)?Z?(?![\d.])"
_OBJECT = r"(?:Namespace|Classifier|Regressor|Regression|Config|Args|Arguments|Params|Options|Settings)\(.*"
_LISTED = r"(?i)\b(?:weights?|config\w*|(?:hyper)?parameters|settings|arg\w*s|distribution)\W?\s*[:=](?!\w+[,)])[^;]*"
_OF_FEATURES = (
    r"(?i)(?:importances?|coef\w*|gain|cover)['\"]?\s*(?:[:=]\s*)?\{[^{}]*\}?"
    r"|\{[^{}]*['\"]f(?:0|[3-9]|\d\d+)['\"]\s*:[^{}]*\}?"
)  # `total_cover: {'f0': 10.0, 'f1': 8.0}`: the names of features that have none are no F1
_CI = r"(?i)(\(\s*)?\b\d\d(?:\.\d)?\s?%\s*(?:ci|confidence|credible|conf\.?)\b(?:\s+intervals?\b)?(?(1)\s*\)|)"
_GIVEN = r"(?:(?:the|an?|initial|test|given|zero|random|loaded|these)\s+)*(?:theta|parameters|weights)(?!\s+found)\b"
_NOISE = tuple(
    (guards.split("~"), re.compile(pattern), replacement)
    for guards, pattern, replacement in (
        ("   ", r"\s{3,}", "\t"),
        ("%|", BAR.pattern, " ; "),
        ("{", _OF_FEATURES, " ; "),
        ("://", r"https?://\S+", " ; "),
        (":~-", rf"{_TIME}|\b\d{{4}}-\d\d-\d\d\b", " ; "),
        ("iou=", r"(IoU=[\d.]+):", r"\1-"),
        ("iou=", _OF_COCO, r"\1_\2_\3_\4"),
        ("@", r"@(\d*\.?\d+)[:-](\d*\.?\d+)", r"@\1_\2"),
        (".", _FILE, " ; "),
        ("(", _OBJECT, ""),
        ("%", _CI, lambda level: "" if level[1] else " ; "),  # `AUC (95% CI): 0.91`
        ("load~resum", r"(?i).*\b(?:load(?:ed|ing)?|resum(?:e|ed|ing))\b.*", ""),
        ("theta~param~weight", rf"(?i)\bat\s+{_GIVEN}.*", ""),  # a cost that nothing has lowered yet
        ("warning~error", r"^(?:\W*(?:[Ww]arning|WARNING|ERROR\s*[:\]])|.*\wWarning: ).*", ""),
        ("~".join(WORDS["in_no_results"]), rf"(?i){ANY['no_results']}", ""),
        ("',~\",", r"\(\s*(['\"])([^'\"]+)\1,\s*", r" ; \2: "),  # a tuple of name and value
        ("best is trial", r"(?i).*\bbest is trial \d+ with value:", "best_value:"),  # of Optuna
        ("weight~config~param~setting~arg~distrib", _LISTED, ""),
    )
)  # what is no measurement; each with texts of which a line must have one, in lower case
LEVEL = re.compile(
    r"\b(?:INFO|WARNING|WARN|ERROR|DEBUG|CRITICAL)\b\]?(?:\s*\|\s*[\w.:]+\s*[|-]|\s+-\s+[\w.]+\s+-(?=\s)|:[\w.]+:)?"
)
_COUNTER = re.compile(
    r"^\s*\[(?P<first>\d+)\](?=\s)|(?:\b(?P<of>after|at|in|for|of|from)\s+)?(?<![A-Za-z_/])"
    r"(?P<name>epoch|step|iter|iteration|episode|round|batch)s?\b['\"]?(?:\((?P<split>\w+)\))?"
    r"\s*[:=#]?\s*[\[(]?\s*(?P<value>\d+(?:\.\d+)?)\s*(?:(?:/|of)\s*(?P<total>\d+))?\s*[\])]*",
    re.IGNORECASE,
)
_AXES = {"iter": "iteration", "episode": "round"}
_LABEL = re.compile(rf"(?:\bfor\s+)?\b({ANY['labels']})[ _#:=-]{{1,3}}(\d+)(?:/\d+)?\b(?!\.\d)", re.IGNORECASE)
NUMBER = re.compile(
    r"(?<![\w.@^])(?<!\w-)[-+\u2212]?(?:\d+(?:[.,]\d+)*\.?|\.\d+)(?:[eE][-+]?\d+)?|\b(?:nan|inf)\b", re.IGNORECASE
)
_OTHER = r"(?!\d+\s+[A-Za-z])[-+]?\.?\d[\d.,]*(?:[eE][-+]?\d+)?(?![\d.,]*[A-Za-z%/:])"
_REJECTED = re.compile(  # what follows a number that is not the value of the name before it
    r"(?!d[Bb]\b|px\b|mm\b|pp\b)[A-Za-z_]|[-\u2013:@]\.?\d|/[A-Za-z_]|\]+,?\s*\[+[-\d.]|\s?%+[|\[]|\s?[kKMGT]i?B\b|\s*(?:-+>|=+>|→|(?:to|vs|versus)\b\.?)\s*[-+]?\.?\d|\s*/\s*[-+]?\d*\.\d"
    rf"|\s*,\s*{_OTHER}|\s+(?:[-\u2013]\s+)?{_OTHER}|\s*[)\]]?\s*[:=]\s+{_OTHER}|{ANY['no_values']}"
)
_TAIL = re.compile(
    r"(?P<share>\s*(?:/|(?:out\s+)?of\b)\s*(?P<of>\d+)(?![\d.]))?(?P<percent>\s?%+|\s?\(\s?%\s?\)|\s?(?:percent|pct)\b)?(?:\s?(?:d[Bb]|px|mm|pp)\b)?\)?"
    r"(?:\s*\(?\s*(?:\+/-|±|\+-|\+)\s*[\d.]+(?:[eE][-+]?\d+)?%*\)?)?"
    r"(?:\s*\(\s*(?P<mean>[-+]?[\d.]*\d(?:[eE][-+]?\d+)?)\s*(?P<also>%+)?\s*\))?"
)
_FUNCTION = re.compile(r"(?:[Tt]ensor|[Aa]rray|(?:np|numpy|jnp)\.\w+)\s*\([\[(\s]*$")
_SIGN = re.compile(
    r"\s*(?P<sign>(?<![<>!=])(?:::?|:?=)>?|-+>|=+>|→|≈|~|\.{2,}|\bis(?:\s+now)?\b|\bwas\b|\bof\b|(?<=\s)-|\|)?$"
)
_BOUNDARY = re.compile(
    r"(?P<soft>\t)|(?<=\w)=(?:[^\W\d]\w*|[^\s=,;:(]*\))\s+(?=\w)|[;,|:=\[\]{}!?]|(?<=\w{5})\.\s|\s[-*]+\s|(?![²^])[^\x00-\x7f\w\s]"
)
_PART = re.compile(ANY["parts"])
_WHOLE_SPLIT = re.compile(rf"(?<!\w){SPLIT.pattern}(?!\w)", re.IGNORECASE)
TWO = re.compile(rf"{SPLIT.pattern}\s*(?:/|&|and)\s*{SPLIT.pattern}", re.IGNORECASE)  # which is it?
_EXCEPTION = re.compile(rf"errors?_(?!rate|score|{SPLIT.pattern})", re.IGNORECASE)  # `Error during upload: 503`
_WEAK = frozenset(["", "of", "-"])  # signs of a measurement only between its name and a number with decimals
_ALONE = (["best"], ["final"], ["overall"])  # first words of names of no split
_GOES_ON, _HYPHEN = re.compile(r"\s+[^\W\d]|\s*[):=]"), re.compile(r"-[^\W\d]")
_AT, _INNER = re.compile(r"(?i)(?:\b(?:at|with|after|using)|@)\s*$"), re.compile(r"\s?%?\s+[^\W\d][^,;|:=\d]*[:=]")
_WORD = string.ascii_letters + string.digits + "_/"
_IN_WORDS = re.compile(r"(?<!\bis)(?<!\bwas)(?<=[^\W\d_])\s+$")
_ONE = r"(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf)(?:\s?%)?"
_BETWEEN = r"\s*(?:,\s*and\b|[,/|&]|\band\b)\s*"
_SEVERAL = re.compile(
    rf"(?P<names>(?<![\w/])[^\W\d][\w ,/|&²^@'\"-]{{3,120}})[\])]?\s*(?:[:=]|\bis\b|\bare\b)\s*[\[(]?\s*"
    rf"(?P<numbers>{_ONE}(?:(?:{_BETWEEN}|\s+){_ONE}){{1,7}})(?![\w.%]|{_BETWEEN}[-+.\d]|\s+[-+]?\.?\d)"
)  # `loss, acc: 0.3, 0.9`
_ASSIGNED = r"[^\W\d]\w{0,30}\s?==?\s?[^\s,;:()\[\]=]{1,30}"
SETTING = re.compile(
    r"(?:\b(?:for|with|at|when|using)\s+|[(\[]\s*)"
    rf"(?P<of>{_ASSIGNED}(?:\s*,\s*{_ASSIGNED}){{0,5}}|{ANY['settings']}\s\d[\d.]{{0,9}})"
    r"\s*[)\]]?(?=\s*(?:(?<=[)\]])[ ][^\W\d][\w ]{0,30})?(?::|=|->|\bis\b|\bwas\b)\s*[-+]?\.?\d)",
    re.IGNORECASE,
)  # `accuracy for k=3: 0.9`, `F1 (depth=2): 0.9`, `accuracy at threshold 0.5: 0.9`
_LETTER = re.compile(r"(?:\b(?:for|with|at|when|using)\s+|@)[^\W\d]$")
_COMPARES = re.compile(r"[<>]=$|(?<![-=])[<>]$")  # `accuracy > 0.9` is a condition, and `accuracy -> 0.9` is none
_JOINT, _CLOSED = re.compile(r"\band\b|&"), re.compile(r"\.?\s*\]")


class Line(NamedTuple):
    """What a line measures, by name, also NaN; where the program is (epoch, step); what is done, of how much."""

    values: dict[str, Number]
    counters: dict[str, float]
    progress: tuple[float, float] | None = None


class _Key(NamedTuple):
    """What stands before a number."""

    text: str
    words: tuple[str, ...]
    name: str  # of a measurement; else empty
    sign: str  # what stands between name and number: `:`, `=`, `is`; `(` for a bracket alone
    before: str  # the split that is named last before the name
    split: str  # the split that the name says
    has_split: bool  # True if no split before it counts


def clean(text: str) -> str:
    """Return a line without times, places, progress bars and settings."""
    if not text.isascii():
        text = text.translate(_WIDE)
    if (level := LEVEL.search(text)) and level.start() < _LONGEST_PREFIX and not is_measured(text[: level.start()]):
        text = text[level.end() :]
    lower = text.lower()
    for guards, pattern, replacement in _NOISE:
        if any(guard in lower for guard in guards):
            text = pattern.sub(replacement, text)
    return text


def read_line(text: str, section: str = "") -> Line:
    """Return the measurements in a clean line; `section` is the split that a title before it names."""
    counters: dict[str, tuple[float, float]] = {}
    text, label, lower = _COUNTER.sub(lambda counter: _count(counter, counters), text), "", text.lower()
    if any(word in lower for word in WORDS["labels"]):
        label = "".join(f"{label[1]}_{label[2]}_".lower() for label in _LABEL.finditer(text))
        text = _LABEL.sub(" ", text)
    text = _SEVERAL.sub(_one_by_one, SETTING.sub(_without_setting, text))
    section = "" if counters else section
    has_bare = bool(counters and not {"round", "step"} <= counters.keys()) or "remaining:" in text
    values = _values(text, section, label, has_bare=has_bare)
    progress = counters.get("epoch") or next(iter(counters.values()), (0.0, 0.0))
    places = {name: done for name, (done, _) in counters.items()}
    return Line(values, places, progress if 0 < progress[0] <= progress[1] else None)


def _count(counter: re.Match[str], counters: dict[str, tuple[float, float]]) -> str:
    name = counter["name"].lower() if counter["name"] else "round"
    counters[_AXES.get(name, name)] = float(counter["value"] or counter["first"]), float(counter["total"] or 0)
    return " " if counter["of"] else f" ; {counter['split'] or ''} ; "


def _without_setting(setting: re.Match[str]) -> str:
    return setting[0] if any(map(is_measured, re.findall(r"(\w+)\s?=", setting["of"]))) else " "


def _one_by_one(several: re.Match[str]) -> str:
    """Return `loss: 0.3 ; acc: 0.9 ; ` for `loss, acc: 0.3, 0.9` if all names are those of measurements."""
    text, numbers = several["numbers"], re.findall(_ONE, several["numbers"])
    names = [name.strip(" '\"") for name in re.split(_BETWEEN, several["names"])]
    is_clear = all("." in number for number in numbers) or not re.search(r"\d,\d", text)  # `1,234` is one number
    are_names = all(is_measured(name) and not re.search(r"(^|\s)\d", name) for name in names)
    if len(names) != len(numbers) or not is_clear or not are_names:
        return several[0]
    return "".join(f"{name}: {number} ; " for name, number in zip(names, numbers, strict=True))


def _values(text: str, section: str, label: str, *, has_bare: bool) -> dict[str, Number]:
    split, is_table, start = section, text.lstrip().startswith("|"), 0
    text = text if text.count("=") < MOST_PAIRS else ""  # all the settings of a program
    means: list[bool] = []
    measured: dict[str, list[tuple[Number, Number]]] = {}
    for found in islice(NUMBER.finditer(text), MOST_NUMBERS):
        before, end = text[start : found.start()], found.end() - found[0].endswith(".")
        if found.start() < start or _is_in_words(before, text, end, is_count=found[0].isdigit()):
            continue
        number, tail = found[0].rstrip("."), _TAIL.match(text, end)
        if start and (before[:1].isalpha() or before[:1] == "/"):  # a unit, and what is glued to it
            before = before.lstrip(_WORD)
        key = _key(before, is_first=not start, is_table=is_table)
        start, split = tail.end() if tail else end, key.before or split
        split = section if key.words and _PART.fullmatch(key.words[0]) else split
        value, mean = _value(number, tail, key) if tail else (None, None)
        means += [2 * abs(float(mean)) >= abs(float(value))] if mean is not None and value else []
        is_whole = number.isdigit() and not (tail and (tail["percent"] or tail["share"]))
        is_list = before.rstrip().endswith("[") and not _CLOSED.match(text, start)
        is_rejected = number[0] == "+" or is_list or _REJECTED.match(text, end) or _REJECTED.match(text, found.end())
        name = "" if is_rejected else _name(key, is_whole=is_whole, has_bare=has_bare)
        if value is not None and name:
            name = f"{split}_{name}" if split and not key.has_split else name
            measured.setdefault(label + name, []).append((value, value if mean is None else mean))
        is_title = " " in key.text or (key.sign == ":" and number.isdigit())
        if key.split and is_title and WORDS["settings"].isdisjoint(key.words):  # not `eval time: 0.1`
            split = key.split  # `Train: 3 [50/100]  Loss: 0.3`, not `val_loss: 0.3`
    takes_mean = any(means) and (len(means) > 1 or "[" in text)
    finals = {name: {pair[takes_mean] for pair in pairs} for name, pairs in measured.items()}
    return {name: numbers.pop() for name, numbers in finals.items() if len(numbers) == 1}  # else it is unclear which


def _is_in_words(before: str, text: str, end: int, *, is_count: bool) -> bool:
    """Return True inside a name: `accuracy on 100 images: 0.9`, `5-fold accuracy`, `recall at 95% precision: 0.4`."""
    word = before[-LONGEST_WORD:]
    is_counted = is_count and (_HYPHEN.match(text, end) or (_GOES_ON.match(text, end) and _IN_WORDS.search(word)))
    return bool(is_counted or (_AT.search(word) and _INNER.match(text, end)))


@lru_cache(maxsize=4096)
def _key(before: str, *, is_first: bool, is_table: bool) -> _Key:
    """Return what stands before a number; the lines of a log differ in their numbers alone."""
    function = _FUNCTION.search(before) if "(" in before else None
    head = before[: function.start() if function else None].rstrip()
    head = head.rstrip("$€£")
    plain = head if function else head.rstrip("[{( \t'\"")
    is_open = plain != head.rstrip(" \t'\"")
    found = _SIGN.search(plain)
    sign = found["sign"] or "" if found else ""
    if (is_open and not sign) or (sign == "|" and not is_table) or _COMPARES.search(plain):
        sign = "("
    head = plain[: found.start()] if found else plain
    if head.count("(") > head.count(")"):
        head = ";".join(head.rsplit("(", 1))
    ends = [0]
    for boundary in _BOUNDARY.finditer(head):
        if not boundary["soft"] or len(ends) > 1 or not is_first:  # `svm      auc: 0.9`, not `y: dose    r2: 0.9`
            ends.append(boundary.end())
    if sign in {"is", "was"} and len(ends) > 1 and not is_measured(head[ends[-1] :]):
        ends.pop()  # `accuracy of class: cat is 0.9`
    text = without_sentence(head[ends[-1] :].strip())
    words = words_of(text)
    name = joined(words) if 0 < len(words) <= MOST_WORDS and sign != "(" and not TWO.search(text) else ""
    last = [word for word in words[-2:] if not SPLIT.fullmatch(word)][-1:] if sign in _WEAK else words
    has_split = bool(SPLIT.search("_".join(words))) or words[:1] in _ALONE
    is_norm = has_split and words[-1] in {"l1", "l2"}  # LightGBM's names of errors; alone they are penalties
    is_name = is_norm or (is_measured(" ".join(words)) and is_measured(" ".join(last)) and not _EXCEPTION.match(name))
    before_it, its_own = last_split(head[: ends[-1]]), last_split(text)
    is_name = is_name and not _LETTER.search(text)  # `accuracy for k=3`
    is_name = is_name and not text.lower().endswith((" in", " over"))  # `finished squared error in: 0.3`
    is_name = is_name and sum(map(is_measured, _JOINT.split(text))) < 2  # `loss and accuracy: 0.3`
    return _Key(text, tuple(words), name if is_name else "", sign, before_it, its_own, has_split)


def last_split(text: str) -> str:
    """Return the part of the data that a text names last, or nothing."""
    splits = _WHOLE_SPLIT.findall(text)
    return str(splits[-1]).lower() if splits else ""


def _name(key: _Key, *, is_whole: bool, has_bare: bool) -> str:
    """Return the name of a measurement, or nothing if the number measures nothing."""
    if key.name == "reward" and not has_bare:  # of a step
        return ""
    if is_whole and (key.sign in _WEAK or "/" in key.text or any(map(NOT_WHOLE.fullmatch, key.words))):
        return ""
    is_bare = has_bare and key.sign in {":", "="} and key.split == key.text.lower() and not is_whole
    return key.split if is_bare else key.name


def _value(text: str, tail: re.Match[str], key: _Key) -> tuple[Number | None, Decimal | None]:
    """Return a number, and the mean in brackets behind it; a share and per cent as a fraction."""
    value, mean = parse_number(text), parse_number(tail["mean"] or "")
    places = -2 if tail["percent"] or re.search(r"(?<!\d)(?<!\d )%", key.text) else 0
    if value is not None and tail["share"]:
        of = int(tail["of"])
        is_share = text.isdigit() and value <= of > 0 and any(map(SHARE.fullmatch, key.words))
        return (int(value) / of if is_share else None), None
    return value and value.scaleb(places), mean and mean.scaleb(-2 if tail["also"] else places)
