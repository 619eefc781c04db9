"""Which model, or which section, the numbers of a log are about.

A number that may belong to another model than the last one that is named gets no model's name.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct, field

from pytest_training.execution.readers.line import LEVEL, SETTING
from pytest_training.execution.readers.names import ANY, CASE, SPLIT, WORDS, estimator_in, is_measured, label_of
from pytest_training.execution.readers.numbers import Number

_FILLERS = frozenset(word for word in WORDS["fillers"] if len(word) > 1)
_NEUTRAL = (WORDS["activities"] | WORDS["titles"] | WORDS["splits"] | _FILLERS) - {"summary", "final"}
_ANYBODYS = WORDS["splits"] | WORDS["degrees"] | {"macro", "micro", "weighted", "cv"}
MOST_SECTION_WORDS = 4
_PROGRESS = re.compile(r"\s*[(\[]\s*\d+\s*(?:/|of)\s*\d+\s*[)\]]")
_WITH_NUMBER = re.compile(r"\s*\(([^()]*(?:\d|=\s?None)[^()]*)\)")
_NUMBERED = re.compile(r"(?i)[^\w\[]*(?:(?:model|step|part|example|示例)\s*)?\[?\d+(?:\s*/\s*\d+)?\s*[\]).:-]+\s+")
_SUBJECT = re.compile(rf"\W*(?:{ANY['subjects']}|{ANY['cases']})(?:\s+\w)?\s*[:=]\s+(?=\S)", re.IGNORECASE)
_VALUE, _SETTING = re.compile(r"\d\.\d|[:=]\s*[-+]?\d"), re.compile(r"\W*[^\W\d_][\w ]{0,20}\s*=\s*[\d.]+\W*")
_SWEPT = re.compile(
    rf"(?i)\W*(?:(?:\w+ing|for|with|high|low)\s+){{0,3}}({ANY['swept']}|learning rate)\s*[=:]\s*"
    r"(\d+(?:\.\d+)?(?:e-?\d+)?)\W*"
)  # `Calculating for k=3...`
_VARIED = re.compile(r"\W*\w+\s?=\s?[^\W\d]\w*\s*,")  # `kernel=linear, C=1: accuracy 0.9`
_RATE = re.compile(r"(?i)\W*(?:lr|learning[ _]rate)(?![^\W_])")
_PATH = re.compile(r"(?:^|[\s:'\"])(?:~|\.{1,2}|\w+)?/[\w.-]+/\S|\w\.[a-z]\w{1,4}(?![\w(.])")
_SENTENCE = re.compile(r"\W*(?:there|here|we|it|save[sd]?|saving|wrote|.*\bnot)\b", re.IGNORECASE)
_PARTED = re.compile(r"\s[|-]\s|,|\swith\s")
_FRAMED = re.compile(r"(?:[^\w\s'\"({<]{2,}|[\[【]).*|.*(?::|\.{3}|…)")
_BRACKETED = re.compile(r"\[\w+\].*")
_PLAIN = re.compile(r"[^\W_][\w &+/'-]*")
_MESSAGE = re.compile(ANY["messages"])
_OF_LOOP = re.compile(r"loss|cost|best|new_")
_SAYS_SOMETHING = re.compile(r"[^\W\d_]{2,}[^=\[\]{}\\]*")
_EDGE = re.compile(r"^[\W_]+|[\W_]+$")
_BESIDE = re.compile(r"\s(?:for|in|on|took|after|over)\s[^(]*\d.*|^\s*(?:train|fit)\s+(?=.*\son\s)", re.IGNORECASE)


class Label(NamedTuple):
    """What numbers are about."""

    estimator: str = ""  # that the last title names
    section: str = ""  # the last title since then that names none
    is_of_line: bool = False  # True if no title has named the estimator, but a line with numbers


class Titles(Struct):
    """Tells apart the numbers of several models, classes and sections: `svm_accuracy` and `knn_accuracy`."""

    label: Label = Label()
    replaced: set[str] = field(default_factory=set)
    """Names whose last number has taken the place of another one, below another title."""
    _block: int = 0  # the number of the title
    _blocks: dict[str, int] = field(default_factory=dict)  # by name the title of its last number
    _read: dict[str, Number | None] = field(default_factory=dict)  # the numbers below the title, the newest last
    _doubted: set[str] = field(default_factory=set)  # those of them that stand above a line of unclear meaning
    _above: dict[str, str | None] = field(default_factory=dict)  # by section its estimator, None if it has several
    _owners: dict[str, Label | None] = field(default_factory=dict)  # by name the label of its number, None for several

    def take(self, text: str, *, is_loop: bool = False) -> None:
        """Take a line that measures nothing as a title, if it is one; within epochs a learning rate is none."""
        if not text:
            is_short = self.label.section or self.label.is_of_line or CASE.match(f"{self.label.estimator}_")
            self.label = Label() if self._read and is_short else self.label
        else:
            self._read |= {"": self._read.pop("", None)} if self._read else {}
            if not (is_loop and _RATE.match(text)) or _RATE.match(self.label.estimator):
                self._begin(_PROGRESS.sub("", text))

    def _begin(self, text: str) -> None:
        text = LEVEL.sub("", text, 1).lstrip("[ ") if LEVEL.match(text.lstrip("[ ")) else text  # `INFO:root:The forest`
        subject = _SUBJECT.match(text)
        if _SENTENCE.match(text) or (_PATH.search(text) and not subject and not _FRAMED.fullmatch(text)):
            return
        head = subject or _NUMBERED.match(text)
        named = _BESIDE.sub("", text[head.end() if head else 0 :])
        setting = _WITH_NUMBER.search(named)
        plain = _WITH_NUMBER.sub("", named)
        part = _PARTED.split(plain)[0]
        if estimator_in(part) and not _VALUE.search(part) and not any(map(_MESSAGE.fullmatch, _words(part))):
            plain = part if _VALUE.search(plain) else plain  # `XGBoost | lr=0.1, depth=3`
        outer, inner = re.sub(r"\([^()]*\)", "", plain), re.search(r"\(([A-Z][^()]+)\)", plain)
        outer = f"{inner[1]}:" if inner and _NEUTRAL.issuperset(_words(outer)) else outer  # `Results (Newton):`
        if case := _SWEPT.fullmatch(plain) or _SWEPT.fullmatch(text):
            base = CASE.sub("", f"{self.label.estimator}_").strip("_")
            self._set(Label("_".join(filter(None, (*"_".join(case.groups()).lower().split(), base)))))
        elif _VALUE.search(plain):
            self._block += bool(_SETTING.fullmatch(plain))
        elif name := estimator_in(plain):
            words = re.findall(r"\w+(?:\.\d+)?", setting[1].lower()) if setting else []
            self._set(Label("_".join((name, *words[:4]))))
        elif name := _section_in(outer, has_head=bool(head), is_named=bool(subject)):
            estimator = self.label.estimator
            above = self._above.setdefault(name, estimator)
            self._above[name] = estimator if above == estimator else None
            self._set(Label(estimator, name))
        elif _is_unclear(text):
            if _FRAMED.fullmatch(text) and (self.label.section or self._read):
                self._set(Label())
            self._doubted |= self._read.keys()

    def begin_table(self) -> None:
        """Take the head of a table: its numbers stand elsewhere than those of the table before."""
        self._block += 1

    def begins_again(self, text: str, values: Mapping[str, Number]) -> bool:
        """Return True for another number of a name below other lines: its block has no title, nor the one above."""
        is_other = any(name in self._read and self._read[name] != value for name, value in values.items())
        if not is_other or next(reversed(self._read)) in values:
            return False
        self._read.clear()
        if any(map(_OF_LOOP.search, values)) or label_of(text, has_tags=True, has_cases=True):
            return False
        self._set(Label())
        return True

    def _set(self, label: Label) -> None:
        self.label, self._block = label, self._block + 1
        self._read.clear()
        self._doubted.clear()

    def tell_apart(
        self, text: str, values: Mapping[str, Number], finals: dict[str, tuple[Number, int]], *, is_loop: bool
    ) -> dict[str, Number]:
        """Return the numbers of a line by names that no other model's have; rename earlier ones where needed."""
        of_line, told = label_of(text, has_tags=self.label == Label(), has_cases=not is_loop), {}
        label = Label(of_line) if of_line else self.label._replace(section="") if is_loop else self.label
        doubted = () if is_loop or of_line else self._doubted
        is_varied = SETTING.search(text) or _VARIED.match(text) or "seed" in text.lower()
        self._block += bool(is_varied)  # the last of several settings counts
        is_named = bool(of_line)
        for name, value in values.items():
            own, is_estimator = _own_words(name)
            is_named |= is_estimator
            if is_estimator:
                label = self._of_line(own, of_line)
                told[name] = value
            elif own and not is_loop and (label.is_of_line or label in {Label(), Label(section=own)}):
                self.label = Label() if label.is_of_line else self.label  # it is not that of the line before
                label = Label(section=own)
                told[self._name(name, Label(), finals)] = value
            else:
                told[self._name(name, Label() if name in doubted else label, finals)] = value
        for name, value in () if is_loop else told.items():
            before = finals[name][0] if name in finals else value
            is_other = before != value and not rounds(before, value) and not rounds(value, before)
            is_elsewhere = is_named or self._blocks.get(name) != self._block
            self.replaced |= {name} if is_other and is_elsewhere else set()
            self._blocks[name] = self._block
        self._read = {name: value for name, value in self._read.items() if name not in values} | dict(values)
        return told

    def _of_line(self, estimator: str, of_line: str) -> Label:
        """Return the label of what follows an estimator in a line, and in the next lines if no title contradicts."""
        title = self.label
        if not of_line and estimator not in title.estimator:
            is_carried = title.is_of_line or not (title.estimator or title.section)
            self._set(Label(estimator, is_of_line=True) if is_carried else Label())
        return Label(estimator)

    def _name(self, name: str, label: Label, finals: dict[str, tuple[Number, int]]) -> str:
        owner, text = self._owners.setdefault(name, label), self._text(label)
        before = self._text(owner) if owner else ""
        if owner and text == before:
            return name
        if owner and name in finals:
            if not (owner.estimator or label.estimator or (text and before)):  # a section alone says too little
                self._owners[name] = label
                return name
            if before:
                own = f"{before}_{name}"
                self.replaced |= {own} if name in self.replaced or own in finals else set()
                self.replaced.discard(name)
                number, block = finals.pop(name), self._blocks.pop(name, self._block)
                if own not in finals or not rounds(finals[own][0], number[0]):
                    finals[own], self._blocks[own] = number, block
                self._owners[name] = None
        return f"{text}_{name}" if text else name

    def _text(self, label: Label) -> str:
        if not label.section:
            return label.estimator
        is_below_several = self._above.get(label.section) is None and label.estimator
        return f"{label.estimator}_{label.section}" if is_below_several else label.section


