"""A script's arguments: its parameters as its own command line takes them, a list and never a shell string."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from pytest_training.jobs.kinds.parameters import output_place
from pytest_training.jobs.kinds.script.files import changed_files
from pytest_training.jobs.model import Job, Parameter

_NUMBER = re.compile(r"-\d+|-\d*\.\d+")  # a word that argparse parses as a number, not as an option
_PLAIN = re.compile(r"[\w/.+%*@?|:-]+|\$\{.*", re.ASCII)  # a text that `key=value` takes without quotes


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
    if _looks_like_option(text) and option.startswith("--"):
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
