"""Secrets: values that parameters take from environment variables, and that no file and no report may show.

Nothing else of the plugin holds the values. A request gets them just before its process starts. What that process
prints, logs and returns lies in a private folder until it has ended; the attempt's own folder gets it masked.
"""

import html
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeVar

import msgspec
from msgspec.structs import replace

from pytest_training.atomic import write_atomically, write_pieces
from pytest_training.errors import DeclarationError, ResultError
from pytest_training.execution.attempt.messages import AttemptRequest, Reply
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.job_files import open_own
from pytest_training.execution.readers.declared import read_result
from pytest_training.jobs.kinds.protocol import Kind
from pytest_training.jobs.model import Job, Parameter
from pytest_training.jobs.values import convert_text

T = TypeVar("T")
MASK = b"***"
SHORTEST = 4  # characters; shorter values are not masked: `on` is in every log
CHUNK = 2**20
RECORDS = ("evaluation*.json", "predictions*.csv", "description.json")  # beside result.json


class Secrets(msgspec.Struct, frozen=True, dict=True):
    """The values of one job's secret parameters."""

    values: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        """Hide the values: a traceback may show it."""
        return f"Secrets({', '.join(self.values)})"

    @classmethod
    def of(cls, job: Job, kind: Kind, variables: Mapping[str, str]) -> Self:
        """Read the values from the environment; raise DeclarationError if one is missing or of another type."""
        return cls({each.name: _value(job, each, kind, variables) for each in job.declared if each.variable})

    def reveal(self, job: Job) -> Job:
        """Return the job with the values, for the process that executes it alone."""
        return replace(job, parameters={**job.parameters, **self.values})

    def launch(self, request: AttemptRequest, launch: Callable[[AttemptRequest], Reply]) -> Reply:
        """Execute an attempt; its folder gets the files that it wrote, masked, once it has ended."""
        if not self.values:
            return launch(request)
        with tempfile.TemporaryDirectory(prefix="training-", ignore_cleanup_errors=True) as private:  # of mode 0700
            request = replace(request, private=private)
            try:
                return launch(request)
            finally:  # after a second Ctrl-C too
                self.publish(request.files, replace(request.files, private=None))

    def mask(self, content: T) -> T:
        """Return a struct, mapping, list or text with `***` for the values in its texts, in its keys too."""
        masked: T = _masked(content, self._text) if self.values else content
        return masked

    def publish(self, private: AttemptFolder, folder: AttemptFolder) -> None:
        """Write what an attempt left, masked, to its place; ignore links."""
        self._copy(private.log, folder.log, folder.below)
        self._copy(private.events, folder.events, folder.below)
        for path in (each for pattern in RECORDS for each in private.own.glob(pattern)):
            self._copy(path, folder.own / path.name, folder.below)
        try:
            result = read_result(private.result)
        except ResultError:  # the judge reads it again and says so
            self._copy(private.result, folder.result, folder.below)
        else:
            if result is not None:
                write_atomically(folder.result, msgspec.json.encode(self.mask(result)), below=folder.below)

    def _copy(self, source: Path, target: Path, below: Path | None) -> None:
        try:
            original = open_own(source)
        except OSError:
            return
        with original:
            write_pieces(target, _pieces(original, self._pattern), below=below)

    def _text(self, text: str) -> str:
        text = self._pattern.sub(MASK, text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
        for spelling in self._spellings if "…" in text else ():  # messages cut long values
            for end in range(len(spelling) - 1, SHORTEST - 1, -1):
                text = text.replace(f"{spelling[:end]}…", f"{MASK.decode()}…")
        return text

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        return re.compile(b"|".join(re.escape(spelling.encode()) for spelling in self._spellings) or b"(?!)")

    @cached_property
    def _spellings(self) -> list[str]:
        """The ways in which files and messages write the values, the longest first: one may begin another."""
        spellings: set[str] = set()
        for text in _texts(self.values):
            escaped = html.escape(text, quote=False)
            spellings |= {text, escaped, escaped.replace('"', "&quot;"), repr(text)[1:-1], repr(text.encode())[2:-1]}
            spellings |= {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
        return sorted(spellings, key=len, reverse=True)


def _value(job: Job, parameter: Parameter, kind: Kind, variables: Mapping[str, str]) -> Any:
    where = f"{job.source}: {job.id} takes {parameter.name} from the environment variable {parameter.variable}"
    if not (text := variables.get(parameter.variable or "")):
        raise DeclarationError(f"{where}, which is not set")
    try:
        text.encode()
        return convert_text(parameter, text, where, kind)
    except (DeclarationError, UnicodeEncodeError):  # both show the value
        raise DeclarationError(f"{where}: its value is not of the type {parameter.type} or not allowed") from None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and len(value.strip()) >= SHORTEST:
        yield value.strip()
    below = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for each in below:
        yield from _texts(each)


def _masked(content: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(content, str):
        return mask(content)
    if isinstance(content, msgspec.Struct):
        return type(content)(**{name: _masked(getattr(content, name), mask) for name in content.__struct_fields__})
    if isinstance(content, Mapping):
        return {_masked(key, mask): _masked(value, mask) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(_masked(value, mask) for value in content)
    return content


def _pieces(source: BinaryIO, pattern: re.Pattern[bytes]) -> Iterator[bytes]:
    """Yield a file's content in pieces, masked; a value may lie across two of them."""
    overlap, rest = len(pattern.pattern), b""
    while chunk := source.read(CHUNK):
        content = rest + chunk
        cut = max(len(content) - overlap, 0)
        cut = next((each.end() for each in pattern.finditer(content) if each.start() < cut < each.end()), cut)
        yield pattern.sub(MASK, content[:cut])
        rest = content[cut:]
    yield pattern.sub(MASK, rest)
