"""All that is recorded of one job of a run, as its cards need it."""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import PurePosixPath
from typing import Self

from msgspec import Struct

from pytest_training.evaluation.description import DESCRIPTION, Description
from pytest_training.evaluation.result import Evaluation, Subgroup
from pytest_training.evaluation.sample_size import SampleSize, minimum_people
from pytest_training.execution.data import sha256_of
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.job_files import read_json
from pytest_training.execution.outcome import DataUsed, Outcome
from pytest_training.jobs.model import Dataset, Job
from pytest_training.records.measures import Measure, measures
from pytest_training.records.run_record import Provenance

MODELS = frozenset(
    (".skops", ".npz", ".onnx", ".pt", ".pth", ".safetensors", ".joblib", ".pkl", ".keras", ".h5", ".ubj", ".cbm")
)
"""Suffixes of files that hold a model."""
MOST_EVALUATIONS, MOST_GROUPS = 8, 30


class JobRecord(Struct, frozen=True, dict=True):
    """One job, its outcome, and what the job has said."""

    job: Job
    outcome: Outcome
    run: RunFolder
    datasets: tuple[Dataset, ...] = ()  # that the job has used, as the catalogue declares them
    description: Description = Description()
    evaluations: tuple[Evaluation, ...] = ()  # the one with the headline first
    provenance: Provenance | None = None

    @classmethod
    def read(cls, job: Job, outcome: Outcome, run: RunFolder, datasets: tuple[Dataset, ...]) -> Self | None:
        """Read what a trained job has left, or return None if there is no more to say than its metrics."""
        if not outcome.attempts or not outcome.metrics or job.twin_of:
            return None
        folder = run.path / outcome.attempts[-1].folder
        description = read_json(folder / DESCRIPTION, Description)
        if not (description or outcome.interval_method or job.statements):
            return None
        paths = sorted(folder.glob("evaluation*.json"))[:MOST_EVALUATIONS]
        evaluations = filter(None, (read_json(path, Evaluation) for path in paths))
        names = list(outcome.metrics)
        in_order = sorted(evaluations, key=lambda each: next((names.index(n) for n in names if n in each.metrics), 0))
        provenance, used = read_json(run.provenance, Provenance), {each.name for each in outcome.data}
        datasets = tuple(each for each in datasets if each.name in used)
        return cls(job, outcome, run, datasets, description or Description(), tuple(in_order), provenance)

    @property
    def main(self) -> Evaluation | None:
        """The evaluation that has the headline."""
        return next(iter(self.evaluations), None)

    @property
    def groups(self) -> list[Subgroup]:
        """The groups of people whose performance was measured."""
        return [group for each in self.evaluations for group in each.subgroups][:MOST_GROUPS]

    @property
    def measures(self) -> list[Measure]:
        """The metrics with their intervals and the dummy's."""
        return measures(self.outcome)

    @property
    def own_data(self) -> list[DataUsed]:
        """The files and folders that the job used and the catalogue does not declare."""
        declared = {each.name for each in self.datasets}
        return [each for each in self.outcome.data if each.name not in declared]

    def stated(self, key: str) -> list[tuple[str, str]]:
        """Return what the catalogue states under a key, and about whom: the job, else each dataset."""
        of_data = [(each.name, each.statements[key]) for each in self.datasets if key in each.statements]
        return [(self.job.id, self.job.statements[key])] if key in self.job.statements else of_data

    @property
    def minimum(self) -> SampleSize | None:
        """The fewest people for so many predictors, or None if these or the outcome are not stated."""
        known = self.description
        is_known = known.outcome or sum(count > 0 for count in known.counts) > 1
        return minimum_people(known.columns, list(map(float, known.counts))) if known.columns and is_known else None

    @cached_property
    def models(self) -> list[tuple[str, str]]:
        """The files that hold the model, with their sha256."""
        paths = (path for path in self.outcome.artifacts if PurePosixPath(path).suffix.lower() in MODELS)
        with contextlib.suppress(OSError):
            return [(path.partition("/artifacts/")[2], sha256_of(self.run.path / path)) for path in paths]
        return []
