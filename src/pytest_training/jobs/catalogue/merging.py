"""Reads `jobs.yaml`, and applies it to the discovered jobs.

From weakest to strongest: the job's file, `defaults:`, the job's own entry, options. A gate of `defaults:` is
for jobs that state none for that metric; a parameter of `defaults:` goes to the jobs that have it. `tags` and
`data` add up. A job with `script:` takes the place of the discovered job of that file,
unless that has an entry of its own.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pytest_training.errors import Mistakes
from pytest_training.jobs.catalogue.declarations import Catalogue, Declaration, job_keys, read_defaults
from pytest_training.jobs.catalogue.document import Entry, read_file
from pytest_training.jobs.catalogue.sections import added_jobs, check_placeholders, read_dataset, read_jobs
from pytest_training.jobs.catalogue.studies import with_study
from pytest_training.jobs.discovery import absolute
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Kind, Kinds
from pytest_training.jobs.model import Dataset, Gate, Job, Parameter
from pytest_training.jobs.order import find_circle
from pytest_training.jobs.values import check_value, convert_text, find_parameter, meant, with_value
from pytest_training.limits import LIMITS, Limits
from pytest_training.wording import label, one_of


def load_catalogue(path: Path, *, training_root: Path, project_root: Path, limits: Limits = LIMITS) -> Catalogue:
    """Read and validate a catalogue."""
    path, training_root, project_root = absolute(path), absolute(training_root), absolute(project_root)
    file = label(path, project_root)
    document, mistakes = read_file(path, file), Mistakes()
    entries, keys = document.value if isinstance(document.value, dict) else {}, ("defaults", "jobs", "data")
    with mistakes:
        for key, entry in entries.items():
            if key in job_keys(limits) and key not in keys:
                raise entry.error(f"{key!r} is a key of a job: indent it below `jobs:` and the id of its job")
        document.mapping(allowed=keys)
    jobs: dict[str, Declaration] = {}
    datasets: dict[str, Dataset] = {}
    with mistakes:
        jobs = read_jobs(entries.get("jobs", Entry(file)), limits)
    with mistakes:
        datasets = entries.get("data", Entry(file)).each(lambda name, entry: read_dataset(name, entry, path.parent))
    defaults = read_defaults(entries.get("defaults", Entry(file)), limits)
    places, sentences = (file, path.parent, training_root, project_root), (*mistakes.sentences, *defaults.mistakes)
    return Catalogue(*places, defaults, jobs, tuple(datasets.values()), sentences)


def apply_catalogue(jobs: Sequence[Job], catalogue: Catalogue, kinds: Kinds = KINDS) -> list[Job]:
    """Return the jobs as a catalogue changes and adds them; raise DeclarationError with all its mistakes."""
    mistakes = Mistakes()
    mistakes.sentences += catalogue.mistakes
    added = added_jobs({job.id: job for job in jobs}, catalogue, kinds, mistakes)
    files, ids = {os.path.realpath(job.path) for job in added if job.path}, {job.id for job in added}
    gone = {job.id for job in jobs if files and job.path and os.path.realpath(job.path) in files} - {*catalogue.jobs}
    everything = [job for job in jobs if job.id not in ids | gone] + added
    _check_default_parameters(everything, catalogue.defaults, mistakes)
    by_id: dict[str, Job] = {job.id: job for job in everything}
    for job in everything:
        with mistakes:
            declaration = catalogue.jobs.get(job.id) or Declaration(Entry(catalogue.file))
            if not declaration.mistakes:  # else what it says besides is not judged
                by_id[job.id] = _declared(job, catalogue.defaults, declaration, kinds[job.kind])
    result = [_with_needs(job, by_id, catalogue, mistakes) for job in by_id.values()]
    if circle := find_circle({job.id: job.needs for job in result}):
        mistakes.sentences.append(f"{catalogue.file}: needs go round in a circle: {' needs '.join(circle)}")
    mistakes.check()
    return result


def _declared(job: Job, defaults: Declaration, declaration: Declaration, kind: Kind) -> Job:
    """Return the job as the catalogue declares it."""
    job = _with_settings(job, defaults, declaration, kind)
    if job.problem is None:
        job = _with_variables(_with_command_line(job, declaration, kind), declaration, kind)
        job = with_study(_with_parameters(job, defaults, declaration, kind), declaration, kind)
    return _note_unset(job, declaration)


def _with_command_line(job: Job, declaration: Declaration, kind: Kind) -> Job:
    """Return the job with the declared options, with `--output-dir` if declared, and with its arguments."""
    for name, entry in declaration.options.items():
        job = _with_option(job, name, entry, kind)
    if declaration.wants_output and kind.has_options and job.output_option is None:
        job = msgspec.structs.replace(job, output_option="--output-dir")
    if kind.has_options:
        check_placeholders(declaration, (each.name for each in job.declared))
    if job.arguments and not kind.is_program:
        job = _as_parameters(job, declaration.entry, kind)
    return job


def _with_option(job: Job, name: str, entry: Entry, kind: Kind) -> Job:
    others = tuple(each for each in job.declared if each.name != name)
    if entry.plain is None:
        return msgspec.structs.replace(job, declared=others)
    if not kind.has_options:
        find_parameter(job, name, entry.where)
        return job
    parameter = next((each for each in job.declared if each.name == name), Parameter(name=name))
    return msgspec.structs.replace(job, declared=(*others, msgspec.structs.replace(parameter, option=entry.plain)))


def _as_parameters(job: Job, entry: Entry, kind: Kind) -> Job:
    """Read `--epochs 80` or `--epochs=80` as parameters: a job that is no program has no command line."""
    words = [word for argument in job.arguments for word in argument.split("=", 1)]
    where = f"{entry.where}: arguments"
    if len(words) % 2 or any(not word.startswith("--") for word in words[::2]):
        text = " ".join(job.arguments)
        raise entry.error(f"{job.id} is no script: expected arguments like --epochs 80, found {text}")
    job = msgspec.structs.replace(job, arguments=())
    for option, text in zip(words[::2], words[1::2], strict=True):
        parameter = find_parameter(job, option.removeprefix("--"), where)
        job = with_value(job, parameter.name, convert_text(parameter, text, where, kind), kind)
    return job


def _with_variables(job: Job, declaration: Declaration, kind: Kind) -> Job:
    """Let environment variables set parameters; nothing else can from then on."""
    for name, entry in declaration.variables.items():
        parameter = msgspec.structs.replace(find_parameter(job, name, entry.where, kind), variable=entry.plain)
        declared = tuple(parameter if each.name == parameter.name else each for each in job.declared)
        job = with_value(msgspec.structs.replace(job, declared=declared), parameter.name, f"${entry.plain}", kind)
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
    place = declaration if "reads" in declaration.settings else defaults
    for pattern in (pattern for pattern in fields.get("reads", ()) if not _matches(job, pattern)):
        raise place.entry.error(f"files: expected files relative to the project's root, found none for {pattern!r}")
    if not Path(job.root, fields.get("cwd", "")).is_dir():
        raise declaration.entry.error(f"cwd: expected a folder relative to the project's root, found {fields['cwd']!r}")
    return msgspec.structs.replace(
        job,
        **fields,
        limits={key: most for key, most in (defaults.limits | declaration.limits).items() if most is not None},
        gates=_merged_gates(job, defaults, declaration),
        tags=tuple(dict.fromkeys((*job.tags, *defaults.tags, *declaration.tags))),
        data=tuple(dict.fromkeys((*job.data, *declaration.data))),
        statements={key: text for key, text in (defaults.card | declaration.card).items() if text},
    )


def _matches(job: Job, pattern: str) -> bool:
    with contextlib.suppress(ValueError, OSError):  # no pattern
        return any(True for _ in Path(job.root).glob(pattern))
    return False


def _merged_gates(job: Job, defaults: Declaration, declaration: Declaration) -> tuple[Gate, ...]:
    gates = defaults.gates | {gate.metric: tuple(g for g in job.gates if g.metric == gate.metric) for gate in job.gates}
    for metric, own in declaration.gates.items():
        if not own and metric not in gates:
            expected = one_of(metric, gates) if gates else "there is none"
            raise declaration.entry.error(f"gates: {metric!r} has no gate to take away: {expected}")
    gates |= declaration.gates
    return tuple(gate for several in gates.values() for gate in several)


def _with_parameters(job: Job, defaults: Declaration, declaration: Declaration, kind: Kind) -> Job:
    stated = (*declaration.parameters, *declaration.matrix, *declaration.variables)
    own = {each.name for name in stated if (each := meant(job.declared, name))}
    for name, entry in defaults.parameters.items():
        if (each := meant(job.declared, name)) and each.name not in own:
            job = _set(job, name, entry, f"{entry.where} (for {job.id})", kind)
    for name, entry in declaration.parameters.items():
        job = _set(job, name, entry, entry.where, kind)
    return _with_smoke(job, defaults, declaration, kind)


def _with_smoke(job: Job, defaults: Declaration, declaration: Declaration, kind: Kind) -> Job:
    """Return the job with its values for a smoke run."""
    has = {name: each for name in defaults.smoke if (each := meant(job.declared, name)) and not each.variable}
    stated = {**{name: defaults.smoke[name] for name in has}, **declaration.smoke}
    values = dict(_checked(job, name, entry, kind) for name, entry in stated.items())
    return msgspec.structs.replace(job, smoke=job.smoke | values)


def _set(job: Job, name: str, entry: Entry, where: str, kind: Kind) -> Job:
    return with_value(job, *_checked(job, name, entry, kind, where), kind)


def _checked(job: Job, name: str, entry: Entry, kind: Kind, where: str = "") -> tuple[str, Any]:
    """Return the name of a parameter and its value."""
    parameter = find_parameter(job, name, where or entry.where, kind)
    return parameter.name, check_value(parameter, entry.plain, where or entry.where)


def _check_default_parameters(jobs: list[Job], defaults: Declaration, mistakes: Mistakes) -> None:
    names = {parameter.name for job in jobs for parameter in job.declared}
    stated = (*defaults.parameters.items(), *defaults.smoke.items())
    for name, entry in () if any(job.problem for job in jobs) else stated:
        with mistakes:
            if not any(meant(job.declared, name) for job in jobs):
                raise entry.error(f"no job has a parameter {name!r}: {one_of(name, sorted(names))}")


def _with_needs(job: Job, by_id: Mapping[str, Job], catalogue: Catalogue, mistakes: Mistakes) -> Job:
    """Resolve `needs`; whether a study has a trial of that name is known once its trials are made."""
    if (declaration := catalogue.jobs.get(job.id)) is None or not declaration.needs:
        return job
    ids = {**dict.fromkeys(catalogue.jobs), **dict.fromkeys(by_id)}  # one that could not be added has its mistake
    studies = tuple(f"{each.id}-" for each in by_id.values() if each.study)
    needs: list[str] = []
    for entry in declaration.needs:
        with mistakes:
            name = entry.text("the id of a job")
            if name not in ids and not name.startswith(studies):
                raise entry.error(f"no such job {name!r}: {one_of(name, ids)}")
            needs.append(name)
    return msgspec.structs.replace(job, needs=tuple(dict.fromkeys(needs)))
