"""The keys that `jobs.yaml` may have for a job and for all jobs, each with the reader of its value."""

import keyword
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from pytest_training.errors import DeclarationError, Mistakes
from pytest_training.evaluation.tripod import statement_keys
from pytest_training.jobs.catalogue.document import Entry
from pytest_training.jobs.gates import parse_gates
from pytest_training.jobs.model import Dataset, Gate, MetricsFile
from pytest_training.limits import Limits, retry_reasons
from pytest_training.limits.protocol import Limit
from pytest_training.units import parse_duration

_TAKEN_TAGS = {"filterwarnings", "parametrize", "skip", "skipif", "timeout", "usefixtures", "xdist_group", "xfail"}
_WHOLE_GATE = re.compile(r"(\S+?)\s*([<>=]=?\s*\S+)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Declaration(Struct, frozen=True):
    """An entry of the catalogue: one job, or `defaults:` for all."""

    entry: Entry
    settings: dict[str, Any] = field(default_factory=dict)  # fields of the job with their new values
    limits: dict[str, float | None] = field(default_factory=dict)  # by key; None takes a default back
    gates: dict[str, tuple[Gate, ...]] = field(default_factory=dict)  # an empty tuple takes the file's gate away
    parameters: dict[str, Entry] = field(default_factory=dict)
    smoke: dict[str, Entry] = field(default_factory=dict)  # values of parameters for a smoke run
    variables: dict[str, Entry] = field(default_factory=dict)  # the environment variables that hold parameters
    matrix: dict[str, list[Entry]] = field(default_factory=dict)
    seeds: Entry | None = None  # it and `search` are read with the job's parameters, see studies.py
    search: Entry | None = None
    metric: str = ""  # of its study
    options: dict[str, Entry] = field(default_factory=dict)
    """How a script spells a parameter that its source does not declare; null takes a parameter away."""
    wants_output: bool = False  # True if a script takes `--output-dir` although its source does not show it
    script: Entry | None = None
    command: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    card: dict[str, str] = field(default_factory=dict)  # statements by key; an empty one takes a default back
    needs: tuple[Entry, ...] = ()
    mistakes: tuple[str, ...] = ()  # sentences about what could not be read


class Catalogue(Struct, frozen=True):
    """A validated `jobs.yaml`; `apply_catalogue` checks that its jobs exist."""

    file: str  # its path as messages have it
    folder: Path
    training_root: Path
    project_root: Path
    defaults: Declaration
    jobs: dict[str, Declaration] = field(default_factory=dict)
    datasets: tuple[Dataset, ...] = ()
    mistakes: tuple[str, ...] = ()  # of the whole file, but for those of its jobs


Reader = Callable[[Entry], Any]


def _or_none(reader: Reader) -> Reader:
    """Let `null` take a default back."""
    return lambda entry: None if entry.value is None else reader(entry)


def _limit(limit: Limit) -> Callable[[Entry], float | None]:
    def read(entry: Entry) -> float:
        try:
            return float(limit.parse(entry.plain, entry.where))
        except DeclarationError:
            raise
        except Exception as error:  # a limit from outside may raise anything
            raise entry.error(f"limit {limit.key!r} cannot read it: {type(error).__name__}: {error}") from error

    return _or_none(read)


def _duration(entry: Entry) -> float:
    return parse_duration(entry.plain, entry.where)


def _metrics(entry: Entry) -> MetricsFile:
    if not isinstance(entry.value, dict):
        return MetricsFile(file=entry.text("a file name, or a mapping of file and path, or of stdout"))
    entries = entry.mapping(allowed=("file", "path", "stdout"))
    if "stdout" in entries:
        if len(entries) > 1:
            raise entry.expected("either file and path, or stdout")
        _check_pattern(entries["stdout"])
    return MetricsFile(**{key: below.text() for key, below in entries.items()})


def _check_pattern(entry: Entry) -> None:
    expected = "a regular expression with a named group for each metric, like 'AUC (?P<auc>[.0-9]+)'"
    try:
        groups = re.compile(entry.text(expected)).groupindex
    except re.error as error:
        raise entry.error(f"expected {expected}; {error}") from None
    if not groups:
        raise entry.expected(expected)


def read_arguments(entry: Entry) -> tuple[str, ...]:
    """Return a list of arguments for a command line."""
    return tuple(map(_argument, entry.items("a list of arguments, like [--quick, --size, 3]")))


def _option(entry: Entry) -> str:
    text = entry.plain if isinstance(entry.plain, str) else ""
    if len(text.split()) != 1 or not (text.startswith("-") or text.endswith("=")):
        raise entry.expected("an option, like --epochs, or --epochs= or epochs= for one word with the value")
    return text


def _named_option(name: str, entry: Entry) -> Entry:
    if not name.isidentifier():
        raise entry.error("expected the name of a parameter, like learning_rate")
    _or_none(_option)(entry)
    return entry


def _retry_on(entry: Entry, allowed: tuple[str, ...]) -> tuple[str, ...]:
    reasons = [item.text("a reason to try again") for item in entry.items()]
    if wrong := next((reason for reason in reasons if reason not in allowed), None):
        raise entry.error(f"expected some of {', '.join(allowed)}, found {wrong!r}")
    return tuple(reason for reason in allowed if reason in reasons)


def _pattern(entry: Entry) -> str:
    if Path(entry.text("a file")).is_absolute():
        raise entry.expected("a file or pattern relative to the project's root, like configs/*.yaml")
    return entry.text()


def _variable(name: str, entry: Entry) -> Entry:
    if not isinstance(entry.plain, str) or not _VARIABLE.fullmatch(entry.plain):
        raise entry.error(f"expected the name of the environment variable that holds {name}, like MY_TOKEN")
    return entry


def _gates(entry: Entry) -> dict[str, tuple[Gate, ...]]:
    if isinstance(entry.value, str) and (match := _WHOLE_GATE.fullmatch(entry.value)):
        raise entry.error(f"expected a mapping, found {entry.value!r}: did you mean {match[1]}: '{match[2]}'?")
    return entry.each(_gate)


def _gate(metric: str, entry: Entry) -> tuple[Gate, ...]:
    if entry.value is None and (match := _WHOLE_GATE.fullmatch(metric)):
        raise entry.error(f"expected a metric and its gate: did you mean {match[1]}: '{match[2]}'?")
    return () if entry.value is None else parse_gates(metric, entry.plain, entry.where)


def _tag(entry: Entry) -> str:
    tag = entry.text("a word")
    if not tag.isidentifier() or keyword.iskeyword(tag) or tag.startswith("_"):
        raise entry.expected("a word of letters, digits and _ that pytest can use as a mark")
    if tag in _TAKEN_TAGS:
        raise entry.error(f"the mark {tag!r} means something to pytest already: choose another tag")
    return tag


def read_statements(entry: Entry) -> dict[str, str]:
    """Return the statements for a card by their keys; `null` is an empty one."""
    entry.mapping(allowed=statement_keys())
    return entry.each(lambda _, below: "" if below.value is None else below.text("a sentence"))


def read_script(entry: Entry) -> Entry:
    """Return the entry if it is a text."""
    entry.text("the path of a Python file")
    return entry


def _command(entry: Entry) -> tuple[str, ...]:
    what = "a list of a program and its arguments, like [python, tools/export.py]"
    arguments = tuple(map(_argument, entry.items(what)))
    if not arguments or not arguments[0].strip():
        raise entry.expected(what)
    return arguments


def _argument(entry: Entry) -> str:
    value = entry.plain
    if not isinstance(value, str | int | float) or isinstance(value, bool) or "\0" in str(value):
        raise entry.expected("text or a number; put it in quotes")
    return str(value)


def _matrix(entry: Entry) -> dict[str, list[Entry]]:
    if entry.value == {}:
        raise entry.error("expected at least one parameter, found an empty mapping")
    matrix = {name: values.items("a list of values") for name, values in entry.mapping().items()}
    for empty in (entry.value[name] for name, values in matrix.items() if not values):
        raise empty.error("expected at least one value, found an empty list")
    return matrix


Readers = dict[str, tuple[str, Reader]]  # by the catalogue's key: the field and what reads its value


def _settings(limits: Limits) -> Readers:
    """Return the readers of the job's own fields."""
    return {
        "title": ("title", Entry.text),
        "metrics": ("metrics", _metrics),
        **{key: (key, _limit(limit)) for key, limit in limits.items()},
        "cpus": ("cpus", _or_none(lambda entry: entry.whole(minimum=1, maximum=4096))),
        "gpus": ("gpus", lambda entry: entry.whole(minimum=0, maximum=1024)),
        "seed": ("seeded", Entry.flag),
        "cwd": ("cwd", lambda entry: os.path.normpath(entry.text("a folder"))),
        "files": ("reads", lambda entry: tuple(map(_pattern, entry.items("a list of files, like [configs/*.yaml]")))),
        "retries": ("retries", lambda entry: entry.whole(minimum=0, maximum=100)),
        "retry_wait": ("retry_wait_s", _duration),
        "retry_on": ("retry_on", lambda entry: _retry_on(entry, retry_reasons(limits))),
        "optional": ("optional", Entry.flag),
        "expected": ("expected_s", _or_none(_duration)),
        "fresh": ("fresh", lambda entry: f"{entry.where} says so" if entry.flag() else None),
        "arguments": ("arguments", read_arguments),
        "output": ("output", Entry.text),
        "output_option": ("output_option", _or_none(_option)),
    }


_NO_DEFAULTS = {"title", "arguments", "output", "output_option"}
_PARTS: Readers = {
    "options": ("options", lambda entry: entry.each(_named_option)),
    "script": ("script", read_script),
    "command": ("command", _command),
    "parameters": ("parameters", Entry.mapping),
    "smoke": ("smoke", Entry.mapping),
    "secret": ("variables", lambda entry: entry.each(_variable)),
    "matrix": ("matrix", _matrix),
    "seeds": ("seeds", lambda entry: entry),
    "search": ("search", lambda entry: entry),
    "metric": ("metric", lambda entry: entry.text("the name of a metric")),
    "gates": ("gates", _gates),
    "data": ("data", lambda entry: tuple(item.text("the name of a dataset") for item in entry.items())),
    "tags": ("tags", lambda entry: tuple(map(_tag, entry.items()))),
    "card": ("card", read_statements),
    "needs": ("needs", lambda entry: tuple(entry.items())),
}  # the readers of a declaration's other fields


def job_keys(limits: Limits) -> tuple[str, ...]:
    """Return the keys that a job may have."""
    return (*_settings(limits), *_PARTS)


def read_defaults(entry: Entry, limits: Limits) -> Declaration:
    """Return what `defaults:` declares."""
    keys = (key for key in _settings(limits) if key not in _NO_DEFAULTS)
    return read_declaration(entry, (*keys, "parameters", "smoke", "gates", "tags", "card"), limits)


def read_declaration(entry: Entry, allowed: tuple[str, ...], limits: Limits) -> Declaration:
    """Read one job's mapping, or that of `defaults:`, as far as it has no mistakes."""
    mistakes = Mistakes()
    with mistakes:
        entry.mapping(allowed=allowed)
    entries = entry.value if isinstance(entry.value, dict) else {}
    settings, parts = (read_fields(entries, readers, mistakes) for readers in (_settings(limits), _PARTS))
    for key in ("parameters", "smoke"):
        for name in filter(parts.get(key, {}).__contains__, parts.get("matrix", ())):
            with mistakes:
                raise entries["matrix"].value[name].error(f"{name} is under {key} too: leave one")
    if parts.get("script") and parts.get("command"):
        with mistakes:
            raise entry.error("expected either script or command, found both")
    job_limits = {key: settings.pop(key) for key in limits if key in settings}
    return Declaration(entry, settings=settings, limits=job_limits, mistakes=tuple(mistakes.sentences), **parts)


def read_fields(entries: dict[str, Entry], readers: Readers, mistakes: Mistakes) -> dict[str, Any]:
    """Return the fields that the entries set, and note the mistakes of the others."""
    fields: dict[str, Any] = {}
    for key, entry in entries.items():
        if key in readers:
            field_name, read = readers[key]
            with mistakes:
                fields[field_name] = read(entry)
    return fields
