"""`jobs:` of the catalogue: a mapping by id, or a list, the format of `run_all_training.py --config`.

Each entry of a list names a script; `supports_epochs: true` means that the script takes `--epochs` although its source
does not show it, `false` that it shall not get it.
"""

import re
from pathlib import PurePosixPath

from pytest_training.errors import Mistakes
from pytest_training.jobs.catalogue.declarations import (
    Declaration,
    Readers,
    job_keys,
    read_arguments,
    read_declaration,
    read_fields,
    read_script,
)
from pytest_training.jobs.catalogue.document import Entry
from pytest_training.limits import Limits

_NOT_IN_ID = re.compile(r"[^\w.+-]+")
_SUPPORTS = {f"supports_{name}": name for name in ("epochs", "folds", "sample", "batch")}
_LISTED_KEYS = ("name", "script", "output", "id", "args", "optional", "use_output_dir", *_SUPPORTS)
_LISTED_SETTINGS: Readers = {
    "name": ("title", Entry.text),
    "output": ("output", Entry.text),
    "optional": ("optional", Entry.flag),
    "args": ("arguments", read_arguments),
}


def read_jobs(entry: Entry, limits: Limits) -> dict[str, Declaration]:
    """Return the declarations by job id."""
    if not isinstance(entry.value, list):
        keys = job_keys(limits)
        return {job_id: read_declaration(below, keys, limits) for job_id, below in entry.mapping().items()}
    declarations: dict[str, Declaration] = {}
    mistakes = Mistakes()
    for item in entry.items():
        with mistakes:
            job_id, declaration = _listed_job(item)
            if job_id in declarations:
                first = declarations[job_id].entry
                raise item.error(f"the id {job_id!r} belongs to the job in line {first.line}: choose another")
            declarations[job_id] = declaration
    mistakes.check()
    return declarations


def _listed_job(item: Entry) -> tuple[str, Declaration]:
    entries = item.mapping(allowed=_LISTED_KEYS)
    if "script" not in entries:
        raise item.error("expected `script:`, the path of a Python file")
    mistakes = Mistakes()
    script, settings = read_script(entries["script"]), read_fields(entries, _LISTED_SETTINGS, mistakes)
    mistakes.check()
    wants_output = "use_output_dir" in entries and entries["use_output_dir"].flag()
    if "use_output_dir" in entries and not wants_output:
        settings["output_option"] = None
    options = {
        name: entries[key]._replace(value=f"--{name}" if entries[key].flag() else None)
        for key, name in _SUPPORTS.items()
        if key in entries
    }
    job_id = PurePosixPath(script.plain).stem.removeprefix("train_")
    if "id" in entries:
        job_id = entries["id"].text("the id of a job")
    elif "name" in entries:
        job_id = _NOT_IN_ID.sub("_", settings["title"]).strip("_").lower() or "job"
    return job_id, Declaration(item, settings, script=script, options=options, wants_output=wants_output)
