"""Finds rows of the same person by data: equal rows, rows much nearer to each other than to all others, and ids.

No name is read. In an id, rows of the same value share their target and rows of the next values do not: a measurement
has no such edge. Rows are one person's if their targets agree up to where the distances leap, and not behind it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import binom, rankdata

from pytest_training.evaluation.columns import Floats
from pytest_training.evaluation.held_out import Ints, numbers
from pytest_training.evaluation.result import Question

MOST_COLUMNS, MOST_QUERIES, MOST_NEAR = 60, 300, 300  # of a table: for the distances of rows; rows of one person
MOST_DISTANCES = 3_000_000_000  # of values
FEWEST_ROWS, FEWEST_COPIES = 12, 3
LEAP, LEAPING = 0.9, 0.3  # a distance is a leap if it is at most this part of the next; rows with one that count
APART = 0.3  # how much closer targets are before the leap than behind it, in parts of their variance; honest: 0.2
CLEAR_LEAP, MOSTLY = 0.6, 0.5  # the same where no target is asked; smaller for fewer than five columns
MOST_LINKED = 10_000  # rows that are all compared
UNLIKELY = 20  # times as many equal rows as columns that depend on each other could give by chance
FEWEST_LEVELS = 7  # of a measurement
FEWEST_VALUES = 10  # of an id
ALIKE, CONSTANT = 0.3, 0.9  # share of the target's variance that lies between the values of an id
BESIDE, FLOOR = 5, 1e-6  # groups of equal rows; what is added to a distance, that none is 0
SURELY = 5.0  # standard errors
COPIED, BY_CHANCE = 0.8, 1e-6  # how far targets of equal rows agree beyond those nearby, and the chance that they do


class Suspect(NamedTuple):
    """A fact of the data that gives the answer away."""

    code: str
    columns: tuple[str, ...]
    sentence: str
    score: float


class Neighbours(NamedTuple):
    """The nearest others of some rows, and where the distances leap."""

    rows: Ints
    near: Ints  # rows x neighbours, the nearest first
    leap: Ints  # how many neighbours stand before the greatest leap
    ratio: Floats  # distance before the leap, as a part of the distance behind it


def equal_rows(features: pd.DataFrame) -> Ints:
    """Return a number for each row, equal for rows that are equal in every column."""
    digest = np.zeros(len(features), dtype=np.uint64)
    for place, (_, column) in enumerate(features.items()):
        digest = digest * np.uint64(1_000_003) + pd.util.hash_array(numbers(column) + 0.0) + np.uint64(place)
    return np.unique(digest, return_inverse=True)[1].astype(np.int64)


def neighbours(features: pd.DataFrame, person: Ints | None = None, *, most: int = MOST_QUERIES) -> Neighbours | None:
    """Return the nearest rows of `most` rows, of other people if persons are known; None for a small table."""
    count = len(features)
    places = _ranks(features)
    if count < FEWEST_ROWS or not places:
        return None
    most = min(most, max(MOST_QUERIES // 3, MOST_DISTANCES // (count * len(places))))
    rows = np.sort(np.random.default_rng(0).permutation(count)[:most])
    size = min(MOST_NEAR, max(count // 15, 3)) + 1
    near, distance = np.empty((len(rows), size), dtype=np.int64), np.empty((len(rows), size))
    for line, row in enumerate(rows):
        apart = np.zeros(count, dtype=np.float32)
        for values in places:
            apart += np.abs(values - values[row])
        apart[row if person is None else person == person[row]] = np.inf
        nearest = np.argpartition(apart, size - 1)[:size]
        near[line] = nearest[np.argsort(apart[nearest], kind="stable")]
        distance[line] = apart[near[line]]
    ratio = (distance[:, :-1] + FLOOR) / (distance[:, 1:] + FLOOR)
    ratio[~np.isfinite(ratio)] = 1.0
    leap = ratio.argmin(axis=1)
    return Neighbours(rows, near, leap + 1, ratio[np.arange(len(rows)), leap])


def _ranks(features: pd.DataFrame) -> list[NDArray[np.float32]]:
    """Return measurements as ranks from 0 to 1; two rows never leap apart by a yes or no."""
    measured = [name for name, column in features.items() if _is_measured(column)]
    chosen = measured[:: -(-len(measured) // MOST_COLUMNS) or 1]
    ranks = (rankdata(features[name].to_numpy(float, na_value=np.nan), nan_policy="omit") for name in chosen)
    return [np.nan_to_num(each / len(features), nan=-0.5).astype(np.float32) for each in ranks]


def _is_measured(column: pd.Series[Any]) -> bool:
    is_number = pd.api.types.is_numeric_dtype(column) and not isinstance(column.dtype, pd.CategoricalDtype)
    return is_number and column.nunique() >= FEWEST_LEVELS


def same_people(features: pd.DataFrame) -> Ints | None:
    """Return a number for each row, equal for rows of one person as far as data show it; None if all seem to differ.

    Rows are one person's if they are equal by more than coincidence, or far nearer to each other than to all others.
    """
    rows, equal = len(features), equal_rows(features)
    codes = equal if _is_unlikely(features, equal) else np.arange(rows)
    measured = [name for name, column in features.items() if column.nunique() >= rows / 2]
    close = neighbours(features[measured], most=rows) if len(measured) > 1 and rows <= MOST_LINKED else None
    if close is not None and np.mean(close.ratio < CLEAR_LEAP ** max(1, 5 / len(measured))) >= MOSTLY:
        codes = _linked(codes, close)
    return codes if len(np.unique(codes)) < rows else None


def _linked(codes: Ints, close: Neighbours) -> Ints:
    """Join the rows that have each other before their leaps."""
    rows = len(codes)
    first = np.repeat(close.rows, close.leap)
    second = np.concatenate([near[:leap] for near, leap in zip(close.near, close.leap, strict=True)])
    ahead = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(rows, rows)).tocsr()
    same = coo_array((np.ones(rows, dtype=np.int8), (np.arange(rows), codes)), shape=(rows, rows)).tocsr()
    return np.asarray(connected_components(ahead.multiply(ahead.T) + same @ same.T, directed=False)[1], dtype=np.int64)


def copied_rows(features: pd.DataFrame, target: ArrayLike, question: Question, person: Ints | None) -> Suspect | None:
    """Return the suspicion that rows are copies of others, or None: more than chance, or with their target too."""
    equal, rows = equal_rows(features), len(features)
    repeated = rows - len(np.unique(equal))
    if person is not None or repeated < max(FEWEST_COPIES, rows / 100):
        return None
    if not (_is_unlikely(features, equal) or _share_their_target(features, equal, np.asarray(target), question)):
        return None
    return Suspect("same-rows", (), f"{repeated:,} of {rows:,} rows repeat another row exactly", repeated / rows)


def suspicious_rows(
    features: pd.DataFrame, target: ArrayLike, question: Question, person: Ints | None
) -> Suspect | None:
    """Return the suspicion that rows which resemble each other are of one person, or None."""
    close = neighbours(features, person)
    if close is None or np.mean(close.ratio < LEAP) < LEAPING:
        return None
    if not _is_sure(falls := _falls_of_agreement(close, _standard(target, question), person)):
        return None
    size = int(np.median(close.leap[close.ratio < LEAP])) + 1
    how = f"rows stand in groups of about {size} that resemble each other far more than all others"
    return Suspect("same-rows", (), f"{how} and share their target", float(np.mean(falls)))


def _is_sure(falls: list[float]) -> bool:
    """Return True if targets agree better by so much that neither chance nor a smooth course explains it."""
    return bool(falls) and np.mean(falls) >= max(APART, SURELY * float(np.std(falls)) / np.sqrt(len(falls)))


def _share_their_target(features: pd.DataFrame, equal: Ints, target: NDArray[Any], question: Question) -> bool:
    """Return True if equal rows share their target, and the nearest other rows do not."""
    first, counts = np.unique(equal, return_index=True, return_counts=True)[1:]
    groups = np.flatnonzero(counts > 1)[:MOST_QUERIES]
    beside = _beside(features.iloc[first], groups)
    second = np.argsort(equal, kind="stable")[np.cumsum(counts)[groups] - 1]
    alike = int(np.sum(target[first[groups]] == target[second]))
    nearby = (np.sum(target[first][beside] == target[first[groups]][:, None]) + 1) / (beside.size + 2)
    is_copied = alike / len(groups) - nearby >= COPIED * (1 - nearby)
    if is_copied and binom.sf(alike - 1, len(groups), nearby) < BY_CHANCE:
        return True
    means, within = _agreement(equal, _standard(target, question))
    pairs = zip(groups, beside, strict=True)
    falls = [float(within[group] - np.mean(means[near] @ means[group])) for group, near in pairs]
    return 1 - len(first) / len(equal) >= LEAPING and _is_sure(falls)


def _beside(distinct: pd.DataFrame, rows: Ints) -> Ints:
    """Return the nearest others of some rows that all differ."""
    columns = [(numbers(column), _is_measured(column)) for _, column in distinct.items()]
    ranks = [(rankdata(v) / len(distinct) if is_measured else v, is_measured) for v, is_measured in columns]
    beside = []
    for row in rows:
        apart = np.sum([abs(v - v[row]) if is_measured else v != v[row] for v, is_measured in ranks], axis=0)
        beside.append(np.argsort(np.where(np.arange(len(distinct)) == row, np.inf, apart), kind="stable")[:BESIDE])
    return np.array(beside)


def _agreement(code: Ints, standard: Floats) -> tuple[Floats, Floats]:
    """Return the mean target of each code's rows, and how well two rows of one code agree (NaN for a single row)."""
    count = np.bincount(code).astype(float)
    sums = np.array([np.bincount(code, line) for line in standard.T]).T
    own = np.bincount(code, np.sum(standard**2, axis=1))
    with np.errstate(invalid="ignore"):
        within: Floats = (np.sum(sums**2, axis=1) - own) / (count * (count - 1))
    return sums / count[:, None], within