def _section_in(text: str, *, has_head: bool, is_named: bool) -> str:
    """Return the name of the section that a title begins, or nothing for any other line.

    A head is a number or `Method:` before it; with the latter it is a name, whatever it says.
    """
    plain = _EDGE.sub("", re.sub(r"[\[\]]", " ", text))
    plain = re.sub(r"^(?:train|fitt|evaluat|test|runn)ing(?: the)?\s+", "", plain, flags=re.IGNORECASE)
    words = _words(plain)
    rest = [word for word in words if word not in _NEUTRAL]
    begins = plain[:1].isupper() or _FRAMED.fullmatch(text)
    is_title = has_head or text.endswith(":") or (begins and not re.search(r"\d", plain))
    is_clear = _PLAIN.fullmatch(plain) and not SPLIT.search(plain) and (is_named or not _is_message(words))
    if not (is_title and is_clear and rest) or len(words) > MOST_SECTION_WORDS:
        return ""
    if is_measured(plain) and not _BRACKETED.fullmatch(text):
        return ""
    return "_".join(rest if any(len(word) > 1 for word in rest) else words[-2:])  # `Model A`


def _is_unclear(text: str) -> bool:
    """Return True for a line that may begin another section: neither a message nor the head of a list."""
    plain, words = _EDGE.sub("", text), _words(text)
    return not (_is_message(words) or _NEUTRAL.issuperset(words) or is_measured(plain)) and bool(
        _SAYS_SOMETHING.fullmatch(plain)
    )


