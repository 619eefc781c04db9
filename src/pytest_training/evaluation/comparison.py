"""Compare two sets of predictions of the same people: DeLong, the corrected resampled t, McNemar, and the gain."""

from __future__ import annotations

import math
from collections.abc import Collection
from contextlib import suppress
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import special

from pytest_training.evaluation import interval, noise
from pytest_training.evaluation.columns import Floats
from pytest_training.evaluation.metrics import HEADLINE, components, figure, lines_of_folds, measures
from pytest_training.evaluation.record import Predictions, parts
from pytest_training.evaluation.result import LEVEL, ends
from pytest_training.wording import counted

Mask = NDArray[np.bool_]
JUDGED = interval.SHARES | interval.MEANS | {"net_benefit"}  # metrics of which more, or less, is better
FEW = 25  # rows about which two models differ, that are tested exactly


class Difference(NamedTuple):
    """What a paired test says of a difference."""

    value: float
    error: float  # its standard error
    statistic: float
    p: float  # two-sided
    low: float
    high: float


def delong(truth: Mask, score: Floats, other: Floats) -> Difference:
    """Compare the AUCs of two scores of the same rows (DeLong, DeLong and Clarke-Pearson 1988)."""
    both = np.array([components(truth, each)[0] for each in (score, other)])
    value = float(np.subtract(*both[:, truth].mean(axis=1)))
    parts = [both[0, own] - both[1, own] for own in (truth, ~truth)]
    return _tested(value, math.sqrt(sum(part.var(ddof=1) / len(part) for part in parts)), math.inf)


def corrected_t(differences: Floats, *, tested: float) -> Difference:
    """Compare by differences of folds, whose models share training rows (Nadeau and Bengio 2003).

    `tested` is how many rows a fold holds out for each that it fits on: 1/4 of five folds.
    """
    number = len(differences)
    error = math.sqrt((1 / number + tested) * differences.var(ddof=1))
    return _tested(float(differences.mean()), error, number - 1)


def mcnemar(right: Mask, other: Mask, *, corrected: bool = True) -> Difference:
    """Compare how often two models are right about the same rows (McNemar 1947); few rows are tested exactly."""
    won, lost = int((right & ~other).sum()), int((other & ~right).sum())
    differ, value = won + lost, (won - lost) / len(right)
    statistic = max(abs(won - lost) - corrected, 0) ** 2 / differ if differ else 0.0
    exact = min(2 * float(special.bdtr(min(won, lost), differ, 0.5)), 1.0) if differ else 1.0
    p = exact if differ < FEW else float(special.chdtrc(1, statistic))
    error = math.sqrt(max(differ - (won - lost) ** 2 / len(right), 0)) / len(right)
    return _tested(value, error, math.inf)._replace(statistic=statistic, p=p)


def _tested(value: float, error: float, freedom: float, level: float = LEVEL) -> Difference:
    """Return a difference with its statistic and interval by Student's t, or the normal distribution."""
    quantile = float(special.stdtrit(freedom, (1 + level) / 2))
    statistic = value / error if error else 0.0 if not value else math.copysign(math.inf, value)
    p = 2 * float(special.stdtr(freedom, -abs(statistic)))
    return Difference(value, error, statistic, p, value - quantile * error, value + quantile * error)


class Paired(msgspec.Struct, frozen=True):
    """The difference of two records of the same people, by one test."""

    test: str
    metric: str
    difference: float
    low: float
    high: float
    p: float


def paired(record: Predictions, over: Predictions) -> list[Paired]:
    """Return what each test that fits both records says of their difference; raise ValueError if people are too few."""
    if not (tests := _tests(record, over)):
        raise ValueError(
            f"the records to compare are of {counted(record.people[1], 'person', 'people')}; "
            f"expected {interval.FEWEST}, and of classes {interval.FEWEST_OF_CLASS} people of each"
        )
    headline, models = HEADLINE[record.question], "fitted models" if max(record.folds, over.folds) > 1 else "the model"
    words = {
        "gain_p": (f"paired by people, with the spread of {models}", headline),
        "gain_t_p": ("corrected resampled t over identical folds (Nadeau and Bengio)", headline),
        "gain_mcnemar_p": ("McNemar's test", "rows that are called right"),
    }
    return [Paired(*words[name], each.value, each.low, each.high, each.p) for name, each in tests.items()]


def differences(
    record: Predictions, over: Predictions, names: Collection[str] = JUDGED, level: float = noise.JUDGED_LEVEL
) -> dict[str, noise.Difference]:
    """Return the differences of metrics to another record of the same people, as models fitted anew would vary.

    It is empty if either record is of one model alone, which does not show how others would differ. Raise ValueError
    if the people are others.
    """
    _require_same_people(record, over)
    if min(record.folds, over.folds) < 2:
        return {}
    is_repeated = min(len(record.repeats), len(over.repeats)) > 1
    doubled = "its variance doubled, as one repeat shows no spread"
    spread = "with the spread of fitted models" if is_repeated else doubled
    tested: dict[str, noise.Difference] = {}
    for name in [each for each in measures(record) if each in names and interval.is_enough(record, each)]:
        with suppress(ZeroDivisionError):
            each = _paired(record, over, name, level)
            tested[name] = noise.Difference(each.value, each.low, each.high, f"paired by people, {spread}")
    return tested


