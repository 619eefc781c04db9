"""Reads `jobs.yaml`, and applies it to the discovered jobs.

From weakest to strongest: the job's file, `defaults:`, the job's own entry, options. A gate of `defaults:` is
for jobs that state none for that metric; a parameter of `defaults:` goes to the jobs that have it. `tags` and
`data` add up. A job with `script:` takes the place of the discovered job of that file.
"""

import difflib
import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.jobs.catalogue.datasets import read_dataset
from pytest_training.jobs.catalogue.declarations import Catalogue, Declaration, read_defaults, read_jobs
from pytest_training.jobs.catalogue.document import Entry, read_file
from pytest_training.jobs.discovery import absolute, read_job, suffixes_of
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.command import CommandKind
from pytest_training.jobs.kinds.protocol import Kind, Kinds
from pytest_training.jobs.model import Gate, Job, Parameter
from pytest_training.jobs.order import find_circle
from pytest_training.jobs.source.sources import Sources
from pytest_training.jobs.values import check_value, convert_text, find_parameter, with_value
from pytest_training.limits import LIMITS, Limits
from pytest_training.wording import describe, label, one_of

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")
_ID = re.compile(r"\w[\w.+-]*(?:/\w[\w.+-]*)*")


def load_catalogue(path: Path, *, training_root: Path, project_root: Path, limits: Limits = LIMITS) -> Catalogue:
    """Read and validate a catalogue."""
    path, training_root, project_root = absolute(path), absolute(training_root), absolute(project_root)
    file = label(path, project_root)
    entries = read_file(path, file).mapping(allowed=("defaults", "jobs", "data"))
    data = entries.get("data", Entry(file)).mapping()
    return Catalogue(
        file=file,
        folder=path.parent,
        training_root=training_root,
        project_root=project_root,
        jobs=read_jobs(entries.get("jobs", Entry(file)), limits),
        defaults=read_defaults(entries.get("defaults", Entry(file)), limits),
        datasets=tuple(read_dataset(name, entry, path.parent) for name, entry in data.items()),
    )


def apply_catalogue(jobs: Sequence[Job], catalogue: Catalogue, kinds: Kinds = KINDS) -> list[Job]:
    """Return the jobs as the catalogue changes them, and after them those that it adds."""
    added = _added({job.id: job for job in jobs}, catalogue, kinds)
    files = {os.path.realpath(job.path) for job in added if job.path}
    everything = [job for job in jobs if not (files and job.path and os.path.realpath(job.path) in files)] + added
    _check_default_parameters(everything, catalogue.defaults)
    variants = {job.id: list(_variants(job, catalogue, kinds[job.kind])) for job in everything}
    _check_unique(variants, catalogue)
    result = [_with_needs(job, job_id, variants, catalogue) for job_id in variants for job in variants[job_id]]
    circle = find_circle({job.id: job.needs for job in result})
    if circle:
        raise DeclarationError(f"{catalogue.file}: needs go round in a circle: {' needs '.join(circle)}")
    return result


def _added(by_id: Mapping[str, Job], catalogue: Catalogue, kinds: Kinds) -> list[Job]:
    sources = Sources(catalogue.training_root, catalogue.project_root)
    added = []
    for job_id, declaration in catalogue.jobs.items():
        if declaration.script is not None:
            path = _script_path(declaration.script, catalogue, suffixes_of(kinds))
            _check_id(job_id, declaration, by_id, path)
            job = read_job(path, job_id, sources, catalogue.training_root, kinds)
            if job is None:
                raise declaration.script.error("no kind of job recognises this file")
            added.append(job)
        elif declaration.command:
            _check_id(job_id, declaration, by_id, None)
            added.append(_command_job(job_id, declaration, catalogue))
        elif job_id not in by_id:
            expected = one_of(job_id, by_id) if by_id else "no file train_*.py was found"
            raise declaration.entry.error(f"no such job {job_id!r}: {expected}; or add `script:` or `command:`")
    return added


def _script_path(entry: Entry, catalogue: Catalogue, suffixes: tuple[str, ...]) -> Path:
    named = Path(entry.plain)
    candidates = [folder / named for folder in (catalogue.project_root, catalogue.folder)]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None or not path.name.endswith(suffixes):
        problem = "no such file" if path is None else "no Python file; start it with `command:`"
        raise entry.error(
            f"expected a Python file relative to the project's root, found {describe(entry.plain)}: {problem}"
        )
    return Path(os.path.normpath(path))