def _is_message(words: list[str]) -> bool:
    """Return True for the words of what a program does: `Loading data`, `Model trained`, `New best score`."""
    does = words and (words[0].endswith(("ing", "ando", "iendo")) or (words[-1].endswith("ed") and len(words[-1]) > 4))
    return bool(does) or any(map(_MESSAGE.fullmatch, words))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


@lru_cache(maxsize=4096)
def _own_words(name: str) -> tuple[str, bool]:
    """Return what a name says beside its measurement, `lightgbm` of `lightgbm_oof_auc`, and if it is an estimator."""
    words = name.split("_")
    place = next((at for at, word in enumerate(words) if is_measured(word)), len(words))
    for part in (words[:place], words[place + 1 :]):
        own = " ".join(each for each in part if each not in _ANYBODYS)
        if (estimator := estimator_in(own)) and "logistic_loss" not in name:
            return estimator, True
    return "_".join(each for each in words[:place] if each not in _ANYBODYS), False


def rounds(exact: Number, number: Number) -> bool:
    """Return True if a number is another one with fewer digits, as a report has it: 0.89 of 0.8885."""
    if not (isinstance(exact, Decimal) and isinstance(number, Decimal) and exact.is_finite() and number.is_finite()):
        return False
    places = int(number.as_tuple().exponent)
    return int(exact.as_tuple().exponent) < places < -1 and 2 * abs(exact - number) <= Decimal(1).scaleb(places)
