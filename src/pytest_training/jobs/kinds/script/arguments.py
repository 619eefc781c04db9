"""A script's arguments, a list and never a shell string; copies of configuration files that they name; Hydra's keys."""

import contextlib
import functools
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.jobs.catalogue.document import read_file
from pytest_training.jobs.kinds.parameters import Code, Declaration, OptionCall, identifier, output_place
from pytest_training.jobs.model import Job, Parameter
from pytest_training.jobs.source.literals import MISSING, last_name, storable, type_of
from pytest_training.jobs.source.paths import known_path

_NUMBER = re.compile(r"-\d+|-\d*\.\d+")  # a word that argparse parses as a number, not as an option
_PLAIN = re.compile(r"[\w/.+%*@?|:-]+|\$\{.*", re.ASCII)  # a text that `key=value` takes without quotes
MOST_KEYS = 500
LARGEST_FILE = 2**18
SUFFIXES = (".yaml", ".yml", ".json")
_CONFIGURATION = re.compile(r"conf|cfg|ya?ml|param|hyp|setting|^opts?$|default", re.IGNORECASE)
DEEPEST = 6
_PACKAGE = re.compile(r"^#\s*@package\s+(\S+)", re.MULTILINE)


def script_arguments(job: Job, *, folder: str, seed: int) -> list[str]:
    """Return a script's `sys.argv` without its name; options of a subcommand stand after its name."""
    selector = next((job.parameters.get(parameter.name) for parameter in job.declared if parameter.selects), None)
    places = _output(job, folder)
    pairs = [*_given(job, folder), *places]
    if any(parameter.option is None for parameter, _ in places):  # positionals stand in the order of the source
        pairs.sort(key=lambda pair: (*job.declared, pair[0]).index(pair[0]))
    raw = fill(job.arguments, job, folder=folder, seed=seed)
    before = [(parameter, value) for parameter, value in pairs if not parameter.subcommands]
    if selector is None:
        return _ordered(before, raw)
    behind = [(parameter, value) for parameter, value in pairs if {selector, "*"} & {*parameter.subcommands}]
    # A list would take the subcommand for one more value: it stands before the others, and those have an end.
    before.sort(key=lambda pair: not isinstance(pair[1], list | tuple))
    return [*(word for pair in before for word in _ordered([pair])), to_text(selector), *_ordered(behind, raw)]


def _given(job: Job, folder: str) -> Iterator[tuple[Parameter, Any]]:
    """Yield what the command line says, with the copy of a configuration file that other values were set in."""
    copies = changed_files(job)
    for parameter in job.declared:
        if parameter.name in copies:
            yield parameter, f"{folder}/{copies[parameter.name]}"
        elif parameter.name in job.given and not parameter.selects and (parameter.option or not parameter.key):
            yield parameter, job.parameters[parameter.name]


def _output(job: Job, folder: str) -> list[tuple[Parameter, Any]]:
    """Return the parameters for output with their values, also the one that the catalogue alone knows of."""
    values = outputs(job, folder)
    pairs: list[tuple[Parameter, Any]] = [(each, values[each.name]) for each in job.declared if each.name in values]
    if job.output_option and all(job.output_option not in {each.option, each.name} for each in job.declared):
        pairs.append((Parameter(name="output", type="str", option=job.output_option), folder))
    return pairs


def outputs(job: Job, folder: str) -> dict[str, Any]:
    """Return the values of a script's parameters for output, by name, but for those that the user has set."""
    typed = {argument.partition("=")[0] for argument in job.arguments}
    places = {
        each.name: output_place(each, folder) or (folder if each.option == job.output_option else None)
        for each in job.declared
        if job.output_option is not None and each.name not in job.given and (each.option or "").rstrip("=") not in typed
    }
    return {name: place for name, place in places.items() if place is not None}


def fill(arguments: Iterable[str], job: Job, *, folder: str, seed: int) -> tuple[str, ...]:
    """Return arguments with the job's folder, seed and parameters in place of `{folder}`, `{seed}` and `{name}`."""
    values = {name: to_text(value) for name, value in job.parameters.items()} | {"folder": folder, "seed": str(seed)}
    # In one pass: a value that itself contains `{folder}` does not change.
    place = re.compile("|".join(rf"\{{({re.escape(name)})\}}" for name in values))
    return tuple(place.sub(lambda match: values[match[0][1:-1]], argument) for argument in arguments)


