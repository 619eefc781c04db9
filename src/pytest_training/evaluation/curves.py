"""Computes the pictures of predictions: ROC, precision and recall, calibration, decision curve, measured numbers.

Curves agree with the metrics: they are means over repeats, a ROC curve is one over folds too, and bands are the
intervals' (`interval.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_training.evaluation import interval
from pytest_training.evaluation.columns import Floats
from pytest_training.evaluation.drawing import Bar, Drawing, Line
from pytest_training.evaluation.metrics import figure, log_odds, logistic, net_benefit
from pytest_training.evaluation.record import Predictions

Mask = NDArray[np.bool_]
Smooth = tuple[Floats, ...]
"""A curve with its band: x, y, low, high."""
GRID = np.concatenate([[0.0], np.linspace(0.005, 0.995, 100), [1.0]])  # between the steps of most folds: no bias
MOST_CLASSES = 6  # that are drawn, the most frequent ones
MOST_POINTS = 300  # of a scatter
THRESHOLDS, ALONG = 61, 41  # points of a decision curve and of a smooth curve
EVERY = 6  # the band of a decision curve is computed at every sixth point
BINS, TENTHS = 25, 10
FEWEST_FOR_A_CURVE, FEWEST_FOR_FOUR_KNOTS = 10, 100  # people of the rarer outcome
KNOTS = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95)}
"""Quantiles at which splines have their knots (Harrell, Regression Modeling Strategies, table 2.3)."""
DIAGONAL = Line(points=((0.0, 0.0), (1.0, 1.0)))


def drawings(record: Predictions) -> tuple[Drawing, ...]:
    """Return the pictures of this kind of question."""
    if record.question == "number":
        return (measured(record),)
    if record.question == "classes":
        return tuple(_of_classes(record))
    share = _short(np.mean(record.truth))
    level = Line(points=((0.0, share), (1.0, share)))  # the precision of a model that knows nothing
    above, happened = record.score >= record.cutoff, record.truth == 1
    at_cutoff = (_short(above[~happened].mean()), _short(above[happened].mean()))
    return (
        Drawing(kind="roc", lines=(roc(record),), reference=(DIAGONAL,), points=(at_cutoff,)),
        Drawing(kind="precision_recall", lines=(precision_recall(record),), reference=(level,)),
        calibration(record),
        decision(record),
    )


def _of_classes(record: Predictions) -> Iterator[Drawing]:
    """Yield the pictures of each of the most frequent classes against the rest."""
    counts = np.bincount(record.truth, minlength=len(record.classes))
    own = sorted(np.argsort(-counts, kind="stable")[: min(MOST_CLASSES, np.count_nonzero(counts))])
    truths, scores = [(record.truth == each).astype(int) for each in own], [record.score[:, each] for each in own]
    classes = [("rest", record.classes[each]) for each in own]
    sides = [record.replaced(truth=t, score=s, classes=c) for t, s, c in zip(truths, scores, classes, strict=True)]
    yield Drawing(kind="roc", lines=tuple(roc(each, each.classes[1]) for each in sides), reference=(DIAGONAL,))
    yield Drawing(kind="precision_recall", lines=tuple(precision_recall(each, each.classes[1]) for each in sides))
    smooth = ((each.classes[1], smooth_risk(each)) for each in sides)
    lines = tuple(_line(*each[:2], label=label) for label, each in smooth if each)
    yield Drawing(kind="calibration", lines=lines, reference=(DIAGONAL,))


def roc(record: Predictions, label: str = "") -> Line:
    """Return sensitivity by 1 - specificity: the mean over repeats of that over folds that have both classes."""
    folds = np.unique(record.fold)
    curves = []
    for lines in record.repeats:
        rates = [rate for fold in folds for rate in _rates(record, lines[record.fold[lines] == fold])]
        if rates := rates or _rates(record, lines):  # of all together, as with one held-out row a fold
            curves.append(np.mean(rates, axis=0))
    mean = np.mean(curves, axis=0) if curves else GRID
    return _line(np.append(0.0, GRID), np.append(0.0, mean), label=label)


def _rates(record: Predictions, lines: NDArray[np.int64]) -> list[Floats]:
    """Return the sensitivity of some lines at each place of the grid, none if they lack a class."""
    right, wrong, _ = _counts(record, lines)
    if not len(right) or not right[-1] or not wrong[-1]:
        return []
    return [np.interp(GRID, np.append(0.0, wrong / wrong[-1]), np.append(0.0, right / right[-1]))]


def precision_recall(record: Predictions, label: str = "") -> Line:
    """Return precision by recall, the mean over the repeats; a recall between two has the higher one's precision."""
    steps = []
    for lines in record.repeats:
        right, wrong, _ = _counts(record, lines)
        first = np.searchsorted(right, GRID * right[-1] * (1 - 1e-12)) if right[-1] else np.zeros(len(GRID), int)
        steps.append((right / (right + wrong))[first])
    return _line(GRID, np.mean(steps, axis=0), label=label)


