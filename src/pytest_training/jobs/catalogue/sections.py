"""`data:` and `jobs:` of the catalogue, a mapping by id or a list, and the jobs that `script:` and `command:` add.

Each entry of a list, the format of `run_all_training.py --config`, names a script; `supports_epochs: true` means that
it takes `--epochs` although its source does not show it, `false` that it shall not get it.
"""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from pytest_training.errors import Mistakes
from pytest_training.jobs.catalogue import declarations
from pytest_training.jobs.catalogue.declarations import Catalogue, Declaration
from pytest_training.jobs.catalogue.document import Entry
from pytest_training.jobs.catalogue.studies import searched
from pytest_training.jobs.discovery import read_job, suffixes_of
from pytest_training.jobs.kinds import command, protocol
from pytest_training.jobs.model import Dataset, Job
from pytest_training.jobs.source.sources import Sources
from pytest_training.limits import LIMITS, Limits
from pytest_training.wording import describe, one_of

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")
_ID = re.compile(r"\w[\w.+-]*(?:/\w[\w.+-]*)*")
_NOT_IN_ID = re.compile(r"[^\w.+-]+")
_SUPPORTS = {f"supports_{name}": name for name in ("epochs", "folds", "sample", "batch")}
_LISTED_KEYS = ("name", "script", "output", "id", "args", "optional", "use_output_dir", *_SUPPORTS)
_LISTED_SETTINGS: declarations.Readers = {
    "name": ("title", Entry.text),
    "output": ("output", Entry.text),
    "optional": ("optional", Entry.flag),
    "args": ("arguments", declarations.read_arguments),
}
SOURCES = ("package", "path", "url", "simulated")
_MODULE = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"


def _matching(entry: Entry, pattern: str, what: str) -> str:
    if not re.fullmatch(pattern, entry.text(what), re.ASCII):
        raise entry.expected(what)
    return entry.text()


_READERS: dict[str, declarations.Reader] = {
    "package": lambda entry: _matching(entry, _MODULE, "the import name of a package"),
    "file": Entry.text,
    "path": Entry.text,
    "url": lambda entry: _matching(entry, r"https?://\S+", "an address that begins with https://"),
    "simulated": lambda entry: _matching(entry, rf"{_MODULE}:[A-Za-z_]\w*", "module:function"),
    "seed": lambda entry: entry.whole(minimum=0, maximum=2**32 - 1),
    "sha256": lambda entry: _matching(entry, r"[0-9a-fA-F]{64}", "64 hexadecimal digits").lower(),
    "license": Entry.text,
    "citation": Entry.text,
    "title": Entry.text,
    "shape": lambda entry: tuple(item.whole(minimum=1, maximum=10**12) for item in entry.items()),
    "target": Entry.text,
    "positive": lambda entry: str(entry.value) if type(entry.value) is int else entry.text("the name of a class"),
    "real": Entry.flag,
    "card": declarations.read_statements,
}
_FIELDS = {"card": "statements"}  # of a dataset, where the catalogue's key has another name


def read_dataset(name: str, entry: Entry, home: Path) -> Dataset:
    """Check one entry of the catalogue's `data:` and return the dataset."""
    entries = entry.mapping(allowed=tuple(_READERS))
    fields = {_FIELDS.get(key, key): _READERS[key](below) for key, below in entries.items()}
    sources = [key for key in SOURCES if key in fields]
    if len(sources) != 1:
        raise entry.error(f"expected exactly one of {', '.join(SOURCES)}, found {' and '.join(sources) or 'none'}")
    for key, needed in (("file", "package"), ("seed", "simulated")):
        if key in entries and sources[0] != needed:
            raise entries[key].error(f"belongs to `{needed}:`; beside `{sources[0]}:` it means nothing")
    if sources[0] == "package" and "file" not in entries:
        raise entry.error("expected `file:`, the path of the data inside the package")
    real = fields.setdefault("real", "simulated" not in fields)
    if real and "simulated" in fields:
        raise entries["real"].error("simulated data cannot be `real: true`: leave out one of them")
    return Dataset(name=name, home=str(home), declared=f"{entry.file}:{entry.line}", **fields)