def _ordered(pairs: Iterable[tuple[Parameter, Any]], arguments: tuple[str, ...] = ()) -> list[str]:
    """Return the parameters in the source's order, then the arguments that are passed on as they stand.

    An option with several words has no end: it stands last. A positional that looks like an option stands behind `--`.
    """
    words: list[str] = []
    lists: list[str] = []
    hidden: list[str] = []
    for parameter, value in pairs:
        if parameter.option is None:
            texts = [_text(parameter, each) for each in (value if isinstance(value, list | tuple) else [value])]
            (hidden if any(map(_looks_like_option, texts)) else words).extend(texts)
        elif parameter.repeated and isinstance(value, list | tuple):
            added = value[len(parameter.default or []) if parameter.repeated == "adding" else 0 :]
            words += (word for each in added for word in _option(parameter, parameter.option, each))
        elif isinstance(value, list | tuple) and not parameter.option.endswith("="):
            lists += [parameter.option, *map(to_text, value)]
        else:
            words += _option(parameter, parameter.option, value)
    return [*words, *arguments, *lists, *(["--", *hidden] if hidden else [])]


def _option(parameter: Parameter, option: str, value: Any) -> list[str]:
    if parameter.flag and parameter.type == "int":
        return [option] * (value - (parameter.default or 0))
    if parameter.flag:
        switches_on = option if option != parameter.off and value != parameter.default else None
        return list(filter(None, [switches_on if value else parameter.off]))
    text = _text(parameter, value)
    if option.endswith("="):
        is_plain = option.startswith("-") or parameter.type != "str" or _PLAIN.fullmatch(text)
        return [option + (text if is_plain else _quoted(text))]
    if text.startswith(("-", "+", "@")) and option.startswith("--"):  # a parser may know `-1` or `@file`
        return [f"{option}={text}"]
    return [option, text]


def _text(parameter: Parameter, value: Any) -> str:
    return parameter.off if value is False and parameter.off is not None else to_text(value)


def _quoted(text: str) -> str:
    r"""Return a text as Hydra unquotes it: backslashes before a quote are doubled."""
    return "'" + re.sub(r"\\+(?='|\Z)", r"\g<0>\g<0>", text).replace("'", r"\'") + "'"


def _looks_like_option(text: str) -> bool:
    return len(text) > 1 and text.startswith("-") and not _NUMBER.fullmatch(text)


def to_text(value: Any) -> str:
    """Return a value as an argument: a mapping as JSON, anything else as Python prints it."""
    return json.dumps(value) if isinstance(value, dict) else str(value)


def file_options(declared: Iterable[Declaration], folders: Iterable[Path]) -> Iterator[Declaration]:
    """Yield the values of each configuration file that is the default of a parameter."""
    folders = list(folders)
    for parameter, default in declared:
        if isinstance(default, str) and _CONFIGURATION.search(parameter.name):
            values = leaves(read_mapping(_path(default, folders)))
            for keys, value in itertools.islice(values, MOST_KEYS):
                yield keyed((parameter.name, *keys), value)


def changed_files(job: Job) -> dict[str, str]:
    """Return, by the parameter that names a configuration file, the name of the copy that the job gets."""
    names = {each.key[0] for each in _set_there(job)}
    return {name: name + Path(str(job.parameters.get(name))).suffix for name in names}


def file_copies(job: Job) -> dict[str, str]:
    """Return the texts of the configuration files that the job gets, by name."""
    return {copy: _with_values(job, name) for name, copy in changed_files(job).items()}


def _set_there(job: Job) -> list[Parameter]:
    return [each for each in job.declared if each.key and each.option is None and each.name in job.given]


def keyed(key: tuple[str, ...], value: Any, option: str | None = None) -> Declaration:
    """Return the parameter of a value in a configuration file."""
    kind = "any" if value is None else "float" if type(value) is int else type_of(value)
    name = identifier(option or ".".join(key[1:]))
    return Parameter(name=name, type=kind, default=value, option=option, key=key), value


def read_mapping(path: Path | None) -> Mapping[str, Any]:
    """Return the mapping in a YAML or JSON file; an empty one if the file cannot be read."""
    with contextlib.suppress(DeclarationError):
        content = read_file(path, path.name).plain if path and path.is_file() else None
        return content if isinstance(content, dict) else {}
    return {}


