"""Means and differences of a few numbers, like one metric of several seeds, with their intervals; without numpy."""

import math
from collections.abc import Sequence
from statistics import fmean, mean, stdev

from msgspec import Struct

LEVEL = 0.95
FEWEST = 2  # numbers for a spread
STEPS, EXACT = 100, 1e-12  # most steps to a quantile, and the last one's relative size


class Mean(Struct, frozen=True):
    """A mean with its spread; `sd`, `low` and `high` are NaN for a single number."""

    value: float
    sd: float
    low: float
    high: float
    number: int


class Difference(Struct, frozen=True):
    """A difference of two means, the present one less the other, with its interval."""

    value: float
    low: float
    high: float
    method: str  # in words: `Welch over 5 and 5 seeds`

    @property
    def is_beyond_noise(self) -> bool:
        """True if the interval excludes 0."""
        return self.low > 0 or self.high < 0


def mean_interval(numbers: Sequence[float], level: float = LEVEL) -> Mean:
    """Return the mean of independent numbers with Student's interval."""
    value, number = plain_mean(numbers), len(numbers)
    if number < FEWEST:
        return Mean(value, math.nan, math.nan, math.nan, number)
    try:
        sd = stdev(numbers)
    except OverflowError:
        sd = math.inf
    half = t_quantile((1 + level) / 2, number - 1) * sd / math.sqrt(number)
    return Mean(value, sd, value - half, value + half, number)


def plain_mean(numbers: Sequence[float]) -> float:
    """Return the mean of numbers, also of some whose sum no float can hold: a loss that diverged."""
    try:
        return fmean(numbers)
    except OverflowError:
        return mean(numbers)


def welch(now: Mean, before: Mean, level: float = LEVEL) -> Difference | None:
    """Return the difference of two means of different spread (Welch 1947), or None if either has no spread."""
    if min(now.number, before.number) < FEWEST:
        return None
    value, method = now.value - before.value, f"Welch over {now.number} and {before.number} seeds"
    if not (scale := max(now.sd, before.sd)):
        return Difference(value, value, value, method)
    parts = [(side.sd / scale) ** 2 / side.number for side in (now, before)]  # squares of the spreads may overflow
    squared = sum(parts)
    freedom = squared**2 / sum(part**2 / (side.number - 1) for part, side in zip(parts, (now, before), strict=True))
    half = t_quantile((1 + level) / 2, freedom) * scale * math.sqrt(squared)
    return Difference(value, value - half, value + half, method)


def t_quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t with so many degrees of freedom, also a fraction, by Newton's steps from 0."""
    if probability < 1 / 2:
        return -t_quantile(1 - probability, freedom)
    height = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    value = 0.0
    for _ in range(STEPS):  # the distribution is concave above 0: no step goes too far
        density = height * (1 + value**2 / freedom) ** (-(freedom + 1) / 2)
        step = (probability - _t_below(value, freedom)) / density
        if not step > EXACT * (1 + value):
            break
        value += step
    return value


def _t_below(value: float, freedom: float) -> float:
    """Return the probability that Student's t is below a positive value."""
    return 1 - _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + value**2)) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularized incomplete beta function, by Lentz's continued fraction (Abramowitz and Stegun 26.5.8)."""
    if not 0 < x < 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    upper, lower, result, change, number = 1.0, 0.0, 1.0, 0.0, 0
    while abs(change - 1) > 1e-15:
        half = number // 2
        if number == 0:
            part = 1.0
        elif number % 2 == 0:
            part = half * (b - half) * x / ((a + number - 1) * (a + number))
        else:
            part = -(a + half) * (a + b + half) * x / ((a + number - 1) * (a + number))
        lower = 1 / (1 + part * lower)
        upper = 1 + part / upper
        change = upper * lower
        result *= change
        number += 1
    return front * (result - 1)
