"""Means and differences of a few numbers, like one metric of several seeds, with their intervals; without numpy."""

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

from pytest_training.evaluation.ranges import ends

LEVEL = 0.95
JUDGED_LEVEL = 0.90  # level of a judged difference: of equal sides 5 % are called worse, and 5 % better
SPREAD = ("_sd", "_low", "_high")  # endings of what stands beside a mean over seeds
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

    @property
    def words(self) -> str:
        """What the interval says, with its method: `beyond noise: -0.069, 90 % from -0.09 to -0.05 (Welch over …)`."""
        where = "beyond noise" if self.is_beyond_noise else "within noise"
        span = f"{100 * JUDGED_LEVEL:.0f} % from {self.low:+.3g} to {self.high:+.3g}"
        return f"{where}: {self.value:+.3g}, {span} ({self.method})"


class EarlierMetric(Struct, frozen=True):
    """A metric in an earlier run."""

    run_id: str
    value: float
    spread: Mean | None = None  # over its seeds, if it is a mean of several


def mean_interval(numbers: Sequence[float], metric: str = "", level: float = LEVEL) -> Mean:
    """Return the mean of independent numbers with Student's interval, which ends where the metric does."""
    value, number = plain_mean(numbers), len(numbers)
    if number < FEWEST:
        return Mean(value, math.nan, math.nan, math.nan, number)
    from statistics import stdev  # noqa: PLC0415  (every job imports this module, and few need this)

    try:
        sd = stdev(numbers)
    except OverflowError:
        sd = math.inf
    half = t_quantile((1 + level) / 2, number - 1) * sd / math.sqrt(number)
    least, most = ends(metric, numbers)
    return Mean(value, sd, max(value - half, least), min(value + half, most), number)


def plain_mean(numbers: Sequence[float]) -> float:
    """Return the mean of numbers, also of some whose sum no float can hold: a loss that diverged."""
    from statistics import fmean, mean  # noqa: PLC0415  (as above)

    try:
        return min(max(fmean(numbers), min(numbers)), max(numbers))  # of equal ones it is rounded to another
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


def mean_of_seeds(metrics: Mapping[str, float], name: str, seeds: int) -> Mean | None:
    """Return a study's metric with its spread, or None if it is not a mean over seeds."""
    sd, low, high = (metrics.get(name + end) for end in SPREAD)
    if seeds < FEWEST or sd is None or low is None or high is None:
        return None
    return Mean(metrics[name], sd, low, high, seeds)


def judged_difference(
    change: float, *, now: Mean | None, before: Mean | None, pair: Difference | None
) -> Difference | None:
    """Return what judges a change, by seeds, else by paired predictions, or None if neither is there.

    It must be the change that is shown: what a file has may be of a part of the predictions. Seeds that all give one
    number are no sample of any noise.
    """
    judged = welch(now, before, JUDGED_LEVEL) if now and before and max(now.sd, before.sd) else pair
    if judged is None or not all(map(math.isfinite, (judged.low, judged.high))):
        return None
    return judged if math.isclose(judged.value, change, rel_tol=1e-6, abs_tol=1e-9) else None


def t_quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t with so many degrees of freedom, also a fraction, by Newton's steps from 0."""
    if probability < 1 / 2:
        return -t_quantile(1 - probability, freedom)
    height = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    value = 0.0
    for _ in range(STEPS):  # the distribution is concave above 0: no step goes too far
        density = height * (1 + value**2 / freedom) ** (-(freedom + 1) / 2)
        below = 1 - _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + value**2)) / 2
        step = (probability - below) / density
        if not step > EXACT * (1 + value):
            break
        value += step
    return value


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
        factor = -(a + half) * (a + b + half) if number % 2 else half * (b - half)
        part = factor * x / ((a + number - 1) * (a + number)) if number else 1.0
        lower, upper = 1 / (1 + part * lower), 1 + part / upper
        change = upper * lower
        result *= change
        number += 1
    return front * (result - 1)
