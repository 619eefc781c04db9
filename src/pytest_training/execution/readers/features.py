"""Lists of features with their importances or coefficients: `recall_history  0.02` is no metric in one."""

import re

from msgspec import Struct, field

from pytest_training.execution.readers.line import Number
from pytest_training.execution.readers.names import SPLITS, WORDS, estimator_in, is_measured

LONGEST_ROW, MOST_ROWS, FEWEST_SORTED = 120, 50, 4
_HEADING = re.compile(
    r"(?:importances?|coef(?:ficient)?s?|(?:important|top) (?:\w+ ){0,2}features?)\b[\s\w()]{0,30}\W*$"
)
_ROW = re.compile(
    r"[\W\d]{0,12}(?P<name>[^\W\d][^:=|]{0,60}?)(?P<sign>\s*[:=|]\s*|\s+)(?P<number>[-+]?\d*\.\d+(?:e[-+]?\d+)?)"
    r"\W*(?:\(\s*[\d.]+\s?%?\s*\))?",
    re.IGNORECASE,
)
_NEVER_NEGATIVE = re.compile(r"acc|accuracy|precision|recall|f\d|auc|iou|dice", re.IGNORECASE)
_OTHER = WORDS["settings"] | WORDS["settings_in_files"] | WORDS["counters_in_files"] | SPLITS | {"intercept", "slope"}
Finals = dict[str, tuple[Number, int]]


class FeatureList(Struct):
    """Consecutive lines of a name and a number each: what is read from them, and what that replaces."""

    has_heading: bool = False
    sign: str = ""
    numbers: list[float] = field(default_factory=list)
    measured: int = 0
    features: int = 0  # rows that are neither measured nor a setting or a time
    names: set[str] = field(default_factory=set)
    is_impossible: bool = False  # True if a measurement is what it cannot be
    is_out: bool = False  # True if its rows count for nothing
    taken: Finals = field(default_factory=dict)
    replaced: Finals = field(default_factory=dict)

    def after(self, text: str) -> "FeatureList":
        """Return the list as it is after the next line; one that is no row of it begins a new list."""
        row = _ROW.fullmatch(text) if len(text) <= LONGEST_ROW else None
        if row is None:
            goes_on = self.has_heading and not self.numbers and not any(map(str.isalnum, text))
            return self if goes_on else FeatureList(has_heading=bool(_HEADING.search(text[:LONGEST_ROW].lower())))
        name, sign, number = row["name"].strip(), row["sign"].strip(), float(row["number"])
        own = self if sign == self.sign or not self.numbers else FeatureList()
        own = own if len(own.numbers) < MOST_ROWS else FeatureList(has_heading=own.has_heading)
        own.sign = sign
        own.numbers.append(number)
        own.names.add(name)
        is_other = _OTHER.intersection(re.split(r"[\W_]+", name.lower())) or estimator_in(name)
        own.measured += is_measured(name)
        own.features += not is_measured(name) and not is_other
        own.is_impossible |= number < 0 and bool(_NEVER_NEGATIVE.fullmatch(name))
        return own

    @property
    def is_of_features(self) -> bool:
        """True if heading, neighbours or numbers say that these are no metrics."""
        sizes = [abs(number) for number in self.numbers]
        is_sorted = len(sizes) >= FEWEST_SORTED and sizes == sorted(sizes, reverse=True)
        if len(self.names) < len(sizes) and not self.is_impossible:  # the same again, of another epoch
            return False
        if self.has_heading:
            return self.features > 0 or not self.sign
        most = self.features * ((3 if is_sorted else 1) if not self.sign else is_sorted)
        return self.is_impossible or (self.features > 0 and self.measured <= most)

    def sift(self, finals: Finals, new: Finals) -> Finals:
        """Return which of the new numbers count; take those of its rows before out of `finals` if none does."""
        if not self.numbers:
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
