"""Values of parameters that the catalogue calls `secret:`. They leave the jobs here, and come back only for an attempt.

From the moment when options are applied, every job that the plugin holds has `***` in their place: so the plan,
outcomes, history and reports cannot hold them. A slot puts them back into the request that starts a process
(`reveal`). Texts in which a job may have repeated them are cleaned of them (`masked`, `clean_file`).
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, AnyStr, BinaryIO, TypeVar

import msgspec

from pytest_training.jobs.model import Job, Value

T = TypeVar("T")

MASK = "***"
SHORTEST = 4
"""Characters; shorter texts are masked where they stand as a value, not wherever they occur: `on` is in every log."""
CHUNK = 2**20


class Secrets(Value, frozen=True, kw_only=True):
    """The true values by job id and parameter. Goes to workers through their channel, never to a file."""

    values: dict[str, dict[str, Any]] = {}

    def __repr__(self) -> str:
        return f"Secrets({MASK})"

    def reveal(self, job: Job) -> Job:
        """Return the job with its true values, for the process that executes it and for nobody else."""
        known = self.values.get(job.id, {})
        return msgspec.structs.replace(job, parameters={**job.parameters, **known}) if known else job

    def text(self, text: str) -> str:
        """Return the text without any of the values."""
        return _without(text, self._spellings())

    def masked(self, content: T) -> T:
        """Return a struct, mapping, list or text with every text in it, keys too, without any of the values."""
        spellings = self._spellings()
        masked: T = _masked(content, spellings) if spellings else content
        return masked

    def arguments(self, arguments: Sequence[str]) -> tuple[str, ...]:
        """Return a command line without them; `--set als.token=…` loses its value however short that is."""
        names = {name for values in self.values.values() for name in values}
        return tuple(self.text(_without_value(argument, names)) for argument in arguments)

    def clean_bytes(self, content: bytes) -> bytes:
        """Return a text file's content without the values, as they stand or as JSON, XML and Python spell them."""
        return _without(content, self._spellings())

    def clean_file(self, path: Path) -> None:
        """Take the values out of a text file that a job left, however large it is; a link is not followed."""
        spellings = self._spellings()
        if not spellings or path.is_symlink() or not path.is_file():
            return
        cleaned = path.with_name(f".{path.name}.partial")
        try:
            with path.open("rb") as source, cleaned.open("wb") as target:
                changed = _copy_without(source, target, spellings)
            if changed:
                cleaned.replace(path)
        finally:
            cleaned.unlink(missing_ok=True)

    def _spellings(self) -> list[str]:
        """Return what to look for, the longest first: one may contain another."""
        found = {text for values in self.values.values() for value in values.values() for text in _texts(value)}
        spelled = {spelling for text in found for spelling in _spelled(text)}
        return sorted(spelled, key=lambda text: (-len(text), text))


def hide(jobs: Sequence[Job]) -> tuple[list[Job], Secrets]:
    """Return the jobs with `***` for each secret value, and the values."""
    values = {job.id: found for job in jobs if (found := _secret_values(job))}
    return [_hidden(job) for job in jobs], Secrets(values=values)


def keeps_secrets(job: Job) -> bool:
    """Whether a job of a plan was given values that the plan does not hold: until it ends its files may hold them."""
    return any(job.parameters.get(name) == MASK for name in job.secret)


def _secret_values(job: Job) -> dict[str, Any]:
    """Return what is to be hidden; a parameter that is not set may be seen to be so."""
    return {name: value for name in job.secret if (value := job.parameters.get(name)) not in (None, "")}


def _hidden(job: Job) -> Job:
    hidden = _secret_values(job)
    if not hidden:
        return job
    declared = tuple(
        msgspec.structs.replace(each, default=MASK) if each.name in hidden and _is_telling(each.default) else each
        for each in job.declared
    )
    return msgspec.structs.replace(job, parameters={**job.parameters, **dict.fromkeys(hidden, MASK)}, declared=declared)


def _is_telling(default: Any) -> bool:
    return not isinstance(default, bool) and default not in (None, "")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and len(value.strip()) >= SHORTEST:
        yield value.strip()
    elif isinstance(value, Mapping):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _texts(below)


def _spelled(text: str) -> Iterator[str]:
    """Yield the ways in which files and messages write a text."""
    yield text
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    yield from (html.escape(text, quote=False), html.escape(text, quote=False).replace('"', "&quot;"))
    yield repr(text)[1:-1]


def _without(content: AnyStr, spellings: Sequence[str]) -> AnyStr:
    for spelling in spellings:
        if isinstance(content, str):
            content = content.replace(spelling, MASK)
        else:
            content = content.replace(spelling.encode(), MASK.encode())
    return content


def _masked(content: Any, spellings: Sequence[str]) -> Any:
    if isinstance(content, str):
        return _without(content, spellings)
    if isinstance(content, msgspec.Struct):
        fields = {name: _masked(getattr(content, name), spellings) for name in content.__struct_fields__}
        return type(content)(**fields)
    if isinstance(content, Mapping):
        return {_masked(key, spellings): _masked(value, spellings) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(_masked(value, spellings) for value in content)
    return content


def _copy_without(source: BinaryIO, target: BinaryIO, spellings: Sequence[str]) -> bool:
    """Copy a file in pieces, a value that lies across two of them masked too; return whether any was found."""
    kept = max(len(spelling.encode()) for spelling in spellings) - 1
    found, rest = False, b""
    while chunk := source.read(CHUNK):
        piece = rest + chunk
        cleaned = _without(piece, spellings)
        found = found or cleaned != piece
        end = max(0, len(cleaned) - kept)
        target.write(cleaned[:end])
        rest = cleaned[end:]
    target.write(rest)
    return found


def _without_value(argument: str, names: set[str]) -> str:
    start, equals, rest = argument.partition("=")
    if equals and start == "--set":  # --set=als.token=…
        return f"--set={_without_value(rest, names)}"
    return f"{start}={MASK}" if equals and start.rpartition(".")[2] in names and "." in start else argument
