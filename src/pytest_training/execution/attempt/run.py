"""`Run`, the only object that a training job gets, and its events. It needs no part of pytest, servers or reports."""

import contextlib
import io
import math
import numbers
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic  # asked for each event: looking it up in its module would cost a tenth more
from typing import Any, BinaryIO

import msgspec

from pytest_training import atomic
from pytest_training.errors import DataError
from pytest_training.evaluation.description import Description
from pytest_training.evaluation.examination import Examination
from pytest_training.execution.attempt.saving import Checkpoint, save_object
from pytest_training.execution.data import obtain, sha256_of
from pytest_training.execution.outcome import DataUsed, scalar
from pytest_training.jobs.model import Dataset, NeededOutcome
from pytest_training.places import appending
from pytest_training.wording import one_of

PER_SECOND = 500
SECOND_S = 1.0
FULL = 8 * 2**20  # bytes of the file, about 100,000 events
BATCH = 20  # events of a kind and second that are written at once, and as many at a time after them
MOST_KINDS = 100  # in one second; further ones count as one: a job that makes up names must not grow the file
PROGRESS = "run.progress"  # a kind that no name of a value can be
PLAIN = frozenset({float, int, bool})
ENCODE = msgspec.json.Encoder().encode_lines


class EventLog:
    """Writes events.jsonl; cheap enough to be called in a job's innermost loop. A kind: all with the same last name.

    Of events of a kind 500 a second are kept, one once the file has 8 MiB, and the newest of each second. That one is
    written with the first event of a later second: no thread and no signal could do it earlier, since a job may fork
    and has signals of its own.
    """

    def __init__(self, path: Path | None) -> None:
        self._until, self._kind = 0.0, ""  # until then `log` leaves out events of this kind by itself
        self._newest: dict[str, Any] | None = None  # of those
        self._file: BinaryIO = appending(path) if path else io.BytesIO()
        self._size = self._file.tell()
        self._started = self._end = monotonic()  # of the attempt; of the present second
        self.remarks: tuple[str, ...] = ()  # for a reader of the outcome: the first number that is not finite
        self._kept: dict[str, int] = {}  # in this second, by kind
        self._waiting: list[dict[str, Any]] = []
        self._left_out: dict[str, dict[str, Any]] = {}  # the newest of this second, by kind

    def log(self, /, **values: float | str) -> None:
        """Record numbers as they arise, e.g. `run.log(fold=0, epoch=3, loss=0.41)`; of very many a second, a part."""
        if monotonic() < self._until and self._kind in values:
            self._newest = values
            return
        kind = next(reversed(values), "")
        is_plain = PLAIN.issuperset(map(type, values.values()))  # no call for each value
        plain_values = values if is_plain else {name: plain(name, value) for name, value in values.items()}
        is_left_out = self._add(kind, "log", plain_values)
        # An array is always taken as it is: the job may overwrite it after the call.
        goes_on = is_left_out and not any(hasattr(type(value), "__setitem__") for value in values.values())
        self._until, self._kind = self._end if goes_on else 0.0, kind

    def progress(self, done: float, total: float) -> None:
        """Record how much is done, e.g. `run.progress(fold, folds)`."""
        self._add(PROGRESS, "progress", [plain("done", done), plain("total", total)])

    def close(self) -> None:
        """Write what waits, and the newest event of each kind that was left out."""
        self._end_second(monotonic())
        self._write()
        self._file.close()

    def _add(self, kind: str, what: str, content: Any) -> bool:
        """Return True if the event is left out, unless it stays the newest of its kind in this second."""
        now = monotonic()
        self._take_newest(now)
        if now >= self._end:
            self._end_second(now)
        if len(self._kept) >= MOST_KINDS and kind not in self._kept:
            kind = ""
        kept = self._kept.get(kind, 0)
        event = {"t": self._seconds(now), what: content}
        if kept >= (PER_SECOND if self._size < FULL else 1):
            self._left_out[kind] = event
            return True
        self._kept[kind] = kept + 1
        self._waiting.append(event)
        if kept < BATCH or kept % BATCH == 0:
            self._write()
        return False

    def _take_newest(self, now: float) -> None:
        newest, self._newest = self._newest, None
        if newest is not None:
            log: dict[str, Any] = dict.fromkeys(newest)
            for name, value in newest.items():
                with contextlib.suppress(TypeError):  # its call has returned: too late to be the job's error
                    log[name] = plain(name, value)
            self._left_out[next(reversed(newest))] = {"t": self._seconds(min(now, self._end)), "log": log}

    def _end_second(self, now: float) -> None:
        self._take_newest(now)
        left_out, self._left_out = self._left_out, {}
        self._waiting += left_out.values()
        self._end, self._kept = now + SECOND_S, {}

    def _seconds(self, moment: float) -> float:
        return int((moment - self._started) * 1000) / 1000

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self._file.closed:  # the job's thread may go on after its end
            content = ENCODE(waiting)
            self._file.write(content)
            self._size += len(content)
            if b":null" in content and not self.remarks:
                self.remarks = tuple(filter(None, map(_not_finite, waiting)))[:1]


