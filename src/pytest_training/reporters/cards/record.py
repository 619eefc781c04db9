"""All that is recorded of one job of a run, as its cards need it."""

from __future__ import annotations

import contextlib
import re
from functools import cached_property
from pathlib import PurePosixPath
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from pytest_training.evaluation.description import DESCRIPTION, Description
from pytest_training.evaluation.result import Evaluation, Subgroup, metrics_of
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
ARRAYS = frozenset((".npz", ".h5"))  # they hold data as often: only a name that speaks of a model tells
OF_MODEL = re.compile("model|net|weight|coef|param|state|classif|regress|estimat", re.IGNORECASE)
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
        """Read the files of a trained job, or return None if it has only metrics."""
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
        provenance = provenance and provenance.at(outcome.attempts[-1])
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
        """The metrics with their intervals and the dummy's, without the subgroups' counts."""
        return [each for each in measures(self.outcome) if each.name not in self.counts]

    @cached_property
    def counts(self) -> set[str]:
        """The names of metrics that count the people and events of subgroups."""
        bare = [(each.name, [replace(group, metrics={}) for group in each.subgroups]) for each in self.evaluations]
        return {f"{name}_{count}" if name else count for name, groups in bare for count in metrics_of(groups)}

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
        counts = known.counts if not self.events else (known.people - self.events, self.events)
        is_known = known.outcome or sum(count > 0 for count in counts) > 1
        return minimum_people(known.columns, list(map(float, counts))) if known.columns and is_known else None

    @property
    def events(self) -> int | None:
        """The described people who have the event, or None if no evaluation is of these people."""
        known = self.description
        same = (each for each in self.evaluations if (each.rows, each.people) == (known.rows, known.people))
        events = next((each.events for each in same), None)
        return events if events is not None and 0 < events < known.people else None

    @cached_property
    def models(self) -> list[tuple[str, str]]:
        """The files that hold the model, with their sha256."""
        paths = filter(_holds_model, self.outcome.artifacts)
        with contextlib.suppress(OSError):
            return [(path.partition("/artifacts/")[2], sha256_of(self.run.path / path)) for path in paths]
        return []


def _holds_model(path: str) -> bool:
    suffix, stem = PurePosixPath(path).suffix.lower(), PurePosixPath(path).stem
    return suffix in MODELS and (suffix not in ARRAYS or OF_MODEL.search(stem) is not None)
