"""The measurements in one line of a log. What may be a time, a setting or a count is none: a gap harms less than a lie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pytest_training.execution.readers.printed_words import NOT_WHOLE, SHARE, SPLIT, is_measured, joined, words_of

MOST_WORDS = 7
LEAST_MEAN = 0.5
"""A number in brackets is the mean of the one before it, as meters print it, unless it is so much smaller: a deviation."""

_BOXES = {ord(each): "|" for each in "│┃║"} | {ord(each): " " for each in "╭╮╰╯┏┓┡┩└┘├┤┌┐┬┴┼╇╞╡╪─━═╌┄"}
_NOISE = tuple(
    (guard, re.compile(pattern), replacement)
    for guard, pattern, replacement in (
        ("%|", r"\d+%\|[^|\[]*\|\s*\S*/\S*\s*\[[^,\]]*(?:,\s*[^,\]]*(?:it|s|B|/s)\b)?", " ; "),  # tqdm's bar
        ("://", r"https?://\S+", " ; "),
        (":", r"(?<![\d.])\d{1,4}[-/]\d\d(?:[-/]\d{1,4})?[T ]+\d+:\d\d(?::\d\d)?(?:[.,]\d+)?Z?", " ; "),
        ("-", r"\b\d{4}-\d\d-\d\d\b", " ; "),
        (":", r"(?<![\d.])\d+:\d\d(?::\d\d)*(?:[.,]\d+)?(?![\d.])", " ; "),
        ("IoU=", r"(IoU=[\d.]+):", r"\1-"),
        ("IoU=", r"Average \w+\s+\((A[PR])\)\s*@\[\s*IoU=([\d.-]+)[\s|]+area=\s*(\w+)[^\]]*?(\d+)\s*\]", r"\1_\2_\3_\4"),
        ("@", r"@(\d*\.?\d+)[:-](\d*\.?\d+)", r"@\1_\2"),
        (".", r"[^\s,;(){}'\"]*[^\s,;(){}'\".\d]\.[a-zA-Z]\w{0,11}(?::\d+)*(?=[\s,;)\]]|$)", " ; "),  # a file
        ("(", r"\w*(?:Namespace|Classifier|Regressor|Regression|Config|Args|Arguments|Params|Options|Settings)\(.*", ""),
        ("[CV ", r"^\s*\[CV .*", ""),
        (",", r"\(\s*(['\"])([^'\"]+)\1,\s*", r" ; \2: "),  # a tuple of name and value
        ("", r"(?i)\b(?:weights?|config\w*|\w*parameters|settings|arguments|args|distribution)['\"]?\s*[:=].*", ""),
    )
)
"""What is no measurement, with a text that a line must have for it."""
_LEVEL = re.compile(
    r"\b(?:INFO|WARNING|WARN|ERROR|DEBUG|CRITICAL)\b\]?(?:\s*\|\s*[\w.:]+\s*[|-]|\s+-\s+[\w.]+\s+-(?=\s)|:[\w.]+:)?"
)
_LONGEST_PREFIX = 120
_COUNTER = re.compile(
    r"(?:\b(?P<of>after|at|in|for|of|from)\s+)?(?<![A-Za-z_/])(?P<name>epoch|step|iter|iteration|episode|round|batch)s?\b"
    r"['\"]?(?:\((?P<split>\w+)\))?\s*[:=#]?\s*[\[(]?\s*(?P<value>\d+(?:\.\d+)?)\s*(?:(?:/|of)\s*\d+)?\s*[\])]*",
    re.IGNORECASE,
)
_LABEL = re.compile(r"(?:\bfor\s+)?\b(fold|class|run|task|client)[ _#:=-]{1,3}(\d+)(?:/\d+)?\b", re.IGNORECASE)
NUMBER = re.compile(
    r"(?<![\w.@^])(?<!\w-)[-+−]?(?:\d+(?:[.,]\d+)*\.?|\.\d+)(?:[eE][-+]?\d+)?|\b(?:nan|inf)\b", re.IGNORECASE
)
_OTHER = r"[-+]?\.?\d[\d.,]*(?![\d.,]*[A-Za-z%/:])"
_REJECTED = re.compile(  # what follows a number that is not the value of the name before it
    r"(?!d[Bb]\b|px\b|mm\b|pp\b)[A-Za-z_]|[-–:@]\.?\d|/[A-Za-z_]|\s?%+\s*\||\s*(?:-+>|=+>|→|to\b)\s*\d|\s*/\s*\d+\.\d"
    rf"|\s*,\s*{_OTHER}|\s+{_OTHER}"
)
_TAIL = re.compile(
    r"(?P<share>\s*/\s*(?P<of>\d+)(?![\d.]))?(?P<percent>\s?%+|\s?(?:percent|pct)\b)?(?:\s?(?:d[Bb]|px|mm|pp)\b)?\)?"
    r"(?:\s*\(?\s*(?:\+/-|±|\+-|\+)\s*[\d.]+(?:[eE][-+]?\d+)?%*\)?)?"
    r"(?:\s*\(\s*(?P<mean>[-+]?[\d.]*\d(?:[eE][-+]?\d+)?)\s*(?P<also>%+)?\s*\))?"
)
_FUNCTION = re.compile(r"(?:tensor|array|(?:np|numpy|jnp)\.\w+)\s*\([\[(\s]*$")
_BRACKETS = re.compile(r"[\[{(\s'\"]*$")
_SIGN = re.compile(r"\s*(?P<sign>(?<![<>!=])(?:::?|:?=)>?|-+>|=+>|→|≈|~|\.{2,}|\bis\b|\bwas\b|\bof\b|(?<=\s)-|\|)?$")
_BOUNDARY = re.compile(r"[;,|\t:=\[\]{}!?]|\.\s|\s[-*]+\s|(?![²^])[^\x00-\x7f\w\s]")
_WHOLE_SPLIT = re.compile(rf"(?<!\w){SPLIT.pattern}(?!\w)", re.IGNORECASE)
_ALONE = ("best", "final", "overall")
"""First words of a name that belongs to no split which the line names before it."""
_PLAIN = re.compile(r"\d+\.?\d*|\.\d+")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+\.\d+|[1-9]\d{0,2}(?:,\d{3}){2,}")
_COMMA = re.compile(r"(?:0,\d+|\d+,(?:\d{1,2}|\d{4,}))|[1-9]\d{0,2}(?:\.\d{3})+,\d+")


class Line(NamedTuple):
    """What a line says."""

    values: dict[str, float]
    """Measurements by name; NaN too."""
    counters: dict[str, float]
    """Where the program is: epoch, step."""


class _Printed(NamedTuple):
    """A number and what stands around it."""

    before: str
    """From the number before it."""
    text: str
    tail: re.Match[str]
    is_rejected: bool


def clean(text: str) -> str:
    """Return a line without times, places, progress bars and settings."""
    if not text.isascii():
        text = text.translate(_BOXES)
    if (level := _LEVEL.search(text)) and level.start() < _LONGEST_PREFIX:
        text = text[level.end() :]
    for guard, pattern, replacement in _NOISE:
        if guard in text:
            text = pattern.sub(replacement, text)
    return text


def read_line(text: str, section: str = "") -> Line:
    """Return the measurements in a clean line; `section` is the split that a title before it names."""
    line, labels = Line({}, {}), list[str]()
    text = _COUNTER.sub(lambda counter: _count(counter, line.counters), text)
    text = _LABEL.sub(lambda label: labels.append(f"{label[1]}_{label[2]}_".lower()) or " ", text)
    is_table = text.lstrip().startswith("|")
    has_bare = bool(line.counters) or "remaining:" in text
    split, means, measured = "", list[bool](), list[tuple[str, float, float | None]]()
    for number in _numbers(text):
        key, sign, context = _named(number.before, is_table=is_table)
        split = _last_split(context) or split
        value, mean = _value(number, key)
        means += [] if mean is None or not value else [abs(mean) >= LEAST_MEAN * abs(value)]
        name = _name(key, sign, number, has_bare=has_bare)
        if name and not SPLIT.search(name) and not name.startswith(_ALONE) and (split or section):
            name = f"{split or section}_{name}"
        if " " in key or (sign == ":" and number.text.isdigit()):  # `Train: 3 [50/100]  Loss: 0.3`, not `val_loss: 0.3`
            split = _last_split(key) or split
        if name and value is not None:
            measured.append(("".join(labels) + name, value, mean))
    takes_mean = any(means) and (len(means) > 1 or "[" in text)
    for name in {name for name, *_ in measured}:
        values = {mean if takes_mean and mean is not None else value for each, value, mean in measured if each == name}
        line.values.update({name: values.pop()} if len(values) == 1 else {})
    return line


def _count(counter: re.Match[str], counters: dict[str, float]) -> str:
    counters[counter["name"].lower()] = float(counter["value"])
    return " " if counter["of"] else f" ; {counter['split'] or ''} ; "


def _numbers(text: str) -> Iterator[_Printed]:
    start = 0
    for found in NUMBER.finditer(text):
        end = found.end() - found[0].endswith(".")
        tail = _TAIL.match(text, end)
        if found.start() < start or tail is None:
            continue
        before = text[start : found.start()]
        is_word = found[0].isdigit() and not tail[0].strip() and before[-1:] == " " and before.rstrip()[-1:].isalpha()
        if is_word and (sign := _SIGN.search(before.rstrip())) and not sign["sign"]:
            continue  # a count inside a name: `accuracy on 100 images: 0.9`
        yield _Printed(before, found[0].rstrip("."), tail, _REJECTED.match(text, end) is not None)
        start = tail.end()


def _named(before: str, *, is_table: bool) -> tuple[str, str, str]:
    """Return the name that ends before a number, the sign between them, and what stands before the name."""
    function, brackets = _FUNCTION.search(before), _BRACKETS.search(before)
    head = before[: function.start() if function else brackets.start() if brackets else None].rstrip()
    found = _SIGN.search(head)
    sign = found["sign"] or "" if found else ""
    is_open = not function and bool(brackets and brackets[0].strip(" '\""))
    sign = "(" if is_open and not sign else "" if sign == "|" and not is_table else sign
    head = head[: found.start()] if found else head
    if head.count("(") > head.count(")"):
        head = head[: head.rfind("(")] + ";" + head[head.rfind("(") + 1 :]
    ends = [0, *(boundary.end() for boundary in _BOUNDARY.finditer(head))]
    if sign in {"is", "was"} and len(ends) > 1 and not is_measured(head[ends[-1] :]):
        ends.pop()  # `accuracy of class: cat is 0.9`
    return head[ends[-1] :].strip(), sign, head[: ends[-1]]


def _last_split(text: str) -> str:
    splits = _WHOLE_SPLIT.findall(text)
    return str(splits[-1]).lower() if splits else ""


def _name(key: str, sign: str, number: _Printed, *, has_bare: bool) -> str:
    """Return the name of a measurement, or nothing if it is none."""
    if number.is_rejected or sign == "(":
        return ""
    is_whole = number.text.isdigit() and not number.tail["percent"] and not number.tail["share"]
    if has_bare and sign in {":", "="} and SPLIT.fullmatch(key) and not is_whole:
        return key.lower()
    words = words_of(key)
    if not words or len(words) > MOST_WORDS or not is_measured(" ".join(words)):
        return ""
    if sign in {"", "of", "-"} and (is_whole or not is_measured(words[-1])):
        return ""
    if is_whole and any(map(NOT_WHOLE.fullmatch, words)):
        return ""
    return joined(words)


def _value(number: _Printed, key: str) -> tuple[float | None, float | None]:
    """Return a number, and the mean in brackets behind it; a share and per cent as a fraction."""
    value = parse_number(number.text)
    percent = 100 if number.tail["percent"] or "%" in key else 1
    if value is None:
        return None, None
    if number.tail["share"]:
        of = int(number.tail["of"])
        is_share = number.text.isdigit() and 0 <= value <= of and of and any(map(SHARE.fullmatch, words_of(key)))
        return (value / of if is_share else None), None
    mean = number.tail["mean"]
    scale = 100 if number.tail["also"] else percent
    return value / percent, (None if mean is None or mean.count(".") > 1 else float(mean) / scale)


def parse_number(text: str) -> float | None:
    """Return the number that a text is, or None if it can be read in two ways: `1,234`."""
    text = text.replace("−", "-")
    digits, exponent = re.match(r"[-+]?([^eE]*)(.*)", text).groups() if text[-1:].isdigit() else (text, "")  # type: ignore[union-attr]  (it matches any text)
    if _THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", "")
    elif _COMMA.fullmatch(digits):
        digits = digits.replace(".", "").replace(",", ".")
    elif not _PLAIN.fullmatch(digits) and text.lower().strip("-+") not in {"nan", "inf"}:
        return None
    sign = -1 if text.startswith("-") else 1
    return sign * abs(float(digits + exponent)) if digits else None
