"""A digest of all that decides a job's metrics, and the earlier outcomes that are still valid."""

import contextlib
import hashlib
import itertools
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

import msgspec
from msgspec.structs import replace

from pytest_training.errors import DataError
from pytest_training.execution.data import sha256_of
from pytest_training.execution.equipment import package_versions
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.job_files import Walk
from pytest_training.execution.needs import needed_outcome
from pytest_training.execution.readers.declared import USUAL_FILES
from pytest_training.jobs.model import Dataset, Job, NeededOutcome, Plan, Study, Unchanged
from pytest_training.jobs.source.paths import named_paths
from pytest_training.records.history import PASSED, History, Recorded

MOST_FILES = 10_000  # files that one pattern may stand for
LARGEST_READ, LARGEST_HASHED = 2**20, 2**28


class Contents:
    """Reads files once each: jobs share modules and settings."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self._named: dict[str, list[str]] = {}

    def read(self, file: str) -> bytes:
        """Return a small file's content, a larger one's digest, or size and time of change of a very large one."""
        if file not in self._contents:
            path, stat = Path(file), Path(file).stat()
            if stat.st_size <= LARGEST_READ:
                self._contents[file] = path.read_bytes()
            else:
                is_hashed = stat.st_size <= LARGEST_HASHED
                self._contents[file] = (sha256_of(path) if is_hashed else f"{stat.st_size} {stat.st_mtime_ns}").encode()
        return self._contents[file]

    def files(self, job: Job) -> Iterator[str]:
        """Yield a job's code and the files that are named; raise OSError if code is missing or files are too many."""
        yield from job.files
        texts = (*job.command, *job.arguments, *(text for text in job.parameters.values() if isinstance(text, str)))
        yield from _existing(job.workplace, texts)
        for file in job.files:
            if file not in self._named:
                self._named[file] = sorted(named_paths(self.read(file)) - {*USUAL_FILES})
            for folder in dict.fromkeys((Path(job.root), *itertools.islice(Path(file).parents, 2))):
                yield from _existing(folder, self._named[file])
        for path in (path for pattern in job.reads for path in Path(job.root).glob(pattern)):
            yield from _below(path) if path.is_dir() else [str(path)]


def _existing(folder: Path, names: Iterable[str]) -> Iterator[str]:
    yield from filter(os.path.isfile, (os.path.join(folder, name) for name in names))  # noqa: PTH118  (hundreds in a file)


def _below(folder: Path) -> Iterator[str]:
    walk = Walk(folder, MOST_FILES)
    yield from (str(folder / relative) for relative, entry in walk if entry.is_file(follow_symlinks=False))
    if walk.is_cut or walk.unreadable:
        raise OSError(f"more than {MOST_FILES} files below {folder}, or not all can be read")


def fingerprint(
    job: Job, datasets: Mapping[str, Dataset], *, seed: int, contents: Contents, study: Study | None = None
) -> str:
    """Return a digest of everything that decides a job's metrics, except its data; "" if code is missing.

    `study` is a trial's study: the space of a search decides the metrics too.
    """
    if job.path and not job.files:
        return ""
    digest = hashlib.sha256()
    try:
        for file in sorted({*contents.files(job), *_simulations(job, datasets)}):
            digest.update(f"{file}\0".encode(errors="surrogateescape") + contents.read(file) + b"\0")
    except OSError:
        return ""
    fields = ("kind", "command", "arguments", "cwd", "parameters", "given", "seeded")
    rest = {name: getattr(job, name) for name in fields} | {
        "gates": msgspec.to_builtins(job.gates),
        "seed": seed if job.seed is None else job.seed,
    }
    rest |= {"study": msgspec.to_builtins(replace(job.study, place=""))} if job.study else {}
    rest |= {"spaces": msgspec.to_builtins(study.search.parameters)} if study and study.search else {}
    rest |= {"packages": package_versions(job.imports), "python": platform.python_version()}
    digest.update(json.dumps(rest, sort_keys=True, default=repr).encode())
    return digest.hexdigest()


def _simulations(job: Job, datasets: Mapping[str, Dataset]) -> list[str]:
    modules = [datasets[name] for name in job.data if name in datasets and datasets[name].simulated]
    paths = [Path(each.home, *str(each.simulated).partition(":")[0].split(".")).with_suffix(".py") for each in modules]
    return [str(path) for path in paths if path.is_file()]