def read_jobs(entry: Entry, limits: Limits) -> dict[str, Declaration]:
    """Return the declarations by job id."""
    if not isinstance(entry.value, list):
        keys = declarations.job_keys(limits)
        return {job_id: declarations.read_declaration(below, keys, limits) for job_id, below in entry.mapping().items()}
    listed: dict[str, Declaration] = {}
    mistakes = Mistakes()
    for item in entry.items():
        with mistakes:
            job_id, declaration = _listed_job(item)
            if job_id in listed:
                first = listed[job_id].entry
                raise item.error(f"the id {job_id!r} belongs to the job in line {first.line}: choose another")
            listed[job_id] = declaration
    mistakes.check()
    return listed


def _listed_job(item: Entry) -> tuple[str, Declaration]:
    entries = item.mapping(allowed=_LISTED_KEYS)
    if "script" not in entries:
        raise item.error("expected `script:`, the path of a Python file")
    mistakes = Mistakes()
    script = declarations.read_script(entries["script"])
    settings = declarations.read_fields(entries, _LISTED_SETTINGS, mistakes)
    mistakes.check()
    wants_output = "use_output_dir" in entries and entries["use_output_dir"].flag()
    if "use_output_dir" in entries and not wants_output:
        settings["output_option"] = None
    stated = {name: entries[key] for key, name in _SUPPORTS.items() if key in entries}
    options = {name: each._replace(value=f"--{name}" if each.flag() else None) for name, each in stated.items()}
    job_id = PurePosixPath(script.plain).stem.removeprefix("train_")
    if "id" in entries:
        job_id = entries["id"].text("the id of a job")
    elif "name" in entries:
        job_id = _NOT_IN_ID.sub("_", settings["title"]).strip("_").lower() or "job"
    return job_id, Declaration(item, settings, script=script, options=options, wants_output=wants_output)


def added_jobs(by_id: Mapping[str, Job], catalogue: Catalogue, kinds: protocol.Kinds, mistakes: Mistakes) -> list[Job]:
    """Return the jobs that entries with `script:` or `command:` add; note the mistakes of the others."""
    keys, added = declarations.job_keys(LIMITS), list[Job]()
    sources = Sources(catalogue.training_root, catalogue.project_root)
    for job_id, declaration in catalogue.jobs.items():
        with mistakes:
            if job_id in keys and job_id not in by_id and not (declaration.script or declaration.command):
                raise declaration.entry.error(f"{job_id!r} is a key of a job: indent it below the id of its job")
            mistakes.sentences += declaration.mistakes
            if declaration.mistakes:
                continue
            if declaration.script is not None:
                path = _script_path(declaration.script, catalogue, suffixes_of(kinds))
                _check_id(job_id, declaration, by_id, path)
                if (job := read_job(path, job_id, sources, catalogue.training_root, kinds)) is None:
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
    if (path := next(filter(Path.is_file, candidates), None)) is None or not path.name.endswith(suffixes):
        problem = "no such file" if path is None else "no Python file; start it with `command:`"
        named = describe(entry.plain)
        raise entry.error(f"expected a Python file relative to the project's root, found {named}: {problem}")
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
    values |= searched(declaration.search)
    values |= {name: [f"${entry.plain}"] for name, entry in declaration.variables.items()}
    check_placeholders(declaration, values)
    source, home = f"{catalogue.file}:{declaration.entry.line}", str(catalogue.training_root)
    fields = {"id": job_id, "source": source, "home": home, "root": str(catalogue.project_root)}
    return command.CommandKind().job(declaration.command, values, **fields)


def check_placeholders(declaration: Declaration, parameters: Iterable[str]) -> None:
    """Refuse a name in braces that is nearly a parameter's; any other text in braces is the program's own."""
    names = ["folder", "seed", *parameters]
    for name in _PLACEHOLDER.findall("\n".join((*declaration.command, *declaration.settings.get("arguments", ())))):
        if name not in names and difflib.get_close_matches(name, names, n=1):
            raise declaration.entry.error(f"{{{name}}} stands for nothing: {one_of(name, names)}")