def _check_id(job_id: str, declaration: Declaration, by_id: Mapping[str, Job], path: Path | None) -> None:
    other = by_id.get(job_id)
    if other is not None and not (path and other.path and os.path.realpath(path) == os.path.realpath(other.path)):
        raise declaration.entry.error(
            f"the id belongs to {other.source}: choose another, or leave out script and command"
        )
    if other is None and not _ID.fullmatch(job_id):
        raise declaration.entry.error(
            f"expected an id of letters, digits and _ . + - (with / for folders), found {describe(job_id)}"
        )


def _command_job(job_id: str, declaration: Declaration, catalogue: Catalogue) -> Job:
    values = {name: [entry.plain] for name, entry in declaration.parameters.items()}
    values |= {name: [entry.plain for entry in entries] for name, entries in declaration.matrix.items()}
    values |= {name: [f"${entry.plain}"] for name, entry in declaration.variables.items()}
    _check_placeholders(declaration, ["folder", "seed", *values])
    return CommandKind().job(
        declaration.command,
        values,
        id=job_id,
        source=f"{catalogue.file}:{declaration.entry.line}",
        home=str(catalogue.training_root),
        root=str(catalogue.project_root),
    )


def _check_placeholders(declaration: Declaration, names: list[str]) -> None:
    """Refuse a name in braces that is nearly one of these; any other text in braces is the program's own."""
    for name in _PLACEHOLDER.findall("\n".join(declaration.command)):
        near = difflib.get_close_matches(name, names, n=1)
        if near and name not in names:
            raise declaration.entry.error(f"command: {{{name}}} stands for nothing: {one_of(name, names)}")


def _variants(job: Job, catalogue: Catalogue, kind: Kind) -> Iterator[Job]:
    """Yield the job as declared, or one per combination of its matrix."""
    declaration = catalogue.jobs.get(job.id) or Declaration(Entry(catalogue.file))
    job = _with_settings(job, catalogue.defaults, declaration, kind)
    if job.problem is None:
        job = _with_command_line(job, declaration, kind)
        job = _with_variables(job, declaration, kind)
        job = _with_parameters(job, catalogue.defaults, declaration, kind)
    matrix = {} if job.problem is not None else declaration.matrix
    for combination in itertools.product(*matrix.values()):  # one, an empty one, without a matrix
        variant, words = job, [job.id]
        for name, entry in zip(matrix, combination, strict=True):
            variant = _set(variant, name, entry, entry.where, kind)
            words.append(f"{name}-{_in_id(entry.plain)}")
        yield _note_unset(msgspec.structs.replace(variant, id="-".join(words)), declaration)


def _in_id(value: Any) -> str:
    text = "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return re.sub(r"[^\w.+-]+", "_", text)


def _with_command_line(job: Job, declaration: Declaration, kind: Kind) -> Job:
    """Return the job with the declared options, with `--output-dir` if declared, and with its arguments."""
    for name, entry in declaration.options.items():
        job = _with_option(job, name, entry, kind)
    if declaration.wants_output and kind.has_options and job.output_option is None:
        job = msgspec.structs.replace(job, output_option="--output-dir")
    if job.arguments and not kind.is_program:
        job = _as_parameters(job, declaration.entry, kind)
    return job


def _with_option(job: Job, name: str, entry: Entry, kind: Kind) -> Job:
    option: str | None = entry.plain
    others = tuple(parameter for parameter in job.declared if parameter.name != name)
    if option is None:
        return msgspec.structs.replace(job, declared=others)
    if not kind.has_options:
        find_parameter(job, name, entry.where)
        return job
    parameter = next((parameter for parameter in job.declared if parameter.name == name), Parameter(name=name))
    return msgspec.structs.replace(job, declared=(*others, msgspec.structs.replace(parameter, option=option)))


def _as_parameters(job: Job, entry: Entry, kind: Kind) -> Job:
    """Read `--epochs 80` or `--epochs=80` as parameters: a job that is no program has no command line."""
    words = [word for argument in job.arguments for word in argument.split("=", 1)]
    where = f"{entry.where}: arguments"
    if len(words) % 2 or any(not word.startswith("--") for word in words[::2]):
        text = " ".join(job.arguments)
        raise entry.error(f"{job.id} is no script: expected arguments like --epochs 80, found {text}")
    job = msgspec.structs.replace(job, arguments=())
    for option, text in zip(words[::2], words[1::2], strict=True):
        parameter = find_parameter(job, option.removeprefix("--").replace("-", "_"), where)
        job = with_value(job, parameter.name, convert_text(parameter, text, where, kind), kind)
    return job