def _counts(record: Predictions, lines: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Return how many lines with and without the event have at least each score, and the scores, highest first."""
    order = lines[np.argsort(-record.score[lines], kind="stable")]
    score, happened = record.score[order], record.truth[order] == 1
    last = np.flatnonzero(np.diff(score, append=-np.inf))
    return np.cumsum(happened)[last].astype(float), np.cumsum(~happened)[last].astype(float), score[last]


def calibration(record: Predictions) -> Drawing:
    """Return what happened by the predicted risk: a smooth curve with its band, tenths of the rows, the risks."""
    happened, smooth = record.truth == 1, smooth_risk(record)
    edges = np.linspace(0, float(record.score.max()) or 1.0, BINS + 1)
    sides = [np.histogram(record.score[side], edges)[0] / len(record.repeats) for side in (happened, ~happened)]
    bars = (tuple(map(_short, each)) for each in zip(edges[:-1], *sides, strict=True))
    return Drawing(
        kind="calibration",
        lines=(_line(*smooth),) if smooth else (),
        reference=(DIAGONAL,),
        points=_tenths(record.score, happened),
        bars=tuple(Bar(x, _short(edges[1]), event, other) for x, event, other in bars if event or other),
    )


def smooth_risk(record: Predictions) -> Smooth | None:
    """Return the observed share by the risk, or None if people are too few or their risks too alike.

    It is a logistic regression on a restricted cubic spline of the log odds (Austin & Steyerberg 2014).
    """
    odds, people = log_odds(record.score), record.people[0]
    rarer = min(len(np.unique(people[record.truth == label])) for label in (0, 1))
    spline = Spline.over(odds, 4 if rarer >= FEWEST_FOR_FOUR_KNOTS else 3)
    if spline is None or rarer < FEWEST_FOR_A_CURVE:
        return None
    columns = spline(odds)
    fits = [logistic(columns[lines], record.truth[lines], np.zeros(len(lines))) for lines in record.repeats]
    return tuple(map(expit, _smooth(record, spline, odds, fits)))


def measured(record: Predictions) -> Drawing:
    """Return the measured number by the predicted one: rows as points, and a smooth curve with its band."""
    truth, predicted = record.truth, record.score
    shown = np.unique(np.linspace(0, len(truth) - 1, MOST_POINTS).astype(int))
    low, high = _short(min(predicted.min(), truth.min())), _short(max(predicted.max(), truth.max()))
    spline = Spline.over(predicted, 4)
    lines = (_line(*_smooth(record, spline, predicted, _regressions(record, spline))),) if spline else ()
    points = tuple((_short(predicted[row]), _short(truth[row])) for row in shown)
    return Drawing(kind="measured", lines=lines, reference=(Line(points=((low, low), (high, high))),), points=points)


def _regressions(record: Predictions, spline: Spline) -> list[tuple[Floats, Floats]]:
    """Return for each repeat the coefficients of a linear regression, and each line's influence on them."""
    fits = []
    for lines in record.repeats:
        columns, truth = spline(record.score[lines]), record.truth[lines]
        inverse = np.linalg.pinv(columns.T @ columns)
        coefficients = inverse @ columns.T @ truth
        fits.append((coefficients, columns * (truth - columns @ coefficients)[:, None] @ inverse))
    return fits


def _smooth(record: Predictions, spline: Spline, values: Floats, fits: list[tuple[Floats, Floats]]) -> Smooth:
    """Return the mean of the repeats' curves, over all but the outermost values, with its band."""
    along = np.linspace(float(np.quantile(values, 0.01)), float(np.quantile(values, 0.99)), ALONG)
    drawn, (codes, people) = spline(along), record.people
    influence = np.empty((len(fits), people, drawn.shape[1]))
    for repeat, (lines, (_, own)) in enumerate(zip(record.repeats, fits, strict=True)):
        influence[repeat] = np.column_stack([np.bincount(codes[lines], each, people) for each in own.T])
    middle = drawn @ np.mean([coefficients for coefficients, _ in fits], axis=0)
    spread = np.array([_spread(record, influence @ columns) for columns in drawn])
    return along, middle, middle - spread, middle + spread


def decision(record: Predictions) -> Drawing:
    """Return the net benefit by the risk from which somebody is treated (Vickers & Elkin 2006), beside treating all."""
    prevalence, cutoff = float(np.mean(record.truth)), record.cutoff
    end = _short(min(0.99, max(float(np.quantile(record.score, 0.99)), 1.5 * prevalence, 1.2 * cutoff)))
    thresholds = np.linspace(0.01, end, THRESHOLDS)
    right, wrong, score = _counts(record, np.arange(len(record.truth)))
    treated = np.searchsorted(-score, -thresholds, "right")
    odds = thresholds / (1 - thresholds)
    middle = (np.append(0.0, right)[treated] - odds * np.append(0.0, wrong)[treated]) / len(record.truth)
    some = thresholds[::EVERY]
    each = [_spread(record, figure(record, partial(net_benefit, cutoff=threshold)).influence) for threshold in some]
    spread = np.interp(thresholds, some, each)
    everybody = prevalence - (1 - prevalence) * odds
    return Drawing(
        kind="decision",
        lines=(_line(thresholds, middle, middle - spread, middle + spread, label="by the model"),),
        reference=(
            _line(thresholds, everybody, label="treat all"),
            Line(label="treat none", points=((0.0, 0.0), (end, 0.0))),
        ),
        points=((_short(cutoff), _short(figure(record, partial(net_benefit, cutoff=cutoff)).value)),),
    )


def _spread(record: Predictions, influence: Floats) -> float:
    """Return half the width of a 95 % band, or NaN if there are too few people for one."""
    if not interval.is_enough(record, ""):
        return math.nan
    low, high = interval.bounds("", 0.0, interval.variance(influence, record.folds), record.freedom)
    return (high - low) / 2


class Spline(NamedTuple):
    """A restricted cubic spline: linear beyond its outer knots."""

    knots: Floats

    @classmethod
    def over(cls, values: Floats, knots: int) -> Spline | None:
        """Return a spline for these values, or None if they are too alike for one."""
        places = np.unique(np.quantile(values, KNOTS[knots]))
        return cls(places) if len(places) > 2 else None

    def __call__(self, values: Floats) -> Floats:
        """Return the columns of a regression, the first one constant."""
        scaled, knots = ((each - self.knots[0]) / np.ptp(self.knots) for each in (values, self.knots))
        cubes = [np.maximum(scaled - each, 0) ** 3 for each in knots]
        bent = [
            cube - (cubes[-2] * (1 - knot) - cubes[-1] * (knots[-2] - knot)) / (1 - knots[-2])
            for knot, cube in zip(knots[:-2], cubes[:-2], strict=True)
        ]
        return np.column_stack([np.ones(len(scaled)), scaled, *bent])


def _tenths(risk: Floats, happened: Mask) -> tuple[tuple[float, float], ...]:
    """Return mean risk and observed share of the rows in ten groups of equal size, equal risks in one group."""
    edges = np.unique(np.quantile(risk, np.linspace(0, 1, TENTHS + 1)[1:-1]))
    group = np.searchsorted(edges, risk)
    groups = (group == each for each in np.unique(group))
    return tuple((_short(risk[rows].mean()), _short(happened[rows].mean())) for rows in groups)


def expit(odds: Floats) -> Floats:
    """Return the risk of log odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))))


def _line(x: Floats, y: Floats, low: Floats | None = None, high: Floats | None = None, *, label: str = "") -> Line:
    xs, ys, lows, highs = (() if each is None else tuple(map(_short, each)) for each in (x, y, low, high))
    band = tuple(each for each in zip(xs, lows, highs, strict=False) if not any(map(math.isnan, each)))
    return Line(label=label, points=tuple(zip(xs, ys, strict=True)), band=band)


def _short(value: float) -> float:
    """Return the number with the digits that a picture shows."""
    return float(f"{value:.5g}")
