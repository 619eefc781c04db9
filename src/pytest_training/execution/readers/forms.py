"""Which files of a job's folder hold metrics, in which form; and what follows them as they grow."""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from msgspec import Struct, field

from pytest_training.execution.job_files import Walk, open_own
from pytest_training.execution.readers.declared import USUAL_FILES
from pytest_training.execution.readers.names import ANY, Row, metric_name, read_row
from pytest_training.execution.readers.protocol import Measured, Point
from pytest_training.execution.readers.rows import HISTORY, Database, Document, Lines, Logged, Parser, Records, Runs

LARGEST, LARGEST_TEXT = 2**23, 2**20  # bytes of a file that are read at the end; of a text its head and its tail
MOST_PLACES, MOST_NAMES, MOST_LABELS = 500, 500, 30
"""Files of a folder; names in files that log together; what they are of, beyond which they are cases and not models."""
SHARE = 0.005  # of the time, that is spent on finding new files
RANDOM_ID = re.compile(r"[0-9a-f]{32}|(offline-)?run-\d{8}_\d{6}-\w+")  # names of runs that no other run has


class Form(NamedTuple):
    """A form of file, by its path. Files of one `group` log together; of each `one` the newest counts."""

    pattern: str
    parser: type[Parser]
    is_logged: bool = False  # True if all that it has is logged as a metric, but for counters, times and settings

    def start(self, match: re.Match[str]) -> Parser:
        """Return what parses a file of this form from its beginning."""
        return self.parser(match, is_logged=self.is_logged)


NAMED = rf"[^/]*{ANY['files_with_metrics']}[^/]*"
OTHER = rf"(?![^/]*{ANY['other_files']})"
FORMS = (
    Form(r"^(?P<one>|.*/)(checkpoint-\d+/)?trainer_state\.json$", Document, is_logged=True),
    Form(r"(^|/)(all|eval|train|test|predict)_results\.json$", Document, is_logged=True),
    Form(r"(^|/)dvclive/metrics\.json$", Document, is_logged=True),
    Form(r"(^|/)dvclive/plots/metrics/(?P<name>.+)\.tsv$", Logged, is_logged=True),
    Form(r"^(?P<group>.*\bwandb)/(?P<run>[^/]+)/files/wandb-summary\.json$", Document, is_logged=True),
    Form(r"^(?P<group>.*\bwandb)/(?P<run>[^/]+)/run-\w+\.wandb$", Runs, is_logged=True),
    Form(r"^(?P<group>|.*/)events\.out\.tfevents\.[^/]+$", Records, is_logged=True),
    Form(r"^(?P<group>|.*/)\d+/(?P<run>[0-9a-f]{32})/metrics/(?P<name>.+)$", Logged, is_logged=True),
    Form(r"(^|/)[^/]*\.(db|sqlite3?)$", Database, is_logged=True),
    Form(r"(^|/)version_\d+/metrics\.csv$", Lines, is_logged=True),
    Form(rf"(^|/){OTHER}[^/]*\.(jsonl|ndjson|log\.json|[ct]sv)$|(^|/)vis_data/\w+\.json$", Lines),
    Form(rf"^(?!(.*/)?(wandb|mlruns|\.hydra)/)(.*/)?{OTHER}([^/]*\.log|{NAMED}\.txt)$", Lines),
    Form(rf"(^|/){OTHER}{NAMED}\.json$", Document),
)  # in the order of trying
Written = tuple[str, os.DirEntry[str]]  # a file, with its path relative to the folder in which it was found
Last = dict[tuple[str, str], Measured]  # the last value of each name, by its model, fold or run and the name


