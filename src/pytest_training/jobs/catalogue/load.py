"""`jobs.yaml`: adds to, or overrides, the discovered jobs. Read and validated here, applied in `merging`.

`jobs:` may be a list, the format of `run_all_training.py --config`: each entry names a script; `supports_epochs: true`
means that the script takes `--epochs` although its source does not show it, `false` that it shall not get it.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from pytest_training.jobs.catalogue.datasets import read_dataset
from pytest_training.jobs.catalogue.declarations import (
    Catalogue,
    Declaration,
    Readers,
    argument_texts,
    defaults_keys,
    job_keys,
    read_declaration,
    read_fields,
    read_script,
)
from pytest_training.jobs.catalogue.document import Entry, read_file
from pytest_training.jobs.catalogue.merging import apply_catalogue
from pytest_training.jobs.discovery import absolute
from pytest_training.limits import LIMITS, Limits
from pytest_training.wording import label

__all__ = ["Catalogue", "apply_catalogue", "load_catalogue"]

SUPPORTS = {f"supports_{name}": name for name in ("epochs", "folds", "sample", "batch")}
KEYS = ("name", "script", "output", "id", "args", "optional", "use_output_dir", *SUPPORTS)
SETTINGS: Readers = {
    "name": ("title", Entry.text),
    "output": ("output", Entry.text),
    "optional": ("optional", Entry.flag),
    "args": ("arguments", argument_texts),
}

_NOT_IN_ID = re.compile(r"[^\w.+-]+")


def load_catalogue(
    path: Path, *, training_root: Path | None = None, project_root: Path | None = None, limits: Limits = LIMITS
) -> Catalogue:
    """Read and validate a catalogue; without roots, its folder is the training root."""
    path = absolute(path)
    training_root = absolute(training_root or path.parent)
    project_root = absolute(project_root or training_root.parent)
    file = label(path, project_root)
    entries = read_file(path, file).mapping(allowed=("defaults", "jobs", "data"))
    data = entries.get("data", Entry(file)).mapping()
    return Catalogue(
        file=file,
        folder=path.parent,
        training_root=training_root,
        project_root=project_root,
        jobs=_declarations(entries.get("jobs", Entry(file)), limits),
        defaults=read_declaration(entries.get("defaults", Entry(file)), defaults_keys(limits), limits),
        datasets=tuple(read_dataset(name, entry, path.parent) for name, entry in data.items()),
    )


def _declarations(entry: Entry, limits: Limits) -> dict[str, Declaration]:
    if not isinstance(entry.value, list):
        keys = job_keys(limits)
        return {job_id: read_declaration(below, keys, limits) for job_id, below in entry.mapping().items()}
    declarations: dict[str, Declaration] = {}
    for item in entry.items():
        job_id, declaration = _listed_job(item)
        if job_id in declarations:
            first = declarations[job_id].entry
            raise item.error(f"the id {job_id!r} belongs to the job in line {first.line}: choose another")
        declarations[job_id] = declaration
    return declarations


def _listed_job(item: Entry) -> tuple[str, Declaration]:
    entries = item.mapping(allowed=KEYS)
    if "script" not in entries:
        raise item.error("expected `script:`, the path of a Python file")
    script, settings = read_script(entries["script"]), read_fields(entries, SETTINGS)
    wants_output = entries["use_output_dir"].flag() if "use_output_dir" in entries else None
    if wants_output is False:
        settings["output_option"] = None
    options = {
        name: entries[key]._replace(value=f"--{name}" if entries[key].flag() else None)
        for key, name in SUPPORTS.items()
        if key in entries
    }
    declaration = Declaration(item, settings, script=script, options=options, wants_output=wants_output is True)
    return _id(entries), declaration


def _id(entries: dict[str, Entry]) -> str:
    if "id" in entries:
        return entries["id"].text("the id of a job")
    if "name" in entries:
        return _NOT_IN_ID.sub("_", entries["name"].text()).strip("_").lower() or "job"
    return PurePosixPath(entries["script"].text()).stem.removeprefix("train_")