def differences_of_subgroups(record: Predictions, over: Predictions) -> dict[str, noise.Difference]:
    """Return the differences in each subgroup of the same people, by the names that its metrics have."""
    own, others, tested = parts(record), parts(over), dict[str, noise.Difference]()
    for end, (group, part) in zip(ends(own), own.items(), strict=True):
        with suppress(ValueError, LookupError):  # of other people, or no group then
            tested |= {name + end: each for name, each in differences(part, others[group]).items()}
    return tested


def gain(record: Predictions, over: Predictions) -> dict[str, float]:
    """Return the headline's difference to another record's, paired by people, with its interval and each test's p."""
    tests, name = _tests(record, over), HEADLINE[record.question]
    value, other = (figure(each, measures(each)[name]).value for each in (record, over))
    metrics = {"gain": value - other}
    if own := tests.get("gain_p"):
        metrics |= {"gain_low": own.low, "gain_high": own.high}
    return metrics | {name: each.p for name, each in tests.items()}


def _tests(record: Predictions, over: Predictions) -> dict[str, Difference]:
    """Return the differences by the metric of their p; tests need enough people, some identical folds, or classes."""
    _require_same_people(record, over)
    headline = HEADLINE[record.question]
    if not interval.is_enough(record, headline):
        return {}
    tests = {"gain_p": _paired(record, over, headline)}
    names = ("row", "repeat", "fold", "truth")
    if not all(np.array_equal(getattr(record, name), getattr(over, name)) for name in names):
        return tests
    differences = _by_fold(record) - _by_fold(over)
    if record.folds > 1 and len(differences) > 1:
        tests["gain_t_p"] = corrected_t(differences, tested=1 / (record.folds - 1))
    if record.classes and all(len(np.unique(record.person[lines])) == len(lines) for lines in record.repeats):
        tests["gain_mcnemar_p"] = mcnemar(_is_right(record), _is_right(over))
    return tests


def _paired(record: Predictions, over: Predictions, name: str, level: float = LEVEL) -> Difference:
    own, other = (figure(each, measures(each)[name]) for each in (record, over))
    both = [own.influence, other.influence]
    if len(both[0]) != len(both[1]):  # of unequal numbers of repeats the means
        both = [each.mean(axis=0)[None] for each in both]
    # A paired test may be too careful, never too bold.
    variance = interval.variance(both[0] - both[1], max(record.folds, over.folds), most=math.inf)
    tested = _tested(own.value - other.value, math.sqrt(variance), interval.freedom(record, name), level)
    most = 1.0 if name in interval.SHARES else math.inf
    return tested._replace(low=max(tested.low, -most), high=min(tested.high, most))


def _by_fold(record: Predictions) -> Floats:
    """Return the headline in each fold of each repeat that has a value for it."""
    measure = measures(record)[HEADLINE[record.question]]
    folds = [repeat[own] for repeat in record.repeats for own in lines_of_folds(record.fold[repeat])]
    several = [own for own in folds if len(np.unique(record.truth[own])) > 1]
    return np.array([measure(record.truth[own], record.score[own], record.fold[own]).value for own in several])


def _is_right(record: Predictions) -> Mask:
    """Return whether the first repeat's model is right about each row."""
    lines = record.repeats[0]
    score = record.score[lines]
    called = score.argmax(axis=1) if record.question == "classes" else score >= record.cutoff
    return np.asarray(called == record.truth[lines])


def _require_same_people(record: Predictions, over: Predictions) -> None:
    if record.classes != over.classes:
        own, other = (", ".join(each.classes) or "none" for each in (record, over))
        raise ValueError(f"the records to compare have the classes {own} and {other}; expected the same question")
    people, others = np.unique(record.person), np.unique(over.person)
    if not np.array_equal(people, others):
        both = len(np.intersect1d(people, others))
        raise ValueError(
            f"the records to compare are of {len(people)} and {counted(len(others), 'person', 'people')}, "
            f"{both} of them in both; expected the same people"
        )
    if not np.allclose(_outcomes(record), _outcomes(over)):
        raise ValueError("the records to compare have other outcomes for the same people; expected the same")


def _outcomes(record: Predictions) -> Floats:
    """Return the mean outcome of each person, by the person's text."""
    codes, people = record.people
    sums = np.bincount(codes, weights=record.truth.astype(float), minlength=people)
    return sums / np.bincount(codes, minlength=people)