def _not_finite(event: dict[str, Any]) -> str:
    """Say which number of an event is not finite, and where it arose: `loss is not finite at fold 0, epoch 3`."""
    values = event.get("log", {})
    null = next((name for name, value in values.items() if ENCODE([value]) == b"null\n"), "")
    places = ", ".join(f"{name} {value}" for name, value in values.items() if isinstance(value, int))
    return f"{null} is not finite{places and f' at {places}'}" if null else ""


def plain(name: str, value: Any) -> float | int | str | None:
    """Turn a logged value into what JSON can say; a number that is not finite becomes null."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()  # plain, and what UTF-8 can say
    if isinstance(value, int):  # bool is an int
        return value
    value = scalar(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        with contextlib.suppress(OverflowError):
            return float(value) if math.isfinite(value) else None
        return None
    raise TypeError(f"run.log({name}=…): expected a number or a string, found {type(value).__name__}")


class Run(EventLog):  # not one that has an EventLog: to hand a call of `log` on costs as much as the call itself
    """One attempt at one job, for the job's own use."""

    def __init__(  # noqa: PLR0913  (made in one place, child.py; each is one thing that a job may ask)
        self,
        *,
        folder: Path,
        seed: int = 0,
        threads: int = 1,
        device: str = "cpu",
        datasets: Mapping[str, Dataset] | None = None,
        needed: Mapping[str, NeededOutcome] | None = None,
        events: Path | None = None,
        checkpoint: Path | None = None,
        below: Path | None = None,
        real_data_only: bool = False,
        description: Path | None = None,
        shuffle: int = 0,
        examination: Examination | None = None,
    ) -> None:
        super().__init__(events)
        self.folder = folder  # the job's own folder, empty at the start
        self.seed = seed  # the run's seed (`--training-seed`)
        self.threads = threads  # CPU threads that the job may use; BLAS, OpenMP and PyTorch are already set to it
        self.device = device  # `cuda` where a GPU is visible to the job, else `cpu`
        self.checkpoint = Checkpoint(checkpoint, below)  # `save(**state)` and `load()`, across retries and resumed runs
        self.description = Description()  # what `describe` states
        self._description = description  # its file
        self._below = below
        self._real_data_only = real_data_only
        self.examination = examination  # what an audit examines after the training; else None
        self._shuffle = shuffle  # number of the order in which an audit shuffles the target; 0 leaves it as it is
        self._datasets = dict(datasets or {})
        self._needed = dict(needed or {})
        self._used: dict[str, DataUsed] = {}

    def dataset(self, name: str) -> Dataset:
        """Return what the catalogue declares of a dataset: licence, citation, positive class and so on."""
        try:
            return self._datasets[name]
        except KeyError:
            declared = ", ".join(sorted(self._datasets)) or "none"
            raise DataError(
                f"dataset {name!r} is not declared for this job (declared: {declared}); "
                "add it under `data:` in training/jobs.yaml and, if its name is computed, to the job's `data:` list"
            ) from None

    def needed(self, job_id: str) -> NeededOutcome:
        """Return `folder`, `metrics` and `artifacts` of a job under this one's `needs:`."""
        if job_id not in self._needed:
            problem = f"job {job_id!r} is not under `needs:` of this job in training/jobs.yaml"
            raise DataError(f"{problem}: {one_of(job_id, self._needed)}")
        return self._needed[job_id]

    def data(self, name: str) -> Path:
        """Return the local path of a dataset, checked against its declared sha256."""
        if name not in self._used:
            declared = self.dataset(name)
            if self._real_data_only and not declared.real:
                raise DataError(
                    f"dataset {name!r} is simulated, and --training-require-real-data asks for real data; "
                    "give the job a file of yours if it takes one"
                )
            path, sha256 = obtain(declared)
            self._used[name] = DataUsed(name=name, real=declared.real, sha256=sha256, path=str(path))
        return Path(self._used[name].path)

    def use(self, path: str | Path) -> tuple[Path, str]:
        """Return the path of a file or folder that the user named, with its sha256; the outcome records both."""
        place = Path(path).expanduser().absolute()
        if not place.exists():
            raise DataError(f"expected a file or folder at {str(path)!r} (that is {place}), found none")
        sha256 = sha256_of(place)
        self._used[str(place)] = DataUsed(name=place.name, real=True, sha256=sha256, path=str(place))
        return place, sha256

    def target(self, values: Any, person: Any = None) -> Any:
        """Return the target as it is; shuffled where `pytest --training-audit` trains on a shuffled one.

        To be called before anything is selected, fitted or split by the target. `person` has the person of each row, if
        people have several: their rows then get the sequence of another person.
        """
        if self.examination:
            self.examination.state(target=values, person=person)
        if not self._shuffle:
            return values
        from pytest_training.execution.attempt.target import shuffled  # noqa: PLC0415  (only an audit needs it)

        return shuffled(values, person, seed=f"{self.seed}-{self._shuffle}")

    def choice(self, name: str, chosen: Any, *, among: Sequence[Any]) -> None:
        """State a setting that was chosen from a grid, mostly once in each fold: an audit looks at the grid's edges."""
        if self.examination:
            self.examination.choices.setdefault(name, []).append((chosen, list(among)))

    def save(self, name: str, content: Any) -> Path:
        """Save an artifact below the job's folder and return its path; the suffix decides the format.

        Arrays as .npy, tables as .csv or .parquet, dicts and lists as .json, text, bytes, matplotlib figures as .svg
        or .png, scikit-learn estimators as .skops. Nothing is ever pickled.
        """
        return save_object(self.folder, name, content, below=self._below)

    def describe(  # noqa: PLR0913  (each is one thing that the job alone knows)
        self,
        features: Any = None,
        target: Any = None,
        *,
        classes: Sequence[str] = (),
        person: Any = None,
        unit: str | None = None,
        units: Mapping[str, str] | None = None,
        who: str | None = None,
        left_out: Mapping[str, int] | None = None,
        limits: Sequence[str] | None = None,
        relies_on: Mapping[str, float] | None = None,
        method: str | None = None,
        model: Any = None,
    ) -> None:
        """State what only the job knows, for its model card: the card has a summary of the table, never its rows.

        `features` is the table of predictors, `target` the outcome of each row, `classes` its names (the positive one
        last), `person` the person of each row. `units` names the predictors' units, `unit` that of an outcome that is a
        number. `left_out` counts rows by reason; `relies_on` says how much the headline metric falls without a
        predictor. `method` is text, such as the file's docstring; `model` is an estimator or text. Each call adds.
        """
        from pytest_training.evaluation.people import describe  # noqa: PLC0415  (needs pandas; few jobs call it)

        stated = {"classes": classes, "person": person, "unit": unit, "units": units, "who": who, "left_out": left_out}
        stated |= {"limits": limits, "relies_on": relies_on, "method": method, "model": model}
        self.description = describe(self.description, features, target, stated)
        if self.examination:
            self.examination.state(features=features, target=target, person=person, model=model)
        if self._description:
            atomic.write_atomically(self._description, msgspec.json.encode(self.description), below=self._below)

    @property
    def used(self) -> tuple[DataUsed, ...]:
        """The datasets that the job opened so far."""
        return tuple(self._used.values())
