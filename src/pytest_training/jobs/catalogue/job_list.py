"""A catalogue whose `jobs:` is a list: the format of `run_all_training.py --config`, in the catalogue's terms.

Each entry names a script, and may have the keys below; `supports_epochs: true` says that the script takes `--epochs`
although its source does not show it, `false` that it shall not get it.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pytest_training.jobs.catalogue.declarations import Declaration, argument_texts
from pytest_training.jobs.catalogue.document import Entry

SUPPORTS = {f"supports_{name}": name for name in ("epochs", "folds", "sample", "batch")}
KEYS = ("name", "script", "output", "id", "args", "optional", "use_output_dir", *SUPPORTS)

_NOT_IN_ID = re.compile(r"[^\w.+-]+")


def read_job_list(entry: Entry) -> dict[str, Declaration]:
    """Return the declarations by job id; two with one id are an error that names both places."""
    declarations: dict[str, Declaration] = {}
    for item in entry.items():
        job_id, declaration = _read(item)
        if job_id in declarations:
            first = declarations[job_id].entry
            raise item.error(f"the id {job_id!r} belongs to the job in line {first.line}: choose another")
        declarations[job_id] = declaration
    return declarations


def _read(item: Entry) -> tuple[str, Declaration]:
    entries = item.mapping(allowed=KEYS)
    script = entries.get("script")
    if script is None:
        raise item.error("expected `script:`, the path of a Python file")
    script.text("the path of a Python file")
    settings: dict[str, object] = {}
    for key, field in (("name", "title"), ("output", "output")):
        if key in entries:
            settings[field] = entries[key].text()
    if "optional" in entries:
        settings["optional"] = entries["optional"].flag()
    if "args" in entries:
        settings["arguments"] = argument_texts(entries["args"])
    use_output = entries["use_output_dir"].flag() if "use_output_dir" in entries else None
    if use_output is False:
        settings["output_option"] = None
    declaration = Declaration(
        entry=item,
        settings=settings,
        script=script,
        options={SUPPORTS[key]: _option(SUPPORTS[key], entry) for key, entry in entries.items() if key in SUPPORTS},
        wants_output=use_output is True,
    )
    return _id(entries), declaration


def _option(name: str, entry: Entry) -> Entry:
    """Return what `options:` of a catalogue would say."""
    return entry._replace(value=f"--{name}" if entry.flag() else None)


def _id(entries: dict[str, Entry]) -> str:
    if "id" in entries:
        return entries["id"].text("the id of a job")
    if "name" in entries:
        return _NOT_IN_ID.sub("_", entries["name"].text()).strip("_").lower() or "job"
    return PurePosixPath(entries["script"].text()).stem.removeprefix("train_")
