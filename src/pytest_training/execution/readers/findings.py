"""What all readers find together: the metrics of an attempt, where each stands, and its curves."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from itertools import islice
from pathlib import PurePath
from typing import Any

import msgspec
from msgspec.structs import replace

from pytest_training.errors import FROM_OTHERS, ResultError
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.outcome import sort_metrics
from pytest_training.execution.readers.protocol import (
    COUNTERS,
    EndedAttempt,
    Following,
    Measured,
    Point,
    Reader,
    RunningAttempt,
)
from pytest_training.jobs.kinds.protocol import Kind
from pytest_training.places import appending
from pytest_training.wording import listing, printable

MOST_NAMED = 3
MOST_NESTED = 4
MOST_KINDS, MOST_POINTS = 50, 500  # kinds of points (names in a place); points of a kind, then every second, fourth …
LONGEST_SOURCE = 150
PARTS = ("test", "val", "eval", "dev", "train")
"""Parts of the data by what they say of a model; a metric of no part stands before those of the last."""
OF_CLASS = re.compile(r".+_(precision|recall|f1(_?score)?|support)|best_value")  # behind the accuracy of the same part
FEWEST_DECIMALS, FEWEST = 2, 10  # decimals, or the size, from which a number counts as rounded: `0.70`, `41.5`


class FoundMetrics(msgspec.Struct, frozen=True):
    """The metrics of an attempt, a sentence about each refused value, and a hint at metrics in another place."""

    values: dict[str, float] = msgspec.field(default_factory=dict)
    refused: dict[str, str] = msgspec.field(default_factory=dict)
    hint: str = ""
    sources: dict[str, str] = msgspec.field(default_factory=dict)  # by metric where it was read
    choices: dict[str, list[str]] = msgspec.field(default_factory=dict)
    """By ambiguous name those of its values: `auc` is `auc@stdout` or `auc@results.json`."""
    last: tuple[str, ...] = ()  # names of which other numbers stand below other titles, and do not count

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the outcome."""
        more = len(self.refused) - MOST_NAMED
        note = f"{more} more metrics are no finite numbers" if more > 0 else ""
        ambiguous = [self.ambiguity(name) for name in islice(self.choices, MOST_NAMED)]
        return tuple(
            filter(None, (self.hint, *list(self.refused.values())[:MOST_NAMED], note, *ambiguous, self._sentence()))
        )

    def _sentence(self) -> str:
        names = listing("", self.last, limit=3)
        return f"several numbers are called {names}; the last of each counts" if self.last else ""

    def ambiguity(self, name: str) -> str:
        """Say which values a name has, and where."""
        values = (f"{each} is {self.values[each]:.4g} ({self.sources[each]})" for each in self.choices[name])
        return f"{name!r} differs by its source: {', '.join(values)}"


