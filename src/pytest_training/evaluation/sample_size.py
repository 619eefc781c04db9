"""How many people a model needs: the criteria of Riley et al. for developing a prediction model.

Riley RD, Snell KIE, Ensor J, et al. Minimum sample size for developing a multivariable prediction model. Stat Med
2019;38:1262-1275 (numbers) and 1276-1296 (binary). Several classes: Pate A, et al. Stat Methods Med Res
2023;32:555-571. They are criteria for regression: models that look for interactions, like trees, need more.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

SHRINKAGE = 0.9  # the least shrinkage of the coefficients that is accepted: at most 10 % of the effects is noise
OPTIMISM = 0.05  # the most that the explained variation may look better than it is
MARGIN = 0.05  # the error of the estimated overall risk
EXPLAINED = 0.15  # share of the largest possible R² that is expected where no earlier model tells (Riley et al. 2019)
RESIDUAL_PEOPLE = 234  # for a standard deviation of the residuals within 10 %


class SampleSize(NamedTuple):
    """The fewest people by each criterion, and what was assumed."""

    people: int  # the largest of the criteria
    criteria: dict[str, int]
    explained: float  # R² (numbers) or Cox and Snell's R² (binary; the smallest of several classes) that is assumed


def minimum_people(parameters: int, shares: Sequence[float] = (), *, explained: float = EXPLAINED) -> SampleSize:
    """Return the fewest people for a model with so many candidate parameters.

    `shares` are the classes' shares of the people, empty where a number is predicted. `explained` is the expected R²,
    as a share of the largest possible one where classes are predicted.
    """
    present = [share / sum(shares) for share in shares if share > 0]
    if len(present) == 1 or parameters < 1:
        raise ValueError(f"expected two classes and one parameter or more, found {present} and {parameters}")
    if not 0 < explained < SHRINKAGE:
        raise ValueError(f"explained={explained}: expected a number above 0 and below {SHRINKAGE}")
    if not present:
        criteria = {
            "shrinkage": _shrunk_number(parameters, explained),
            "optimism": _ceiling(1 + parameters * (1 - explained) / OPTIMISM),
            "residuals": RESIDUAL_PEOPLE + parameters,
        }
        return SampleSize(max(criteria.values()), criteria, explained)
    overall = max(_ceiling((1.96 / MARGIN) ** 2 * share * (1 - share)) for share in present)
    pairs = [(one + other, one / (one + other)) for one, other in combinations(present, 2)]
    snell = [explained * largest_r2(share) for _, share in pairs]
    fewest = [_ceiling(_shrunk(parameters, r2, SHRINKAGE) / size) for (size, _), r2 in zip(pairs, snell, strict=True)]
    optimism = explained / (explained + OPTIMISM)
    hopeful = [_ceiling(_shrunk(parameters, r2, optimism) / size) for (size, _), r2 in zip(pairs, snell, strict=True)]
    criteria = {"shrinkage": max(fewest), "optimism": max(hopeful), "overall risk": overall}
    return SampleSize(max(criteria.values()), criteria, min(snell))


def largest_r2(share: float) -> float:
    """Return the largest Cox and Snell R² of a binary outcome that this share of people has."""
    return 1.0 - float(share**share * (1 - share) ** (1 - share)) ** 2


def _shrunk(parameters: int, r2: float, shrinkage: float) -> float:
    return parameters / ((shrinkage - 1) * math.log(1 - r2 / shrinkage))


def _shrunk_number(parameters: int, r2: float) -> int:
    """Return the fewest people from whom on, with any more too, the coefficients shrink by a tenth at most."""

    def strength(people: int) -> float:  # a convex function of the people: it falls first, where few seem to be enough
        return -people * (math.log(1 - r2) + math.log(1 - parameters / (people - 1)))

    needed, fewest = (parameters - 2) / (1 - SHRINKAGE), parameters + 2
    candidates = range(fewest, max(fewest, _ceiling(needed / -math.log(1 - r2))) + 1)  # the last one is enough
    rising = bisect_left(candidates, True, key=lambda people: strength(people + 1) >= strength(people))
    enough = bisect_left(candidates, True, lo=rising, key=lambda people: strength(people) >= needed)
    return candidates[enough if enough > rising else 0]


def _ceiling(people: float) -> int:
    return math.ceil(round(people, 6))
