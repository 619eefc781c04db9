"""Which files of a job's folder hold metrics, in which form; and what follows them as they grow."""

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from pytest_training.execution.job_files import Walk, open_own
from pytest_training.execution.readers.names import metric_name
from pytest_training.execution.readers.protocol import Measured, Point
from pytest_training.execution.readers.records import Records, Runs
from pytest_training.execution.readers.rows import (
    HISTORY,
    Database,
    Document,
    JsonLines,
    Lines,
    Logged,
    Moment,
    Row,
    Table,
    TagDocument,
    Text,
    read_row,
)

LARGEST, LARGEST_TEXT = 2**24, 2**22
"""Bytes of a file that are read after the end of a job; of a text its head and its tail."""
MOST_PLACES, MOST_NAMES, MOST_POINTS = 500, 500, 20_000
"""Files of a folder; labels, and names of each; points of a file."""
SHARE = 0.005
"""Of the time, that is spent on finding new files."""
RANDOM_ID = re.compile(r"[0-9a-f]{32}|(offline-)?run-\d{8}_\d{6}-\w+")


class Parser(Protocol):
    """Turns the content of a file into rows, piece by piece."""

    def feed(self, content: bytes) -> Iterator[Row]:
        """Yield the rows that end in what was added."""
        ...


class Form(NamedTuple):
    """A form of file, by a pattern of paths. Files with the same `group` log together, of those with `one` one counts."""

    pattern: str
    parser: Callable[[re.Match[str]], Parser]
    is_logged: bool = False
    """True if all that it has is logged as a metric, but for counters, times and settings."""
    is_whole: bool = False
    """True if it is read anew when it changes."""


NAMED = r"[^/]*(metric|result|score|report|summar|eval|perf|histor|log|progress|loss|benchmark)[^/]*"
OTHER = r"(?![^/]*(config|param|args|pred|submission|importance|feature|confusion|annotation|vocab|tokeni|manifest))"
RUN = r"(?P<run>[0-9a-f]{32})"
FORMS = (
    Form(r"^(?P<one>|.*/)(checkpoint-\d+/)?trainer_state\.json$", Document, is_logged=True, is_whole=True),
    Form(r"(^|/)(all|eval|train|test|predict)_results\.json$", Document, is_logged=True, is_whole=True),
    Form(r"(^|/)dvclive/metrics\.json$", TagDocument, is_logged=True, is_whole=True),
    Form(r"(^|/)dvclive/plots/metrics/(?P<name>.+)\.tsv$", Logged, is_logged=True),
    Form(r"^(?P<group>.*\bwandb)/(?P<run>[^/]+)/files/wandb-summary\.json$", Document, is_logged=True, is_whole=True),
    Form(r"^(?P<group>.*\bwandb)/(?P<run>[^/]+)/run-\w+\.wandb$", Runs, is_logged=True),
    Form(r"^(?P<group>|.*/)events\.out\.tfevents\.[^/]+$", Records, is_logged=True),
    Form(rf"^(?P<group>|.*/)\d+/{RUN}/metrics/(?P<name>.+)$", Logged, is_logged=True),
    Form(r"(^|/)[^/]*\.(db|sqlite3?)$", Database, is_logged=True, is_whole=True),
    Form(rf"(^|/){OTHER}[^/]*(\.jsonl|\.ndjson|\.log\.json)$|(^|/)vis_data/\w+\.json$", JsonLines),
    Form(r"(^|/)version_\d+/metrics\.csv$", Table, is_logged=True),
    Form(rf"(^|/){OTHER}[^/]*\.[ct]sv$", Table),
    Form(rf"(^|/){OTHER}[^/]*\.(log|txt)$", Text),
    Form(rf"(^|/){OTHER}{NAMED}\.json$", Document, is_whole=True),
)
"""In the order of trying."""


@dataclass
class Finals:
    """The last value of each name, of all files that log together; by what it is of: a model, a fold, a run."""

    values: dict[str, dict[str, Measured]] = field(default_factory=dict)

    def take(self, moment: Moment, place: str) -> None:
        """Keep values as the last ones of their names."""
        if moment.label in self.values or len(self.values) < MOST_NAMES:
            values = self.values.setdefault(moment.label, {})
            values |= {name: Measured(value, place) for name, value in moment.metrics.items()}
            for name in [*values][MOST_NAMES:]:
                del values[name]

    def __iter__(self) -> Iterator[tuple[str, Measured]]:
        """Yield the metrics; a label is part of the name if there are several."""
        labels = [label for label, values in self.values.items() if values]
        for number, label in enumerate(labels, 1):
            prefix = f"run_{number}" if RANDOM_ID.fullmatch(label) else metric_name(label)
            for name, last in self.values[label].items():
                yield f"{prefix}_{name}" if prefix and len(labels) > 1 else name, last