def _is_unlikely(features: pd.DataFrame, equal: Ints) -> bool:
    """Return True if so many equal rows are no coincidence; half of the columns may depend on the others."""
    rows = len(equal)
    shares = (_same_pairs(pd.factorize(numbers(column))[0]) / rows**2 for _, column in features.items())
    chance = sum(np.log(share + 1e-12) for share in shares)
    return bool(_same_pairs(equal) - rows > UNLIKELY * rows**2 * np.exp(chance / 2))


def _same_pairs(codes: ArrayLike) -> float:
    """Return the number of ordered pairs with the same code, each with itself included."""
    return float(np.sum(np.unique(np.asarray(codes), return_counts=True)[1].astype(float) ** 2))


def _standard(target: ArrayLike, question: Question) -> Floats:
    """Return the target as columns whose product is the agreement of two rows: 1 if equal, 0 on average."""
    truth = np.asarray(target, dtype=float)
    columns = rankdata(truth)[:, None] if question == "number" else np.eye(int(truth.max()) + 1)[truth.astype(int)]
    centred = columns - columns.mean(axis=0)
    return np.asarray(centred / np.sqrt(np.mean(np.sum(centred**2, axis=1)) or 1.0))


def _falls_of_agreement(close: Neighbours, standard: Floats, person: Ints | None) -> list[float]:
    """Return for each row with a leap, or for each person, how much better targets agree before it than behind it."""
    falls: dict[int, list[float]] = {}
    for row, near, leap, ratio in zip(*close, strict=True):
        if leap < len(near) and ratio < LEAP:
            agreement = standard[near] @ standard[row]
            fall = agreement[:leap].mean() - agreement[leap : 2 * leap + 3].mean()
            falls.setdefault(row if person is None else person[row], []).append(float(fall))
    return [float(np.mean(each)) for each in falls.values()]


