"""`Run`: the only object that a training job gets. It depends on no part of pytest, servers or reports."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_training.errors import DataError
from pytest_training.execution.attempt.event_log import EventLog
from pytest_training.execution.attempt.saving import Checkpoint, save_object
from pytest_training.execution.data import obtain, sha256_of
from pytest_training.execution.outcome import DataUsed
from pytest_training.jobs.model import Dataset, NeededOutcome
from pytest_training.wording import one_of


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
    ) -> None:
        super().__init__(events)
        self.folder = folder  # the job's own folder, empty at the start
        self.seed = seed  # the run's seed (`--training-seed`)
        self.threads = threads  # CPU threads that the job may use; BLAS, OpenMP and PyTorch are already set to it
        self.device = device  # `cuda` where a GPU is visible to the job, else `cpu`
        self.checkpoint = Checkpoint(checkpoint, below)  # `save(**state)` and `load()`, across retries and resumed runs
        self._below = below
        self._real_data_only = real_data_only
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

    def save(self, name: str, content: Any) -> Path:
        """Save an artifact below the job's folder and return its path; the suffix decides the format.

        Arrays as .npy, tables as .csv or .parquet, dicts and lists as .json, text, bytes, matplotlib figures as .svg
        or .png, scikit-learn estimators as .skops. Nothing is ever pickled.
        """
        return save_object(self.folder, name, content, below=self._below)

    @property
    def used(self) -> tuple[DataUsed, ...]:
        """The datasets that the job opened so far."""
        return tuple(self._used.values())