class Followed:
    """What foreign places say of an attempt: polled while it runs, or once after its end."""

    def __init__(self, attempt: RunningAttempt, readers: Sequence[Reader]) -> None:
        self.values: dict[str, float] = {}  # the newest number of each name
        self.progress: tuple[float, float] | None = None
        self._followings: list[tuple[Reader, Following]] = []
        self._kinds: Counter[tuple[str, ...]] = Counter()
        self._points: list[Point] = []
        for reader in filter(_is_foreign, readers):
            with _naming(reader):
                follow = getattr(reader, "follow", None)  # one from outside may have `read` alone
                if follow and (following := follow(attempt)):
                    self._followings.append((reader, following))

    def poll(self) -> list[Point]:
        """Read and return what is new; raise ResultError if a reader raises."""
        new: list[Point] = []
        for reader, following in self._followings:
            with _naming(reader):
                for point in following.poll():
                    self._take(point)
                    new.append(point)
        return new

    def _take(self, point: Point) -> None:
        self.progress = point.progress or self.progress
        self.values |= point.values
        kind = (point.place, *point.values)
        if (number := self._kinds[kind]) or len(self._kinds) < MOST_KINDS:
            self._kinds[kind] += 1
            if number % (1 << (number // MOST_POINTS).bit_length()) == 0:
                self._points.append(point)

    def metrics(self) -> Iterator[tuple[str, Measured]]:
        """Yield the final value of each name in each place."""
        for reader, following in self._followings:
            with _naming(reader):
                yield from following.metrics()

    def curves(self) -> Iterator[dict[str, float]]:
        """Yield the points in their order, as `run.log` has them; of each name those of the place with the most."""
        counts: Counter[tuple[str, str]] = Counter()
        for (place, *names), count in self._kinds.items():
            counts.update(dict.fromkeys(((name, place) for name in names), count))
        places = dict(reversed([pair for pair, _ in counts.most_common()]))
        for place, values, _ in self._points:
            own = {name: value for name, value in values.items() if name in COUNTERS or places[name] == place}
            if own.keys() - COUNTERS:
                yield own


def add_curves(folder: AttemptFolder, curves: Iterable[Mapping[str, float]], at_s: float) -> None:
    """Add curves to the attempt's events, where page and reports look; the job may have put anything there."""
    lines = [msgspec.json.encode({"t": at_s, "log": values}) for values in curves]
    with suppress(OSError):
        if lines:
            with appending(folder.events) as events:
                events.write(b"\n".join((b"", *lines, b"")))


@contextmanager
def _naming(reader: Reader) -> Iterator[None]:
    """Name a reader that raises: one from outside may raise anything, and fails this job alone."""
    try:
        yield
    except ResultError:
        raise
    except FROM_OTHERS as error:
        raise ResultError(f"reader {reader.name!r} raised {type(error).__name__}: {error}") from error


def readers_of(kind: Kind, readers: Iterable[Reader]) -> list[Reader]:
    """Return the readers that are asked for metrics of a kind of job."""
    return [each for each in readers if not kind.readers or each.name in kind.readers]


def read_metrics(attempt: EndedAttempt, readers: Sequence[Reader], followed: Followed) -> FoundMetrics:
    """Return the metrics of the first declared reader that finds some, else those of all others together.

    Raise ResultError if none of the declared values is a finite number.
    """
    declared, hint = attempt.job.metrics, ""
    others: list[tuple[str, Measured]] = []
    for reader in sorted(readers, key=_is_foreign):
        with _naming(reader):
            if (metrics := reader.read(attempt)) is not None and not _is_foreign(reader):
                found = _sorted(metrics, declared.path if declared else "")
                if found.values or declared:
                    return found
                hint = found.hint
            elif metrics:
                others += ((name, _measured(value, reader.name)) for name, value in metrics.items())
    found = _united((*others, *followed.metrics()))
    return found if found.values else replace(found, hint=hint)


def _is_foreign(reader: Reader) -> bool:
    return not getattr(reader, "is_declared", False)


def _measured(value: Any, source: str) -> Measured:
    return value if isinstance(value, Measured) else Measured(value, source)


def _sorted(metrics: Mapping[str, Any], top: str) -> FoundMetrics:
    sources = {name: each.source for name, each in metrics.items() if isinstance(each, Measured)}
    plain = {name: _measured(each, "").value for name, each in metrics.items()}
    below = {name: value for name, value in plain.items() if isinstance(value, Mapping)}
    values, refused = sort_metrics({name: value for name, value in plain.items() if name not in below})
    if refused and not values:
        raise ResultError(next(iter(refused.values())))
    hint = "" if values else _nested(below, top)
    return FoundMetrics(values, refused, hint, {name: sources[name] for name in values if name in sources})


def _nested(below: Mapping[str, Any], top: str) -> str:
    """Return how to take the first mapping with numbers below a path, or nothing if no level near it has one."""
    level: Mapping[str, Any] = {f"{top}.{name}" if top else name: value for name, value in below.items()}
    for _ in range(MOST_NESTED):
        for path, value in level.items():
            if any(type(number) in {int, float} for number in value.values()):
                return f"its metrics are nested: write metrics: {{path: {printable(path, 60)}}} in the catalogue"
        deeper = ((f"{path}.{name}", each) for path, value in level.items() for name, each in value.items())
        level = {path: each for path, each in deeper if isinstance(each, Mapping)}
    return ""


_Number = tuple[float, float, str]  # how far it may be rounded, a finite number, and its source


def _agree(one: _Number, other: _Number) -> bool:
    """Return True if both are one number, written with different precision."""
    most = max(one[0], other[0]) * (1 + 1e-9)
    return abs(one[1] - other[1]) <= most or math.isclose(one[1], other[1], rel_tol=1e-6)


def _united(measured: Iterable[tuple[str, Measured]]) -> FoundMetrics:
    """Return each metric once, the most exact of values that agree; others under names of their own."""
    numbers: dict[str, list[_Number]] = {}
    refused: dict[str, str] = {}
    last: list[str] = []
    for name, (value, source, is_last) in measured:
        values, wrong = sort_metrics({name: value})
        last += [name] if is_last and values else []
        refused |= {name: f"{sentence} ({source})" for name, sentence in wrong.items()}
        for number in values.values():
            numbers.setdefault(name, []).append((_rounded(value), number, printable(source, LONGEST_SOURCE)))
    found = FoundMetrics(refused=refused, last=tuple(last))
    for name, several in sorted(numbers.items(), key=_rank):
        distinct: list[_Number] = []
        for each in sorted(several, key=lambda number: number[0]):
            distinct += [] if any(_agree(each, other) for other in distinct) else [each]
        names = _told_apart(name, [source for _, _, source in distinct])
        found.values.update(zip(names, (number for _, number, _ in distinct), strict=True))
        found.sources.update(zip(names, (source for _, _, source in distinct), strict=True))
        found.choices.update({name: names} if names != [name] else {})
    return found


def _rank(named: tuple[str, Any]) -> float:
    """Return a metric's place in the order: the first metric stands for the job."""
    of_part = next((place for place, word in enumerate(PARTS) if named[0].startswith(word)), 3.5)
    return of_part + (0.1 if OF_CLASS.fullmatch(named[0]) else 0)


def _rounded(value: Any) -> float:
    """Return half a unit of a number's last place, 0 for one that is exact."""
    decimals = -int(value.as_tuple().exponent) if isinstance(value, Decimal) else 0
    is_rounded = decimals >= FEWEST_DECIMALS or (decimals > 0 and abs(value) >= FEWEST)
    return 0.5 * 10.0**-decimals if is_rounded else 0.0


def _told_apart(name: str, sources: Sequence[str]) -> list[str]:
    """Return the metric's name, or one for each of several sources: `auc@stdout`, `auc@results.json`."""
    labels = [PurePath(source.partition(" line ")[0]).name for source in sources]
    labels = labels if len({*labels}) == len(labels) else [*sources]
    return [name] if len(sources) == 1 else [f"{name}@{label}" for label in labels]