class Place(Struct):
    """One file, and what was read of it."""

    path: Path
    relative: str
    form: Form
    match: re.Match[str]
    last: Last
    parser: Parser
    passed: int = 0  # points that were seen before the file was written anew
    points: int = 0
    mark: tuple[int, ...] = ()
    head: bytes = b""
    offset: int = 0
    once: set[tuple[str, str]] = field(default_factory=set)  # keys of `last` that may be written once alone

    def poll(self, most: int, *, has_ended: bool) -> Iterator[Point]:
        """Yield what was added since the last poll."""
        with suppress(OSError), open_own(self.path) as file:
            status = os.fstat(file.fileno())
            mark, size = (status.st_size, status.st_mtime_ns, status.st_ino), status.st_size
            is_whole = issubclass(self.form.parser, Document | Database)
            if mark == self.mark or (is_whole and size > most):
                return
            head = file.read(256)
            if is_whole or not self.mark or not head.startswith(self.head) or size < self.offset:
                self.parser, self.offset = self.form.start(self.match), 0
                self.passed, self.points = max(self.passed, self.points), 0
                self.once.clear()
            self.head = head
            for row in self._rows(file, size, most, has_ended=has_ended):
                yield from self._take(row)
            self.mark = mark

    def _rows(self, file: BinaryIO, size: int, most: int, *, has_ended: bool) -> Iterator[Row]:
        """Yield the new rows; of very much the first and the last ones."""
        if isinstance(self.parser, Lines):
            most = min(most, LARGEST_TEXT // (4 if self.parser.log else 1))
        if size - self.offset > most:
            file.seek(0)
            yield from self.parser.feed(file.read(most // 2)) if not self.offset else ()  # it has the names
            self.offset = file.seek(size - most // 2)
            self.offset += self.parser.resume(file.read(most), self.offset)
            self.last.clear()  # none of these need be the last
        while self.offset < size:
            file.seek(self.offset)
            content = file.read(size - self.offset)
            yield from self.parser.feed(content)
            self.offset += (len(content) or size) + self.parser.skip
        if has_ended and isinstance(self.parser, Lines):
            yield from self.parser.feed(b"\n")

    def _take(self, row: Row) -> Iterator[Point]:
        is_history = HISTORY.search(self.path.name) is not None
        counts, metrics, label = read_row(row, self.match.groupdict().get("run") or "", is_history=is_history)
        if not (counts or is_history or self.path.name in USUAL_FILES):
            for name in [name for name in metrics if (label, name) in self.once]:  # which of its rows counts?
                self.last.pop((label, name), None)
                del metrics[name]
            self.once.update((label, name) for name in metrics)
        for name, value in metrics.items():
            if (label, name) in self.last or len(self.last) < MOST_NAMES:
                self.last[label, name] = Measured(value, self.relative)
        if counts and metrics and row.is_point:
            self.points += 1
            if self.points > self.passed:
                yield Point(self.relative, counts | {name: float(value) for name, value in metrics.items()})


class Files(Struct):
    """The files of a folder that hold metrics."""

    folder: Path
    most: int  # bytes of a file that a poll may read
    beside: Callable[[], Iterable[Written]] | None = None  # what it left elsewhere; None while it runs
    places: dict[str, Place] = field(default_factory=dict)
    groups: dict[str, Last] = field(default_factory=dict)
    next_search: float = 0.0

    def poll(self) -> Iterator[Point]:
        """Yield what was added since the last poll, of new files too."""
        if (now := time.monotonic()) >= self.next_search:
            self._add(Walk(self.folder))
            self.next_search = now + (time.monotonic() - now) / SHARE
        yield from self._poll()
        if self.beside and not any(self.groups.values()):
            self._add(self.beside())
            yield from self._poll()

    def _poll(self) -> Iterator[Point]:
        for place in self.places.values():
            yield from place.poll(min(self.most, LARGEST), has_ended=self.beside is not None)

    def metrics(self) -> Iterator[tuple[str, Measured]]:
        """Yield the last values; what they are of is part of the name where there are several."""
        for last in self.groups.values():
            labels = [*dict.fromkeys(label for label, _ in last)]
            prefixes = {
                label: f"run_{number}_" if RANDOM_ID.fullmatch(label) else f"{metric_name(label)}_" * bool(label)
                for number, label in enumerate(labels, 1)
            }
            for (label, name), value in last.items() if len(labels) <= MOST_LABELS else ():
                yield f"{prefixes[label]}{name}" if len(labels) > 1 else name, value

    def _add(self, files: Iterable[Written]) -> None:
        """Add the files that are new, the oldest first: what was written last counts."""
        new = _recognised(each for each in files if each[0] not in self.places)
        for (relative, entry), form, match in sorted(islice(new, MOST_PLACES - len(self.places)), key=_written_at):
            named = match.groupdict()
            key, last = named.get("one", relative), self.groups.setdefault(named.get("group", relative), {})
            if before := self.places.get(key):
                before.last.clear()
            points = before.points if before else 0
            self.places[key] = Place(Path(entry.path), relative, form, match, last, form.start(match), passed=points)


def _recognised(files: Iterable[Written]) -> Iterator[tuple[Written, Form, re.Match[str]]]:
    for file in files:
        matches = ((form, re.search(form.pattern, file[0], re.IGNORECASE)) for form in FORMS)
        yield from islice(((file, form, match) for form, match in matches if match), 1)


def _written_at(new: tuple[Written, Form, re.Match[str]]) -> tuple[float, str]:
    relative, entry = new[0]
    with suppress(OSError):
        return entry.stat(follow_symlinks=False).st_mtime, relative
    return 0.0, relative
