"""Finds what gives the answer away in a table: columns alone, in pairs, by their gaps, ids, and rows of one person.

Data are judged, not names: a column is suspect if it alone does far better than all others together. A name alone makes
no suspect; one that speaks of the outcome (`time_to_event`) lowers the bar.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pytest_training.evaluation.columns import Floats
from pytest_training.evaluation.held_out import Ints, Judge, numbers, person_codes
from pytest_training.evaluation.result import Question
from pytest_training.evaluation.same_people import Suspect, copied_rows, same_people, suspicious_ids, suspicious_rows
from pytest_training.evaluation.stated import order_mistake

__all__ = ["Suspect", "same_people", "suspects"]

CODES = ("same-rows", "id", "gaps", "column", "pair")  # of suspects
MOST_ROWS = 20_000  # that judge columns: more change no verdict
MOST_PAIRED, PAIR_ROWS = 30, 2_000  # columns that are combined, rows that judge a pair
MOST_TOLD = 5  # pairs
MOST_VALUES, FEWEST_OF_LEVEL, BY_CHANCE = 12, 20, 1e-6  # of a column, people of one, and that they are all of one class
SURE = 0.98  # ROC AUC or R² of one column: no single measurement of a real question is that good
LEFT = 0.4  # of the error of all others together: a suspect leaves at most that
SURELY_OF_PAIRS = 5.5  # standard errors: there are many
ABOVE_CHANCE = 0.03  # over the best column where the target is shuffled
LATER = re.compile(
    r"(?:death|dead$|died|surviv|mortal|event|outcome|follow.?up|discharge|relapse|recurr|autops|time_to|days_to"
    r"|tod$|tod_|verstorben|entlass|(?:ue|ü)berleb|ereignis|zeit_bis|d[eé]c[eè]s|survie|sortie|muerte|fallec|alta$)"
)
"""Names that speak of what comes after the outcome, in English, German, French and Spanish."""


class Bars(NamedTuple):
    """From which score on a column is suspect, if all others together are far behind."""

    alone: float
    later: float  # if its name speaks of the outcome
    gaps: float  # of where a column's values are missing
    many_gaps: float  # of how many values a row lacks


HALVES = {"binary": ("the positive class", "the other"), "classes": ("the last class", "the others")}
HALVES |= {"number": ("the upper half", "the lower")}
MEASURE = {"binary": "ROC AUC", "classes": "ROC AUC", "number": "R²"}
BARS = {"number": Bars(alone=0.80, later=0.15, gaps=0.25, many_gaps=0.50)}
BARS |= dict.fromkeys(("binary", "classes"), Bars(alone=0.90, later=0.60, gaps=0.70, many_gaps=0.80))


def suspects(
    features: pd.DataFrame,
    target: ArrayLike,
    *,
    question: Question,
    person: ArrayLike | None = None,
    known: Collection[str] = (),
) -> list[Suspect]:
    """Return what gives the target away, the surest first; `known` are columns and codes that are no suspects.

    `target` is 0 or 1, the index of a class, or a number. With `person`, rows of one person are never compared.
    """
    if mistake := order_mistake(features=features, target=target, person=person):
        raise ValueError(mistake)
    truth = np.asarray(target, dtype=float)
    if not features.shape[1] or len(truth) < 2 or np.ptp(truth) == 0:
        return []
    codes = None if person is None else person_codes(person, len(truth))
    suspicious = [*_people(features, truth, question, codes, known), *_columns(features, truth, question, codes, known)]
    return [each for each in suspicious if each.code not in known and not set(each.columns) & set(known)]


def _people(
    features: pd.DataFrame, truth: Floats, question: Question, person: Ints | None, known: Collection[str]
) -> Iterator[Suspect]:
    """Yield what tells that rows are of one person, the surest alone: in copies every column looks like an id."""
    if copies := copied_rows(features, truth, question, person):
        yield copies
        return
    ids = suspicious_ids(features.drop(columns=features.columns.intersection(list(known))), truth, question)
    if ids and person is None:
        yield ids[0]
    elif rows := suspicious_rows(features, truth, question, person):
        yield rows


def _columns(
    features: pd.DataFrame, truth: Floats, question: Question, person: Ints | None, known: Collection[str]
) -> Iterator[Suspect]:
    """Yield columns that alone or in pairs do far better than all others together."""
    rows = np.sort(np.random.default_rng(0).permutation(len(truth))[:MOST_ROWS])
    judge = Judge.of(truth[rows], question, person_codes(None if person is None else person[rows], len(rows)))
    table = {str(name): numbers(column.iloc[rows]) for name, column in features.items()}
    scores = {name: judge.alone(values) for name, values in table.items() if name not in known}
    yield from (gaps := list(_gaps(judge, {name: table[name] for name in scores})))
    told, later = {name for suspect in gaps for name in suspect.columns}, {*filter(LATER.search, map(str.lower, table))}
    bars = {name: BARS[question].later if name.lower() in later else BARS[question].alone for name in table}
    strong = {name: score for name, score in scores.items() if name not in told and score >= bars[name]}
    if strong and (chance := max(map(judge.shuffled().alone, table.values()))) < max(strong.values()):
        rest = judge.together([table[name] for name in table if name not in strong and name not in told])
        for name, score in sorted(strong.items(), key=lambda each: -each[1]):
            errors = 3.0 if name.lower() in later else 4.5
            is_far_ahead = score >= SURE or name.lower() in later or 1 - score <= LEFT * (1 - rest)
            if score > chance + ABOVE_CHANCE and judge.is_sure(score, errors) and is_far_ahead:
                told.add(name)
                measured = f"{MEASURE[question]} {score:.3f}; all other columns together {rest:.3f}"
                yield Suspect("column", (name,), f"{name!r} alone predicts the target ({measured})", score)
    weak = {name: table[name] for name in scores if name not in told and name not in strong}
    for suspect in _levels(judge, weak, features.iloc[rows]):
        told.update(suspect.columns)
        yield suspect
    yield from _pairs(judge, {name: table[name] for name in scores if name not in told}, scores)


def _levels(judge: Judge, table: Mapping[str, Floats], features: pd.DataFrame) -> Iterator[Suspect]:
    """Yield the columns with a value that many people have, all of the rarer of two classes."""
    rare = judge.target[:, 0] == (np.mean(judge.target) <= 0.5)
    which = "the positive class" if np.mean(judge.target) <= 0.5 else "the other class"
    for name, values in table.items() if judge.question == "binary" else ():
        distinct, level = np.unique(values, return_inverse=True)
        for number in np.flatnonzero(np.isfinite(distinct)) if len(distinct) <= MOST_VALUES else ():
            has = level == number
            people = len(np.unique(judge.person[has])) if rare[has].all() else 0
            if people >= FEWEST_OF_LEVEL and np.mean(rare) ** people < BY_CHANCE:
                value = features[name].iloc[int(np.argmax(has))]
                how = f"only {which} has {value!s} in {name!r} ({has.sum():,} rows; of all rows {np.mean(rare):.0%})"
                yield Suspect("column", (name,), how, judge.alone(values))
                break


def _gaps(judge: Judge, table: Mapping[str, Floats]) -> Iterator[Suspect]:
    """Yield the columns whose missing values tell, or their number in a row where no column alone does."""
    gaps_of = {name: ~np.isfinite(values) for name, values in table.items()}
    if not (missing := {name: gaps for name, gaps in gaps_of.items() if gaps.any() and not gaps.all()}):
        return
    bar = BARS[judge.question].gaps
    chance = max(judge.shuffled().gaps(gaps) for gaps in missing.values()) + ABOVE_CHANCE
    scores = {name: judge.gaps(gaps) for name, gaps in missing.items()}
    for name in sorted(scores, key=lambda name: -scores[name]):
        if scores[name] >= max(bar, chance) and judge.is_sure(scores[name]):
            how = f"whether {name!r} is missing tells the target ({MEASURE[judge.question]} {scores[name]:.3f})"
            yield Suspect("gaps", (name,), f"{how}: {_shares(judge, missing[name])}", scores[name])
    number = np.sum(list(missing.values()), axis=0).astype(float)
    score = judge.alone(number)
    if max(scores.values()) < bar and score >= BARS[judge.question].many_gaps and judge.is_sure(score):
        how = f"how many values a row lacks tells the target ({MEASURE[judge.question]} {score:.3f})"
        yield Suspect("gaps", tuple(missing), how, score)


def _shares(judge: Judge, gaps: NDArray[np.bool_]) -> str:
    """Say for whom values are missing, in the two halves of the target."""
    last = judge.target[:, -1]
    high = last > np.median(last) if judge.question == "number" else last == 1
    mine, other = HALVES[judge.question]
    return f"it is so for {np.mean(gaps[high]):.0%} of {mine} and {np.mean(gaps[~high]):.0%} of {other}"


def _pairs(judge: Judge, table: Mapping[str, Floats], scores: Mapping[str, float]) -> Iterator[Suspect]:
    """Yield the pairs of columns that together tell what neither does alone, nor all the others."""
    chosen = sorted(table, key=lambda name: -scores[name])[:MOST_PAIRED]
    part = np.sort(np.random.default_rng(1).permutation(len(judge.fold))[:PAIR_ROWS])
    small = judge.of_rows(part)
    columns = {name: table[name][part] for name in chosen}
    bar, free = BARS[judge.question].alone, set(chosen)
    together = {pair: small.pair(columns[pair[0]], columns[pair[1]]) for pair in combinations(chosen, 2)}
    own = {pair: max(scores[pair[0]], scores[pair[1]]) for pair in together}
    strong = {pair: score for pair, score in together.items() if score >= bar and 1 - score <= LEFT * (1 - own[pair])}
    if not strong:
        return
    shuffled = small.shuffled()
    chance = max(shuffled.pair(columns[left], columns[right]) for left, right in together) + ABOVE_CHANCE
    for pair in sorted(strong, key=lambda pair: -strong[pair])[:MOST_TOLD]:
        score = strong[pair]
        if free.issuperset(pair) and score > chance and small.is_sure(score, SURELY_OF_PAIRS):
            rest = judge.together([values for name, values in table.items() if name not in pair])
            if 1 - score > LEFT * (1 - rest):
                return  # the others know as much: so they will beside the next pair
            free -= set(pair)
            how = f"{pair[0]!r} and {pair[1]!r} together predict the target ({MEASURE[judge.question]} {score:.3f}"
            alone = f"alone {scores[pair[0]]:.3f} and {scores[pair[1]]:.3f}, all other columns {rest:.3f})"
            yield Suspect("pair", pair, f"{how}; {alone}", score)
