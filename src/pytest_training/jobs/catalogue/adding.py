"""The jobs that `jobs.yaml` adds: those with `script:` or `command:`."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_training.errors import Mistakes
from pytest_training.jobs.catalogue.declarations import Catalogue, Declaration, job_keys
from pytest_training.jobs.catalogue.document import Entry
from pytest_training.jobs.discovery import read_job, suffixes_of
from pytest_training.jobs.kinds.command import CommandKind
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.model import Job
from pytest_training.jobs.source.sources import Sources
from pytest_training.limits import LIMITS
from pytest_training.wording import describe, one_of

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")
_ID = re.compile(r"\w[\w.+-]*(?:/\w[\w.+-]*)*")


def added_jobs(by_id: Mapping[str, Job], catalogue: Catalogue, kinds: Kinds, mistakes: Mistakes) -> list[Job]:
    """Return the jobs that entries with `script:` or `command:` add; note the mistakes of the others."""
    sources, added = Sources(catalogue.training_root, catalogue.project_root), list[Job]()
    for job_id, declaration in catalogue.jobs.items():
        with mistakes:
            if job_id in job_keys(LIMITS) and job_id not in by_id and not (declaration.script or declaration.command):
                raise declaration.entry.error(f"{job_id!r} is a key of a job: indent it below the id of its job")
            mistakes.sentences += declaration.mistakes
            if declaration.mistakes:
                continue
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
    candidates = (folder / entry.plain for folder in (catalogue.project_root, catalogue.folder))
    path = next(filter(Path.is_file, candidates), None)
    if path is None or not path.name.endswith(suffixes):
        problem = "no such file" if path is None else "no Python file; start it with `command:`"
        raise entry.error(
            f"expected a Python file relative to the project's root, found {describe(entry.plain)}: {problem}"
        )
    return Path(os.path.normpath(path))


def _check_id(job_id: str, declaration: Declaration, by_id: Mapping[str, Job], path: Path | None) -> None:
    other = by_id.get(job_id)
    if other is not None and not (path and other.path and os.path.realpath(path) == os.path.realpath(other.path)):
        problem = f"the id belongs to {other.source}: choose another, or leave out script and command"
        raise declaration.entry.error(problem)
    if other is None and not _ID.fullmatch(job_id):
        problem = f"expected an id of letters, digits and _ . + - (with / for folders), found {describe(job_id)}"
        raise declaration.entry.error(problem)


def _command_job(job_id: str, declaration: Declaration, catalogue: Catalogue) -> Job:
    values = {name: [entry.plain] for name, entry in declaration.parameters.items()}
    values |= {name: [entry.plain for entry in entries] for name, entries in declaration.matrix.items()}
    values |= {name: [f"${entry.plain}"] for name, entry in declaration.variables.items()}
    check_placeholders(declaration, values)
    source, home = f"{catalogue.file}:{declaration.entry.line}", str(catalogue.training_root)
    fields = {"id": job_id, "source": source, "home": home, "root": str(catalogue.project_root)}
    return CommandKind().job(declaration.command, values, **fields)


def check_placeholders(declaration: Declaration, parameters: Iterable[str]) -> None:
    """Refuse a name in braces that is nearly a parameter's; any other text in braces is the program's own."""
    names = ["folder", "seed", *parameters]
    for name in _PLACEHOLDER.findall("\n".join((*declaration.command, *declaration.settings.get("arguments", ())))):
        near = difflib.get_close_matches(name, names, n=1)
        if near and name not in names:
            raise declaration.entry.error(f"{{{name}}} stands for nothing: {one_of(name, names)}")