def leaves(mapping: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the keys and the value of everything in a mapping that is no mapping."""
    for name, value in mapping.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*above, name))
        elif storable(value) is not MISSING:
            yield (*above, name), storable(value)


def _path(name: str, folders: Iterable[Path]) -> Path | None:
    paths = (folder / name for folder in folders if name.endswith(SUFFIXES) and "\0" not in name)
    return next((path for path in paths if path.is_file() and path.stat().st_size <= LARGEST_FILE), None)


def _with_values(job: Job, name: str) -> str:
    """Return the text of a configuration file with the job's values in it."""
    import yaml  # noqa: PLC0415  (most scripts have no configuration file)

    path = _path(str(job.parameters[name]), [job.workplace, Path(job.root), Path(job.path or "").parent])
    content = yaml.safe_load(path.read_bytes()) if path else None
    if path is None or not isinstance(content, dict):
        raise DeclarationError(f"{job.parameters[name]}: expected a YAML or JSON file with a mapping to set values in")
    for parameter in (each for each in _set_there(job) if each.key[0] == name):
        if parameter.variable:
            raise DeclarationError(f"{parameter.name} is secret: it cannot be written into a copy of {name}")
        *above, last = parameter.key[1:]
        functools.reduce(lambda place, key: place.setdefault(key, {}), above, content)[last] = job.parameters[
            parameter.name
        ]
    return json.dumps(content) if path.suffix == ".json" else str(yaml.safe_dump(content, sort_keys=False))


def hydra_options(codes: Sequence[Code]) -> Iterator[Declaration]:
    """Yield what the configuration of each `@hydra.main(…)` declares, and the folder of its output."""
    for code in codes:
        for call in OptionCall.all([code]):
            if last_name(call.node.func) == "main" and call.keyword("config_name"):
                yield Parameter(name="hydra_run_dir", type="str", option="hydra.run.dir="), MISSING
                stated = call.keyword("config_path") or next(iter(call.node.args), None)
                name = code.constants.literal(call.keyword("config_name"))
                folder = code.path.parent / known_path(stated, code.constants)
                part = _Part("", str(name).removesuffix(".yaml"))
                chosen = [*_options(folder, part)]
                names = {parameter.name for parameter, _ in chosen}
                valued = {parameter.name for parameter, default in chosen if default is not MISSING}
                # Hydra keeps a value that another file gives for `???`.
                yield from (each for each in chosen if not (each[0].required and each[0].name in valued))
                for parameter, _ in _options(folder, part, others=True):  # keys of what another choice would bring
                    if parameter.name not in names:
                        yield replace(parameter, default=None, required=False), MISSING


class _Part(NamedTuple):
    """A file of the configuration: its group, its name there, and the package that its keys stand in."""

    group: str
    name: str
    package: str = ""
    chooser: str = ""  # the parameter that chooses it


def _options(folder: Path, part: _Part, depth: int = 0, *, others: bool = False) -> Iterator[Declaration]:
    """Yield the keys of a file and of those that its defaults list names, or could name too."""
    path = folder / part.group / f"{part.name}.yaml"
    content = dict(read_mapping(path if depth < DEEPEST else None))
    listed = content.pop("defaults", None)
    stated = _PACKAGE.search(path.read_text(encoding="utf-8", errors="replace")) if content else None
    package = stated[1].replace("_global_", "") if stated else part.package
    for keys, value in leaves(content):
        if keys[0] != "hydra":
            yield _key(".".join(filter(None, (package, *keys))), value, part.chooser)
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, str) and entry != "_self_":
            yield from _options(folder, part._replace(name=entry), depth + 1)
        for name, choice in entry.items() if isinstance(entry, dict) else ():
            word, _, package = name.rpartition(" ")[2].partition("@")
            group = word.strip("/") if word.startswith("/") or not part.group else f"{part.group}/{word}"
            if group.partition("/")[0] != "hydra" and not isinstance(choice, list | dict):
                option = f"{group}@{package}" if package else group
                yield Parameter(name=identifier(option), type="str", default=choice, option=f"{option}="), choice
                package = package.replace("_global_", "") if package else group.replace("/", ".")
                more = [file.stem for file in sorted((folder / group).glob("*.yaml"))] if others else []
                for each in dict.fromkeys((choice, *more)):
                    yield from _options(folder, _Part(group, str(each), package, identifier(option)), depth + 1)


def _key(name: str, value: Any, chooser: str) -> Declaration:
    parameter, _ = keyed((chooser, name), value, f"{name}=")
    if value == "???":
        return replace(parameter, type="any", default=None, required=True), MISSING
    return (replace(parameter, type="any") if isinstance(value, str) and "${" in value else parameter), value
