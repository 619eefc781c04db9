"""What a picture of predictions shows, as numbers: written by a job, drawn on the page and on the card."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["roc", "precision_recall", "calibration", "decision", "measured"]
Point = tuple[float, float]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line with its 95 % band, or without."""

    label: str = ""  # empty for a picture's only line
    points: tuple[Point, ...]
    band: tuple[tuple[float, float, float], ...] = ()  # x, low, high


class Bar(msgspec.Struct, frozen=True):
    """How many rows have a risk from `x` to `x + width`."""

    x: float
    width: float
    events: float  # mean over the repeats
    others: float


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of the predictions."""

    kind: Kind
    lines: tuple[Line, ...]
    reference: tuple[Line, ...] = ()  # what a perfect or an ignorant model would have
    points: tuple[Point, ...] = ()  # of `calibration` tenths of the rows, of others the cut-off
    bars: tuple[Bar, ...] = ()
