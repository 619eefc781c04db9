"""Lists of features with their importances or coefficients: `recall_history  0.02` is no metric in one."""

import re
from functools import lru_cache

from msgspec import Struct, field

from pytest_training.execution.readers.names import SPLITS, WORDS, estimator_in, is_measured
from pytest_training.execution.readers.numbers import SHARE, Number, parse_number

LONGEST_ROW, MOST_ROWS, FEWEST_SORTED = 120, 50, 4
_HEADING = re.compile(
    r"(?:importances?|coef(?:ficient)?s?|(?:important|top) (?:\w+ ){0,2}features?)\b[\s\w()]{0,30}\W*$"
)
_ROW = re.compile(
    r"[\W\d]{0,12}(?P<name>[^\W\d][^:=|]{0,60}?)(?P<sign>\s*[:=|]\s*|\s+)(?P<number>[-+]?\d*\.\d+(?:e[-+]?\d+)?)"
    r"\W*(?:\(\s*[\d.]+\s?%?\s*\))?",
    re.IGNORECASE,
)
_OTHER = WORDS["settings"] | WORDS["settings_in_files"] | WORDS["counters_in_files"] | SPLITS | {"intercept", "slope"}
_OF_NO_FEATURE = WORDS["subjects"] | WORDS["cases"] | WORDS["swept"]
_DESCRIBED = frozenset(["count", "mean", "std", "min", "25%", "50%", "75%", "max"])  # rows of pandas' describe()
Finals = dict[str, tuple[Number, int]]


class FeatureList(Struct):
    """Consecutive lines of a name and a number each: what is read from them, and what that replaces."""

    has_heading: bool = False
    sign: str = ""
    rows: list[tuple[str, float]] = field(default_factory=list)
    is_out: bool = False  # True if its rows count for nothing
    taken: Finals = field(default_factory=dict)
    replaced: Finals = field(default_factory=dict)

    def after(self, text: str) -> "FeatureList":
        """Return the list as it is after the next line; one that is no row of it begins a new list."""
        row = _ROW.fullmatch(text) if len(text) <= LONGEST_ROW else None
        if row is None:
            goes_on = self.has_heading and not self.rows and not any(map(str.isalnum, text))
            return self if goes_on else FeatureList(has_heading=bool(_HEADING.search(text[:LONGEST_ROW].lower())))
        sign = row["sign"].strip()
        is_same = sign == self.sign or not self.rows
        own = self if is_same and len(self.rows) < MOST_ROWS else FeatureList(has_heading=self.has_heading and is_same)
        own.sign = sign
        own.rows.append((row["name"].strip(), float(row["number"])))
        return own

    @property
    def is_of_features(self) -> bool:
        """True if heading, neighbours or numbers say that these are no metrics."""
        if any(number < 0 and SHARE.fullmatch(name) for name, number in self.rows):
            return True
        sizes, names = [abs(number) for _, number in self.rows], [name for name, _ in self.rows]
        is_sorted = len(sizes) >= FEWEST_SORTED and sizes == sorted(sizes, reverse=True)
        kinds = [*map(kind_of, names)]
        measured, features = kinds.count("measurement"), kinds.count("feature")
        if not features or len({*names}) < len(names):  # the same names again are those of another epoch
            return self.has_heading and not self.sign
        return self.has_heading or measured <= features * (is_sorted if self.sign else 3 if is_sorted else 1)

    def sift(self, finals: Finals, new: Finals) -> Finals:
        """Return which of the new numbers count; take those of its rows before out of `finals` if none does."""
        if not self.rows:
            return new
        self.replaced = {name: finals[name] for name in new if name in finals} | self.replaced
        self.taken |= new
        if not self.is_of_features:
            new, self.is_out = self.taken if self.is_out else new, False
            return new
        for name in {} if self.is_out else self.taken:
            finals.pop(name, None)
        finals.update({} if self.is_out else self.replaced)
        self.is_out = True
        return {}


@lru_cache(maxsize=1024)
def kind_of(name: str) -> str:
    """Return what a name is of: a measurement, a feature, or something else: a setting, a time, an estimator."""
    if is_measured(name):
        return "measurement"
    words = re.split(r"[\W_]+", name.lower())
    is_sentence = name.lower().endswith((" in", " is", " was", " took", " of"))  # `finished in 2.3`
    return "" if is_sentence or estimator_in(name) or _OTHER.intersection(words) else "feature"


def is_of_data(heads: tuple[str, ...], cells: list[str], *, is_box: bool) -> bool:
    """Return True for a numbered row of the data itself, or of its description, beside features."""
    heads = tuple("feature" if head.lower() == "scores" else head for head in heads)  # one of a model is a score
    kinds = [kind_of(head) for head in heads if set(head) != {"."} and head.lower() not in _OF_NO_FEATURE]
    own = [cell for head, cell in zip(heads, cells[-len(heads) :], strict=False) if kind_of(head) == "measurement"]
    if not (is_box or len(cells) > len(heads)) or "feature" not in kinds:
        return False
    if cells[0] in _DESCRIBED or all(map(str.isdigit, own)):
        return True
    is_numeric = all(set(cell) == {"."} or parse_number(cell) is not None for cell in cells)
    return is_numeric and kinds.count("feature") > kinds.count("measurement")
