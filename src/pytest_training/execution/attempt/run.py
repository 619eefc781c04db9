"""`Run`, the only object that a training job gets. It needs no part of pytest, servers or reports."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_training import atomic
from pytest_training.errors import DataError
from pytest_training.evaluation.description import DESCRIPTION, Description
from pytest_training.evaluation.examination import Examination
from pytest_training.evaluation.finding import Examined
from pytest_training.evaluation.noise import Difference
from pytest_training.evaluation.result import Evaluation, file_name
from pytest_training.execution.attempt.earlier import differences
from pytest_training.execution.attempt.event_log import EventLog
from pytest_training.execution.attempt.saving import Checkpoint, save_object
from pytest_training.execution.data import obtain, sha256_of
from pytest_training.execution.outcome import DataUsed
from pytest_training.jobs.model import Dataset, NeededOutcome
from pytest_training.text import one_line
from pytest_training.wording import one_of, safe_repr

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from pytest_training.evaluation.record import Predictions


MOST_NOTES = 50


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
        beside: tuple[Path, Path | None] | None = None,
        real_data_only: bool = False,
        shuffle: int = 0,
        examination: Examination | None = None,
    ) -> None:
        super().__init__(events)
        self.evaluations: dict[str, Evaluation] = {}  # what `predictions` has returned, by name
        self._records: dict[str, Predictions] = {}  # of which these are
        self.folder = folder  # the job's own folder, empty at the start
        self.seed = seed  # the run's seed (`--training-seed`)
        self.threads = threads  # CPU threads that the job may use; BLAS, OpenMP and PyTorch are already set to it
        self.device = device  # `cuda` where a GPU is visible to the job, else `cpu`
        self.checkpoint = Checkpoint(checkpoint, below)  # `save(**state)` and `load()`, across retries and resumed runs
        self.description = Description()  # what `describe` states
        self._people: dict[int, int] = {}  # how many people so many rows are of, as the job states it anywhere
        self._below = below
        self._beside = beside  # the folder of result.json, and the last one above it that may be a link
        self._real_data_only = real_data_only
        self.examination = examination  # what an audit examines after the training; else None
        self._shuffle = shuffle  # number of the order in which an audit shuffles the target; 0 leaves it as it is
        self.notes: tuple[str, ...] = ()  # sentences of `note`
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
        """Return the outcome of a job under `needs:`, with its `folder`, `metrics`, `artifacts` and `run_id`."""
        if job_id not in self._needed:
            problem = f"job {job_id!r} is not under `needs:` of this job in training/jobs.yaml"
            raise DataError(f"{problem}: {one_of(job_id, self._needed)}")
        return self._needed[job_id]

    def data(self, name: str) -> Path:
        """Return the local path of a dataset that the catalogue declares, once its sha256 is checked."""
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
        """Return the path of a file or folder that the user names, and its sha256; the outcome records both."""
        place = Path(path).expanduser().absolute()
        if not place.exists():
            raise DataError(f"expected a file or folder at {str(path)!r} (that is {place}), found none")
        sha256 = sha256_of(place)
        self._used[str(place)] = DataUsed(name=place.name, real=True, sha256=sha256, path=str(place))
        return place, sha256

    def target(self, values: Any, person: Any = None) -> Any:
        """Return the target as it is, or shuffled if an audit trains on a shuffled target (`--training-audit`).

        Call it before anything is selected, fitted or split by the target. State the `person` of each row if people
        have several rows. The rows of a person then get the values of another person.
        """
        from pytest_training.execution.attempt import target  # noqa: PLC0415  (not every job states one)

        target.check(values, person)
        if self.examination:
            self.examination.declare(values, person)
        if person is not None:
            self._count_people(len(values), len(set(map(str, person))))
        if not self._shuffle:
            return values
        return target.shuffled(values, person, seed=f"{self.seed}-{self._shuffle}")

    def examine(self) -> Examined | None:
        """Return what an audit finds in what the job has stated; None unless it asks for that."""
        return self.examination.examine(self._records.values()) if self.examination else None

    def differences(self, earlier: Mapping[str, str]) -> dict[str, dict[str, Difference]]:
        """Return how the predictions differ from those in folders of earlier runs, by run and metric."""
        return differences(self._records, earlier)

    def choice(self, name: str, chosen: Any, *, among: Sequence[Any]) -> None:
        """State a setting that was chosen from a grid, once in each fold; an audit warns of one at the grid's edge."""
        if self.examination:
            self.examination.choices.setdefault(name, []).append((chosen, list(among)))

    def note(self, sentence: str) -> None:
        """Add a sentence for readers of the result, like `3 of 7 columns used`; terminal and reports show it."""
        if len(self.notes) < MOST_NOTES and (line := one_line(str(sentence))) and line not in self.notes:
            self.notes = (*self.notes, line)

    def save(self, name: str, content: Any) -> Path:
        """Save an artifact below the job's folder and return its path; the suffix decides the format.

        Arrays become .npy, tables .csv or .parquet, dicts and lists .json, matplotlib figures .svg, .png or .pdf, and
        scikit-learn estimators .skops. Text and bytes take any other suffix. Nothing is pickled.
        """
        return save_object(self.folder, name, content, below=self._below)

    def predictions(  # noqa: PLR0913  (each is one thing that a job may state)
        self,
        truth: "ArrayLike",
        score: "ArrayLike",
        *,
        person: "ArrayLike | None" = None,
        fold: "ArrayLike | None" = None,
        repeat: "ArrayLike | None" = None,
        row: "ArrayLike | None" = None,
        subgroup: "Mapping[str, ArrayLike] | Any" = None,
        classes: Sequence[str] | None = None,
        cutoff: float = 0.5,
        name: str = "",
        against: "Evaluation | str | Path | None" = None,
    ) -> Evaluation:
        """Judge predictions for held-out rows; their metrics become the job's, and `train` may return None.

        `score` is the risk of the second class, a risk for each class, or a number. It has a line for each of `truth`,
        or repeats × rows (× classes). `person`, `fold` and `repeat` state whose row it is, which model predicted it,
        and in which repeat. Each call needs its own `name`, which begins its metrics. `against` is an earlier call's
        value, or the path of another job's predictions.csv. `gain` is then the difference, paired by people.
        """
        try:
            from pytest_training.evaluation import judge, record  # noqa: PLC0415  (only jobs that predict load numpy)
        except ImportError as error:
            raise ImportError(
                f"run.predictions needs {error.name}, which is not installed: pip install 'pytest-training[evaluation]'"
            ) from None
        if name in self.evaluations:
            raise ValueError(f"run.predictions was called with the name {name!r} before; expected a name for each call")
        stated: dict[str, Any] = {"person": person, "fold": fold, "repeat": repeat, "row": row, "subgroup": subgroup}
        made = record.make(truth, score, classes=classes, cutoff=cutoff, name=name, **stated)
        evaluation = judge.evaluate(made, against=self._record(against))
        if twice := sorted(evaluation.metrics.keys() & self.predicted.keys()):
            raise ValueError(f"run.predictions has the metric {twice[0]!r} of an earlier call; expected another name")
        self.evaluations[name], self._records[name] = evaluation, made
        if person is not None:
            self._count_people(evaluation.rows, evaluation.people)
        if self._beside:
            folder, below = self._beside
            record.write(made, folder, below=below)
            content = msgspec.json.encode(evaluation)  # a line for each of 2,000 numbers would read no better
            atomic.write_atomically(folder / file_name("evaluation", name), content, below=below)
        return evaluation

    def _record(self, against: "Evaluation | str | Path | None") -> "Predictions | None":
        from pytest_training.evaluation import record  # noqa: PLC0415  (see above)

        if isinstance(against, Evaluation) and self.evaluations.get(against.name) is against:
            return self._records[against.name]
        if against is None or isinstance(against, str | Path):
            return None if against is None else record.read(Path(against))
        what = "an evaluation of another run" if isinstance(against, Evaluation) else safe_repr(against)
        raise ValueError(f"against is {what}; expected an earlier call's value, or the path of a predictions.csv")

    @property
    def predicted(self) -> dict[str, float]:
        """The metrics of all `run.predictions` so far; a call without a name comes first."""
        evaluations = sorted(self.evaluations.values(), key=lambda each: bool(each.name))
        return {name: value for each in evaluations for name, value in each.metrics.items()}

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
        known: Sequence[str] | None = None,
    ) -> None:
        """State what only the job knows, for its model card. The card has a summary of the table, never its rows.

        `features` is the table of predictors, `target` the outcome of each row. `classes` are its names, the positive
        one last. `person` is the person of each row, unless another call states it. `units` belong to predictors,
        `unit` to a numeric outcome. `left_out` counts rows by reason. `relies_on` is the fall of the headline
        metric without each predictor. `method` is a text, such as the file's docstring, `model` an estimator or a
        text. `known` names columns that exist before the outcome; an audit does not suspect them. Each call adds.
        """
        try:
            from pytest_training.evaluation.people import describe  # noqa: PLC0415  (only jobs with a card load pandas)
        except ImportError as error:
            raise ImportError(
                f"run.describe needs {error.name}, which is not installed: pip install 'pytest-training[evaluation]'"
            ) from None
        stated = {"classes": classes, "person": person, "unit": unit, "units": units, "who": who, "left_out": left_out}
        stated |= {"limits": limits, "relies_on": relies_on, "method": method, "model": model}
        stated |= {"known": known}
        self.description = describe(self.description, features, target, stated)
        if self.examination:
            self.examination.describe(features, target, person, model)
            self.examination.known += list(map(str, known or ()))
        if person is not None:
            self._people[self.description.rows] = self.description.people
        self._keep_description()

    def _keep_description(self) -> None:
        """Write the description, with the people of its rows if any call has stated them."""
        people = self._people.get(self.description.rows, self.description.people)
        self.description = msgspec.structs.replace(self.description, people=people)
        if self._beside:
            folder, below = self._beside
            atomic.write_atomically(folder / DESCRIPTION, msgspec.json.encode(self.description), below=below)

    def _count_people(self, rows: int, people: int) -> None:
        """Take how many people so many rows are of; what `describe` or an earlier call has stated stays."""
        self._people.setdefault(rows, people)
        if self.description.rows == rows:
            self._keep_description()

    @property
    def used(self) -> tuple[DataUsed, ...]:
        """The datasets that the job opened so far."""
        return tuple(self._used.values())
