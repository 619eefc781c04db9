"""Numbers that a script prints, named by the calls of `print` that printed them: `print(accuracy_score(y, p))`.

The attempt notes what each call has printed. The text around a number names it where it can; this reads the rest.
"""

import ast
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import filterfalse
from pathlib import Path
from typing import NamedTuple

from pytest_training.execution.readers.line import TWO, clean, last_split, read_line
from pytest_training.execution.readers.names import NOT_WHOLE, WORDS, estimator_in, is_measured, metric_name, words_of
from pytest_training.execution.readers.noted import Call, Shown, calls_of
from pytest_training.execution.readers.numbers import Number, is_possible, parse_number
from pytest_training.execution.readers.protocol import Measured
from pytest_training.execution.readers.titles import rounds
from pytest_training.jobs.source.literals import last_name

FEWEST_DIGITS, LONGEST_LABEL, MOST_ABOVE = 3, 60, 8
_DIGITS = r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf)"
_ALONE = re.compile(
    rf"\s*(?:(?:\w+\.)?(?:tensor|array|float\d*|variable)\()?[\[{{(\s]*(?P<number>{_DIGITS})\s*(?P<percent>%?)"
    r"[\]})\s]*(?:,\s*\w+=.*)?\)?\s*",
    re.IGNORECASE | re.DOTALL,
)  # `0.9`, `93%`, `[0.9]`, `tensor(0.9, grad_fn=…)`
_WRAPPED = re.compile(r"(?:np\.)?(?:float\d+|array|tensor)\(|,?\s*(?:dtype|device|grad_fn)=[^,\])]*|[()]")
_COMPARES = re.compile(
    r"\b(?:improv\w*|initial\w*|before|untrained|tried|trying|random|from|baseline|target|threshold)\b", re.IGNORECASE
)
_ARROW = re.compile("->|→")
_LABEL = re.compile(r"[^\W\d][\w .+()=/-]{0,60}")


class _Candidate(NamedTuple):
    """A number that may be a metric."""

    name: str
    number: Number
    call: Call
    value: ast.expr
    has_others: bool = False  # True if other numbers of this call do not count
    about: str = ""  # how it comes from what was printed, if it is not that itself
    title: str = ""  # the text that was printed before it
    is_case: bool = False  # True if its name says of which case of several it is
    is_read: bool = False  # True if the log is read there: it has another number under the name

    def named(self, *kinds: str) -> str:
        """Return its name behind what tells it from others: the part of the data, the estimator, a variable."""
        source, texts = self.call.source, " ".join(self.call.texts)
        before = {
            "part": lambda: source.part_of(self.value),
            "text": lambda: estimator_in(texts) or "_".join(word for word in words_of(texts) if not is_measured(word)),
            "owner": lambda: source.owner_of(self.value),
            "variable": lambda: "_".join(filterfalse(is_measured, metric_name(last_name(self.value)).split("_"))),
            "argument": lambda: source.argument_of(self.value),
            "title": lambda: self.title,
        }
        labels = [label for kind in kinds if (label := before[kind]()) and label not in self.name]
        return "_".join([*labels, self.name])


_WAYS = (
    *(("part",), ("text",), ("owner",), ("argument",), ("title",)),
    *(("part", "text"), ("part", "owner"), ("part", "argument"), ("title", "part"), ("title", "argument")),
)


def with_calls(notes: Path, workplace: Path, log: Mapping[str, Measured]) -> Iterator[tuple[str, Measured]]:
    """Yield the numbers of the log, with those of several models told apart, and the numbers that calls alone name."""
    calls = list(calls_of(notes, workplace))
    known = _of_now(calls, {name: each.value for name, each in log.items()})
    apart = dict(_by_owner(calls, {name for name in known if log[name].is_last}))
    yield from ((name, log[name]) for name in known if name not in apart)
    for own, found in ((own, found) for several in apart.values() for own, found in several.items()):
        yield own, Measured(found.number, _place(found, workplace))
    yield from _named_numbers(calls, workplace, known)


def _of_now(calls: Iterable[Call], known: Mapping[str, Number]) -> dict[str, Number]:
    """Return the known numbers but for those of a state that is trained only later."""
    early = filter(_is_before, calls)
    shown = {number for call in early for text in call.rows[-1] if (number := _plain(text)) is not None}
    return {name: number for name, number in known.items() if not any(_agree(each, number) for each in shown)}