def suspicious_ids(columns: pd.DataFrame, target: ArrayLike, question: Question) -> list[Suspect]:
    """Return the columns that behave as a person's id, that with the most values first."""
    standard = _standard(target, question)
    suspects = []
    for name, column in columns.items():
        if share := _share_of_id(column, standard):
            how = f"{name!r} looks like an id ({column.nunique():,} values in {len(column):,} rows)"
            sentence = f"{how}: rows of one value share their target, rows of neighbouring values do not"
            suspects.append(Suspect("id", (str(name),), sentence, share))
    return sorted(suspects, key=lambda each: -columns[each.columns[0]].nunique())


def _share_of_id(column: pd.Series[Any], standard: Floats) -> float:
    """Return which part of the target's variance lies between the values of an id; 0 for no id."""
    values = numbers(column)
    known = np.flatnonzero(np.isfinite(values))
    distinct, code, count = np.unique(values[known], return_inverse=True, return_counts=True)
    if not FEWEST_VALUES <= len(distinct) < len(known) or np.median(count[code]) > len(known) / FEWEST_VALUES:
        return 0.0
    several = count > 1
    means, within = _agreement(code, standard[known])
    nearby = np.sum(means[:-1] * means[1:], axis=1)
    weight = count[several] / count[several].sum()
    error = np.sqrt(np.sum(weight**2 * 2 / (count * (count - 1.0))[several]))
    share = float(within[several] @ weight)
    excess = share - float(np.average(nearby, weights=count[:-1] + count[1:]))
    is_text = not pd.api.types.is_numeric_dtype(column) and not column.dropna().astype(str).str.contains(r"\d").all()
    sure = min(share, excess)
    return share if sure >= (CONSTANT if is_text else ALIKE) and sure >= SURELY * error else 0.0