def fingerprints(jobs: Mapping[str, Job], ids: Iterable[str], data: Iterable[Dataset], *, seed: int) -> dict[str, str]:
    """Return the fingerprints of these jobs and of all that they need; each includes those of what it needs."""
    by_name = {dataset.name: dataset for dataset in data}
    contents = Contents()
    digests: dict[str, str] = {}
    for job_id in _with_needed(jobs, ids):
        own = jobs.get(jobs[job_id].trial_of or "", jobs[job_id])
        parts = [fingerprint(jobs[job_id], by_name, seed=seed, contents=contents, study=own.study)]
        parts += [digests.get(needed, "") for needed in jobs[job_id].needs]
        joint = parts[0] if len(parts) == 1 else hashlib.sha256("".join(parts).encode()).hexdigest()
        digests[job_id] = joint if all(parts) else ""
    return digests


def _with_needed(jobs: Mapping[str, Job], ids: Iterable[str]) -> list[str]:
    """Return these jobs and all that they need, each after those that it needs; a chain of needs may be long."""
    waiting, entered, done = list(ids), set[str](), dict[str, None]()
    while waiting:
        entered.add(waiting[-1])
        needs = [each for each in jobs[waiting[-1]].needs if each in jobs and each not in entered]
        waiting += needs
        if not needs:
            done.setdefault(waiting.pop())
    return list(done)


class EarlierPasses(msgspec.Struct, frozen=True):
    """Earlier outcomes of jobs that passed, by job id."""

    reports: Path
    recorded: Mapping[str, Recorded] = msgspec.field(default_factory=dict)  # the newest
    valid: frozenset[str] = frozenset()  # ids of the jobs that nothing has changed for since

    @classmethod
    def read(cls, jobs: Mapping[str, Job], ids: Iterable[str], digests: Mapping[str, str], history: History) -> Self:
        """Read them for these jobs and all that they need; of a needed job the folder must still be there."""
        order = _with_needed(jobs, ids)
        passes = cls(history.path.parent, history.newest(order, which=PASSED))
        needed = {each for job_id in order for each in jobs[job_id].needs}
        valid: set[str] = set()
        for job_id in order:
            is_valid = _is_valid(passes.recorded.get(job_id), digests[job_id]) and valid.issuperset(jobs[job_id].needs)
            if is_valid and (job_id not in needed or passes.find(job_id) is not None):
                valid.add(job_id)
        return replace(passes, valid=frozenset(valid))

    def find(self, job_id: str) -> NeededOutcome | None:
        """Return the newest outcome, if its folder is there."""
        recorded = self.recorded.get(job_id)
        return needed_outcome(RunFolder(self.reports, recorded.run_id), job_id) if recorded else None

    def outcome(self, job_id: str) -> NeededOutcome | None:
        """Return the outcome if nothing has changed for it."""
        return self.find(job_id) if job_id in self.valid else None


def with_fingerprints(plan: Plan, digests: Mapping[str, str], passes: EarlierPasses | None) -> Plan:
    """Return the plan with each job's fingerprint, and a mark on each job that `passes` has a valid outcome of."""
    passed = {job_id: passes.recorded[job_id] for job_id in passes.valid} if passes else {}
    marks = {job_id: _unchanged(each) for job_id, each in passed.items()}
    jobs = (replace(each, fingerprint=digests[each.job.id], unchanged=marks.get(each.job.id)) for each in plan.jobs)
    return replace(plan, jobs=tuple(jobs))


def _unchanged(passed: Recorded) -> Unchanged:
    fields = msgspec.to_builtins(passed.outcome)
    names = (name for name in Unchanged.__struct_fields__ if name in fields)
    return msgspec.convert({"run_id": passed.run_id} | {name: fields[name] for name in names}, Unchanged)


def _is_valid(passed: Recorded | None, digest: str) -> bool:
    if passed is None or not digest or passed.outcome.fingerprint != digest:
        return False
    with contextlib.suppress(OSError, DataError):
        return all(each.sha256 and sha256_of(Path(each.path)) == each.sha256 for each in passed.outcome.data)
    return False