def _by_owner(calls: Iterable[Call], names: set[str]) -> Iterator[tuple[str, dict[str, _Candidate]]]:
    """Yield the names of the log that several calls have printed, with the numbers by their models: `svm_accuracy`."""
    found: dict[str, list[_Candidate]] = defaultdict(list)
    for call in calls if names else ():
        values = read_line(clean(" ".join(call.last).strip())).values
        for name, number in values.items():
            shown = [
                each.value
                for each, text in zip(call.shown, call.rows[-1], strict=True)
                if (own := _plain(text)) is not None and {own, own.scaleb(-2)} & {number}
            ]
            if name in names and len(shown) == 1:
                found[name].append(_Candidate(name, number, call, shown[0]))
    for name, several in found.items():
        for kind in ("owner", "variable", "argument"):
            told = {each.named(kind): each for each in several}
            if 1 < len(several) == len(told) and name not in told:
                yield name, told
                break


def _named_numbers(
    calls: Sequence[Call], workplace: Path, known: Mapping[str, Number]
) -> Iterator[tuple[str, Measured]]:
    """Yield the numbers by the calls that printed them, but those that are known by the text around them."""
    candidates: dict[str, list[_Candidate]] = defaultdict(list)
    for call in calls:
        if not (_compares(call) or _is_before(call)):
            named = (each for each in _candidates(call, calls) if is_measured(each.name))
            all_found = [each for each in named if is_possible(each.name, each.number)]
            new = [each for each in all_found if not _is_known(each, known)]
            for found in all_found if any(each.is_case for each in new) else new:
                candidates[found.name].append(found)
    given = dict(known)
    for name, several in candidates.items():
        for own, found, has_others in list(_told_apart(name, _distinct(several), given)):
            given[own] = found.number
            yield own, Measured(found.number, _place(found, workplace), has_others or found.has_others)


def _place(found: _Candidate, workplace: Path) -> str:
    path = workplace / found.call.noted.path
    shown = path.relative_to(workplace) if path.is_relative_to(workplace) else path.name
    return f"{found.about}stdout of {shown} line {found.call.noted.line}"


def _distinct(several: Iterable[_Candidate]) -> list[_Candidate]:
    """Return the candidates of one name in their order, each number once, with the most digits."""
    distinct: list[_Candidate] = []
    for found in sorted(several, key=lambda each: (each.call.noted.at, -len(str(each.number)))):
        distinct += [] if any(_agree(each.number, found.number) for each in distinct) else [found]
    return distinct


def _agree(one: Number, other: Number) -> bool:
    return math.isclose(one, other, rel_tol=1e-6) or rounds(one, other) or rounds(other, one)


def _told_apart(
    name: str, several: Sequence[_Candidate], known: Mapping[str, Number]
) -> Iterator[tuple[str, _Candidate, bool]]:
    """Yield each candidate under a name of its own; where there is none the last one alone."""
    ways = _WAYS if len(several) > 1 else _WAYS[:3] if name in known and not several[0].is_read else ()
    for kinds in ways:
        names = [each.named(*kinds) for each in several]
        if len({*names}) == len(names) and known.keys().isdisjoint(names):
            yield from ((own, each, False) for own, each in zip(names, several, strict=True))
            return
    if name not in known and (several[-1].is_case or not several[-1].is_read):
        yield name, several[-1], len(several) > 1


def _is_known(found: _Candidate, known: Mapping[str, Number]) -> bool:
    """Return True if the log says this number with words: under this name, or it has digits enough to be the same."""
    if found.name in known and _agree(known[found.name], found.number):
        return True
    digits = len(str(abs(found.number)).replace(".", "").strip("0"))
    return (found.is_read or digits >= FEWEST_DIGITS) and any(_agree(found.number, each) for each in known.values())


def _compares(call: Call) -> bool:
    """Return True if a call says more than where the training is: `improved from 0.3 to 0.2`, `0.3 -> 0.2`."""
    measured = [shown for shown in call.shown if call.source.name_of(shown.value)]
    is_said = any(pattern.search(" ".join(call.texts)) for pattern in (_COMPARES, TWO))
    return is_said or any(_ARROW.search(each.before) for each in measured[1:])


def _is_before(call: Call) -> bool:
    """Return True if what a call shows is of a state that is trained only later: `theta = descend(X, y, theta)`."""
    source, values = call.source, [shown.value for shown in call.shown]
    return any(source.is_trained_below(value) or source.is_unmeasured(value) for value in values)


def _is_read(texts: Iterable[str]) -> bool:
    """Return True if the log is read where this was printed."""
    return any(read_line(clean(line)).values for line in " ".join(texts).splitlines())