@dataclass
class Place:
    """One file, and what was read of it."""

    path: Path
    relative: str
    form: Form
    match: re.Match[str]
    finals: Finals
    passed: int = 0
    """Points that were seen before the file was written anew."""
    points: int = 0
    mark: tuple[int, ...] = ()
    head: bytes = b""
    offset: int = 0
    once: set[tuple[str, str]] = field(default_factory=set)
    """Labels and names of which nothing says that they are logged again and again."""
    parser: Parser = field(init=False)

    def __post_init__(self) -> None:
        """Begin at the top."""
        self._begin()

    def _begin(self) -> None:
        self.parser, self.passed, self.points, self.offset = self.form.parser(self.match), self.points, 0, 0
        self.once.clear()

    def poll(self, most: int, *, has_ended: bool) -> Iterator[Point]:
        """Yield what was added since the last poll."""
        try:
            with open_own(self.path) as file:
                status = os.fstat(file.fileno())
                mark = (status.st_size, status.st_mtime_ns, status.st_ino)
                if mark == self.mark or (self.form.is_whole and status.st_size > most):
                    return
                head = file.read(256)
                if self.form.is_whole or not head.startswith(self.head) or status.st_size < self.offset:
                    self._begin()
                self.head = head
                for row in self._rows(file, status.st_size, most, has_ended=has_ended):
                    yield from self._take(row)
                self.mark = mark if self.offset >= status.st_size else ()
        except OSError:
            return

    def _rows(self, file: BinaryIO, size: int, most: int, *, has_ended: bool) -> Iterator[Row]:
        is_text = isinstance(self.parser, Lines)
        most = min(most, LARGEST_TEXT) if is_text else most
        if isinstance(self.parser, Lines) and size - self.offset > most:
            file.seek(0)  # its head has the names
            yield from self.parser.feed(file.read(most // 2)) if not self.offset else ()
            file.seek(size - most // 2)
            file.readline(most)
            self.parser.rest, self.offset = b"", file.tell()
            self.finals.values.clear()  # none of these need be the last
        until = min(size, self.offset + most)
        while self.offset < until:
            file.seek(self.offset)
            content = file.read(until - self.offset)
            yield from self.parser.feed(content)
            self.offset += (len(content) or size) + getattr(self.parser, "skip", 0)
        if has_ended and is_text:
            yield from self.parser.feed(b"\n")
        if has_ended and self.offset < size:
            self.finals.values.clear()  # the last ones were not reached

    def _take(self, row: Row) -> Iterator[Point]:
        row = row._replace(is_logged=row.is_logged or self.form.is_logged)
        moment = read_row(row, self.match.groupdict().get("run") or "")
        if not (moment.counts or row.is_logged or HISTORY.search(Path(self.relative).name)):
            again = self.once.intersection((moment.label, name) for name in moment.metrics)
            for label, name in again:  # which of its rows counts, nothing says
                self.finals.values[label].pop(name, None)
                del moment.metrics[name]
            self.once.update((moment.label, name) for name in moment.metrics)
        if moment.metrics:
            self.finals.take(moment, self.relative)
        self.points += bool(moment.counts and moment.metrics)
        if moment.counts and moment.metrics and self.passed < self.points <= MOST_POINTS:
            values = {name: float(value) for name, value in moment.metrics.items()}
            yield Point(self.relative, moment.counts | values)


@dataclass
class Files:
    """The files of a folder that hold metrics."""

    folder: Path
    most: int
    """Bytes of a file that a poll may read."""
    has_ended: bool
    places: dict[str, Place] = field(default_factory=dict)
    groups: dict[str, Finals] = field(default_factory=dict)
    next_search: float = 0.0

    def poll(self) -> Iterator[Point]:
        """Yield what was added since the last poll, of new files too."""
        if (now := time.monotonic()) >= self.next_search:
            self._search()
            self.next_search = now + (time.monotonic() - now) / SHARE
        for place in self.places.values():
            yield from place.poll(min(self.most, LARGEST), has_ended=self.has_ended)

    def metrics(self) -> Iterator[tuple[str, Measured]]:
        """Yield the last values."""
        for finals in self.groups.values():
            yield from finals

    def _search(self) -> None:
        """Add the files that are new, the oldest first: what was written last counts."""
        new = []
        for relative, entry in Walk(self.folder):
            if relative not in self.places and len(self.places) + len(new) < MOST_PLACES:
                matches = ((form, re.search(form.pattern, relative, re.IGNORECASE)) for form in FORMS)
                form, match = next(((form, match) for form, match in matches if match), (None, None))
                if form and match:
                    new.append((entry.stat(follow_symlinks=False).st_mtime, relative, form, match))
        for _, relative, form, match in sorted(new, key=lambda each: each[:2]):
            named = match.groupdict()
            key, group = named.get("one", relative), named.get("group", named.get("one", relative))
            finals = self.groups.setdefault(f"{form.pattern} {group}" if "group" not in named else group, Finals())
            before = self.places.get(key)
            self.places[key] = Place(
                self.folder / relative, relative, form, match, finals, before.points if before else 0
            )
