"""The jobs of the training folder, then those of further folders and catalogues, under ids of their own."""

import itertools
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.jobs.discovery import absolute, discover
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.lookup import FileFilter, Lookup, project_of
from pytest_training.jobs.model import Dataset, Job
from pytest_training.limits import LIMITS, Limits
from pytest_training.wording import one_of, printable, safe_repr

DEFAULT_CATALOGUE = "jobs.yaml"
LONGEST_ID = 200  # bytes of one part of an id: file systems end at 255, and temporary names add some
_OWN_NAMES = re.compile(r"attempt-[0-9]+|checkpoint|outcome\.json")  # names in a job's folder inside the run folder


class Loaded(NamedTuple):
    """Jobs, and the datasets that catalogues declare."""

    jobs: list[Job]
    datasets: list[Dataset]


class Parts(NamedTuple):
    """The kinds and limits that jobs may have."""

    kinds: Kinds = KINDS
    limits: Limits = LIMITS


def load_jobs(  # noqa: PLR0913  (where the jobs are, and what they may be made of)
    training_root: Path,
    project_root: Path,
    catalogue: Path | None = None,
    lookup: Lookup | None = None,
    *,
    kinds: Kinds = KINDS,
    limits: Limits = LIMITS,
) -> Loaded:
    """Return the jobs and datasets of a project; a catalogue that is named must exist."""
    lookup, parts = lookup or Lookup(), Parts(kinds, limits)
    loaded = _load_folder(training_root, project_root, catalogue, lookup.own_files, parts)
    for folder in lookup.folders:
        further = _load_folder(folder, project_of(folder, project_root), None, lookup.files, parts)
        loaded = _joined(loaded, further, folder, lookup)
    for path in lookup.catalogues:
        loaded = _apply(path, loaded, training_root, project_root, parts)
    check_jobs(*loaded, kinds)
    return loaded


def check_jobs(jobs: Sequence[Job], datasets: Sequence[Dataset], kinds: Kinds) -> None:
    """Raise DeclarationError unless ids name folders of their own, kinds are registered and UTF-8 holds every text."""
    _check_values(jobs, datasets)
    for job in jobs:
        if job.kind not in kinds:
            raise DeclarationError(f"{job.source}: no kind of job is called {job.kind!r}: {one_of(job.kind, kinds)}")
    check_ids(jobs)


def _load_folder(folder: Path, project: Path, catalogue: Path | None, files: FileFilter, parts: Parts) -> Loaded:
    jobs = discover(folder, project, files, parts.kinds)
    path = absolute(catalogue) if catalogue else absolute(folder) / DEFAULT_CATALOGUE
    if catalogue is None and not path.is_file() and not path.is_symlink():  # a broken link is a mistake
        return Loaded(jobs, [])
    return _apply(path, Loaded(jobs, []), folder, project, parts)


def _apply(path: Path, loaded: Loaded, folder: Path, project: Path, parts: Parts) -> Loaded:
    if not path.is_file():
        raise DeclarationError(f"{path}: no such catalogue: expected a YAML file like training/jobs.yaml")
    from pytest_training.jobs.catalogue.merging import apply_catalogue, load_catalogue  # noqa: PLC0415  (spares its import)

    read = load_catalogue(path, training_root=folder, project_root=project, limits=parts.limits)
    return Loaded(apply_catalogue(loaded.jobs, read, parts.kinds), _all_datasets(loaded.datasets, read.datasets))


def _all_datasets(earlier: Sequence[Dataset], new: Sequence[Dataset]) -> list[Dataset]:
    places = {dataset.name: dataset.declared for dataset in earlier}
    for each in (each for each in new if each.name in places):
        raise DeclarationError(f"{each.declared}: the dataset {each.name!r} is declared at {places[each.name]}")
    return [*earlier, *new]


def _joined(loaded: Loaded, further: Loaded, folder: Path, lookup: Lookup) -> Loaded:
    """Add the jobs of a further folder; a file that is a job already adds none, and no id stands for two jobs."""
    files = {os.path.realpath(job.path) for job in loaded.jobs if job.path}
    new = [job for job in further.jobs if job.path is None or os.path.realpath(job.path) not in files]
    replaced = {job.id for job in new} if lookup.overrides else set()
    own = [job for job in loaded.jobs if job.id not in replaced]
    taken, names, start = {job.id for job in own}, dict[str, str](), absolute(folder).name
    for job in new:  # before an id that is taken stands the folder's name, and if that is taken too a number
        numbered = (f"{start}-{number}/{job.id}" for number in itertools.count(2))
        free = itertools.chain((job.id, f"{start}/{job.id}"), numbered)
        names[job.id] = next(name for name in free if name not in taken and name not in names.values())
    for job in new:
        needs = tuple(names.get(needed, needed) for needed in job.needs)
        is_optional = job.optional or lookup.optional
        own.append(msgspec.structs.replace(job, id=names[job.id], needs=needs, optional=is_optional))
    return Loaded(own, _all_datasets(loaded.datasets, further.datasets))


def check_ids(jobs: Sequence[Job]) -> None:
    """Raise an error for an id that cannot name a folder of its own in the run folder."""
    ids = Counter(job.id for job in jobs)
    for job in jobs:
        if ids[job.id] > 1:
            places = [
                each.source + f" (of {each.trial_of})" * bool(each.trial_of) for each in jobs if each.id == job.id
            ]
            raise DeclarationError(f"two jobs would have the id {job.id!r}: {' and '.join(places)}: rename one")
        parts = job.id.split("/")
        if any(len(part.encode()) > LONGEST_ID for part in parts):
            raise DeclarationError(
                f"{job.source}: expected an id of at most {LONGEST_ID} bytes between slashes, "
                f"found {printable(job.id, 60)}"
            )
        if not all(part.strip(".") for part in parts):
            raise DeclarationError(f"{job.source}: expected an id that can name a folder, found {job.id!r}")
        for index in range(1, len(parts)):
            if (above := "/".join(parts[:index])) in ids and _OWN_NAMES.fullmatch(parts[index]):
                raise DeclarationError(f"{job.source}: the id {job.id!r} would be a folder inside that of {above!r}")


def _check_values(jobs: Sequence[Job], datasets: Sequence[Dataset]) -> None:
    """Raise an error for the first that is no Job, or has a value that plan, outcomes and reports cannot hold."""
    declared: tuple[Job | Dataset, ...] = (*jobs, *datasets)
    for each in declared:
        try:
            msgspec.json.decode(msgspec.json.encode(each), type=type(each) if isinstance(each, Dataset) else Job)
        except (TypeError, msgspec.ValidationError) as error:
            raise DeclarationError(f"expected a Job, found {safe_repr(each)}: {error}") from None
        except UnicodeEncodeError as error:
            place = each.source if isinstance(each, Job) else each.declared
            raise DeclarationError(
                f"{printable(place)}: expected names, texts and paths that UTF-8 can hold, "
                f"found {error.object[error.start : error.end]!a} in {printable(error.object, 200)}"
            ) from None