def _candidates(call: Call, calls: Sequence[Call]) -> Iterator[_Candidate]:
    """Yield the numbers of a call: one for each case that it tells apart, else those of the last time."""
    title, is_read, labels = _title(call, calls), _is_read(call.last), _labels(call, calls)
    names = [call.source.name_of(shown.value) for shown in call.shown]
    for at, shown in enumerate(call.shown):
        is_one = names.count(names[at]) == 1
        part = "" if is_one else last_split(shown.before) or call.source.part_of(shown.value)
        name, text = names[at] and "_".join(filter(None, (part, names[at]))), call.rows[-1][at]
        numbers = [_number(row[at], shown, is_share=name.endswith("%")) for row in call.rows]
        found = _Candidate(name.rstrip("%"), numbers[-1] or 0, call, shown.value, title=title, is_read=is_read)
        if name and len(labels) > 1 and not (is_one or part):
            continue  # of two numbers with one name nothing says which is which
        if name and len(labels) > 1 and None not in numbers:
            cases = dict(zip(labels, numbers, strict=True))  # the last number of each
            for label, number in cases.items():
                own = found._replace(name=f"{label}_{found.name}", number=number or 0, is_case=True)
                yield own._replace(has_others=labels.count(label) > 1)
        elif name and numbers[-1] is not None:
            if not (text.strip().isdigit() and NOT_WHOLE.fullmatch(name)):
                yield found._replace(has_others=_is_repeated(call))
        elif len(listed := _list(text)) > 1:
            yield from _of_list(found, listed)


def _of_list(found: _Candidate, numbers: Sequence[Number]) -> Iterator[_Candidate]:
    """Yield the mean of the numbers of folds, or the last number of a history."""
    name, is_folds = found.call.source.name_of_list(found.value)
    if name and is_folds:
        mean = sum(map(float, numbers)) / len(numbers)
        yield found._replace(name=name, number=mean, about=f"mean of {len(numbers)} values, ")
    elif name:
        yield found._replace(name=name, number=numbers[-1], has_others=_is_repeated(found.call))


def _title(call: Call, calls: Iterable[Call]) -> str:
    """Return the constant text that was printed last above a call, in the same function."""
    own, line = call.source.function(call.node), call.node.lineno
    above = [each for each in calls if each.source is call.source and each.node.lineno < line and not each.shown]
    texts = [" ".join(each.texts) for each in above if each.source.function(each.node) is own]
    words = [text for text in texts if re.search(r"\w", text)]
    return metric_name(words[-1])[:LONGEST_LABEL] if words else ""


def _is_repeated(call: Call) -> bool:
    """Return True if a call has printed several numbers that are no course of one training."""
    match call.repeated:
        case ast.While() | ast.For(iter=ast.Call(func=ast.Name(id="range"))):
            return False
    return call.times > 1


def _plain(text: str) -> Decimal | None:
    """Return the number that a text is, also in brackets."""
    return parse_number(found["number"]) if (found := _ALONE.fullmatch(text)) else None


def _number(text: str, shown: Shown, *, is_share: bool) -> Decimal | None:
    """Return a value as a number, if it is one with decimals or stands alone."""
    found = _ALONE.fullmatch(text)
    number = parse_number(found["number"]) if found else None
    if found is None or number is None:
        return None
    is_percent = shown.is_percent or found["percent"] or is_share
    is_plain = number.is_finite() and number == number.to_integral_value() and not (shown.is_alone or is_percent)
    if is_plain and "." not in text:
        return None
    return number.scaleb(-2) if is_percent and number.is_finite() else number


def _list(text: str) -> list[Decimal]:
    """Return the numbers of a list as it is printed, maybe without its begin."""
    plain = _WRAPPED.sub(" ", text).strip()
    cells = re.split(r"[,\s]+", plain.strip("[]… ")) if plain.count("[") <= 1 else []
    numbers = [parse_number(cell) for cell in cells[text.lstrip()[:1] not in "[(at" :]]
    return [number for number in numbers if number is not None] if None not in numbers else []


def _labels(call: Call, calls: Sequence[Call]) -> list[str]:
    """Return what tells the times of a call apart: in what it prints, or in what was printed before it in its loop."""
    if not 1 < call.times == len(call.rows):
        return []
    same = [
        each
        for each in calls
        if each.repeated is call.repeated is not None
        and len(each.rows) == len(call.rows)
        and each.node.lineno < call.node.lineno
    ]
    for each in (call, *sorted(same, key=lambda other: -other.node.lineno)[:MOST_ABOVE]):
        labels = [_label(each, row) for row in each.rows]
        if all(labels) and len({*labels}) > 1:
            return labels
    return []


def _label(call: Call, row: Sequence[str]) -> str:
    """Return the case of which a call prints, by the texts and the settings in it."""
    labels: list[str] = []
    for shown, text in zip(call.shown, row, strict=True):
        own, before = last_name(shown.value), words_of(shown.before)
        kind = call.source.setting_of(call.repeated, own) or (
            before[-1] if before and before[-1] in WORDS["labels"] else ""
        )
        if kind and (_ALONE.fullmatch(text) or text == "None"):
            labels.append(f"{kind}_{text.strip()}")
        elif _LABEL.fullmatch(text.strip()) and not is_measured(own):
            labels.append(metric_name(text))
    return "_".join(filter(None, labels))