def _with_variables(job: Job, declaration: Declaration, kind: Kind) -> Job:
    """Let environment variables set parameters; nothing else can from then on."""
    for name, entry in declaration.variables.items():
        parameter = msgspec.structs.replace(find_parameter(job, name, entry.where), variable=entry.plain)
        job = with_value(job, name, f"${entry.plain}", kind)
        declared = tuple(parameter if each.name == name else each for each in job.declared)
        job = msgspec.structs.replace(job, declared=declared)
    return job


def _note_unset(job: Job, declaration: Declaration) -> Job:
    unset = [entry for entry in declaration.variables.values() if not os.environ.get(entry.plain)]
    if job.problem is not None or not unset:
        return job
    problem = f"{unset[0].where}: {job.id} needs the environment variable {unset[0].plain}, which is not set"
    return msgspec.structs.replace(job, problem=problem)


def _with_settings(job: Job, defaults: Declaration, declaration: Declaration, kind: Kind) -> Job:
    fields = {**defaults.settings, **declaration.settings}
    if not kind.is_program and "metrics" not in declaration.settings:
        fields.pop("metrics", None)
    if not kind.has_options and "fresh" not in declaration.settings:
        fields.pop("fresh", None)
    return msgspec.structs.replace(
        job,
        **fields,
        limits={key: most for key, most in (defaults.limits | declaration.limits).items() if most is not None},
        gates=_merged_gates(job, defaults, declaration),
        tags=tuple(dict.fromkeys((*job.tags, *defaults.tags, *declaration.tags))),
        data=tuple(dict.fromkeys((*job.data, *declaration.data))),
    )


def _merged_gates(job: Job, defaults: Declaration, declaration: Declaration) -> tuple[Gate, ...]:
    gates = {**defaults.gates}
    gates |= {gate.metric: tuple(g for g in job.gates if g.metric == gate.metric) for gate in job.gates}
    gates |= declaration.gates
    return tuple(gate for several in gates.values() for gate in several)


def _with_parameters(job: Job, defaults: Declaration, declaration: Declaration, kind: Kind) -> Job:
    own = {parameter.name for parameter in job.declared}
    for name, entry in defaults.parameters.items():
        if name in own - {*declaration.parameters, *declaration.matrix, *declaration.variables}:
            job = _set(job, name, entry, f"{entry.where} (for {job.id})", kind)
    for name, entry in declaration.parameters.items():
        job = _set(job, name, entry, entry.where, kind)
    return job


def _set(job: Job, name: str, entry: Entry, where: str, kind: Kind) -> Job:
    value = check_value(find_parameter(job, name, where), entry.plain, where)
    return with_value(job, name, value, kind)


def _check_default_parameters(jobs: list[Job], defaults: Declaration) -> None:
    names = {parameter.name for job in jobs for parameter in job.declared}
    unread = any(job.problem for job in jobs)
    for name, entry in defaults.parameters.items():
        if name not in names and not unread:
            raise entry.error(f"no job has a parameter {name!r}: {one_of(name, sorted(names))}")


def _check_unique(variants: Mapping[str, list[Job]], catalogue: Catalogue) -> None:
    ids = Counter(job.id for jobs in variants.values() for job in jobs)
    for job_id, declaration in catalogue.jobs.items():
        for job in variants.get(job_id, ()):
            if ids[job.id] > 1:
                raise declaration.entry.error(f"two jobs would have the id {job.id!r}")


def _with_needs(job: Job, declared_id: str, variants: Mapping[str, list[Job]], catalogue: Catalogue) -> Job:
    """Resolve `needs`; a job with a matrix stands for all its variants."""
    declaration = catalogue.jobs.get(declared_id)
    if declaration is None or not declaration.needs:
        return job
    by_id = {other.id: [other.id] for jobs in variants.values() for other in jobs}
    by_id |= {other_id: [other.id for other in jobs] for other_id, jobs in variants.items()}
    needs: list[str] = []
    for entry in declaration.needs:
        name = entry.text("the id of a job")
        if name not in by_id:
            raise entry.error(f"no such job {name!r}: {one_of(name, by_id)}")
        needs += by_id[name]
    return msgspec.structs.replace(job, needs=tuple(dict.fromkeys(needs)))
