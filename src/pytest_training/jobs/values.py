"""Parameters by name or meaning, and their values from YAML or `--set`, checked against the job's source."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.jobs.catalogue.document import FLOAT, read_document, read_scalar
from pytest_training.jobs.kinds.parameters import identifier
from pytest_training.jobs.kinds.protocol import Kind
from pytest_training.jobs.model import Job, Parameter, Type
from pytest_training.jobs.source.literals import LARGEST_INTEGER, MISSING, storable
from pytest_training.wording import describe, one_of

MINIMUM = {"epochs": 1, "folds": 2}  # least sensible value of the parameters that have a meaning of their own here
_TYPES: dict[Type, tuple[str, Any]] = {
    "int": ("a whole number", int),
    "float": ("a finite number", int | float),
    "str": ("text", str),
    "bool": ("true or false", bool),
    "list": ("a list", list),
    "dict": ("a mapping", dict),
    "any": ("a value that JSON can hold", object),
}
_BOOLEANS = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)
_INTEGER = re.compile(r"[-+]?[0-9]{1,19}")
_LR = "learningrate lr (base|init|initial)(lr|learningrate) lr0 lrate learnrate (max|peak)lr"
_BATCH = "batchsize (train|training|perdevicetrain|mini)batchsize batch bs(z|ize)? trainbs batchsz batchsizetrain"
MEANINGS = {
    "epochs": "epochs (n|nb|num|max|total|numtrain|train|training|numberof)epochs epochs?(num|max|count) "
    "(n|num|max|total|train)?epoch",
    "folds": "folds (n|num|k|cv|numberof)folds (n|num|k)fold (n|num)splits cv",
    "seed": "seed (random|rng|rand|manual|global|train|training)seed randomstate seedeverything seedvalue "
    "(initial|base|torch|np)seed",
    **dict.fromkeys(("batch_size", "batch"), _BATCH),
    **dict.fromkeys(("learning_rate", "lr"), _LR),
}  # by what a user says: patterns of the names that mean it, the most general first, without case and joining signs
_TRAINING = re.compile(r"train|fit|hparam|hyper|optim|solver", re.IGNORECASE)  # parts of a configuration to ask first
_NUMBERS: tuple[Type, ...] = ("int", "float", "str", "any")


def meant(declared: Iterable[Parameter], name: str) -> Parameter | None:
    """Return the parameter of this name, else the one that means the same; None if none does, or several alike."""
    by_name = {each.name: each for each in declared}
    if (exact := re.sub(r"\W", "_", name)) in by_name or name not in MEANINGS:
        return by_name.get(exact)
    ranks = {each.name: rank for each in by_name.values() if (rank := _rank(each, MEANINGS[name]))}
    best = [each for each, rank in ranks.items() if rank == min(ranks.values())]
    return by_name[best[0]] if len(best) == 1 else None


def seed_option(declared: Iterable[Parameter]) -> Parameter | None:
    """Return the option of a script that takes its seed, or None if it has none."""
    return meant((each for each in declared if each.option and not each.flag and each.type in _NUMBERS), "seed")


def _rank(parameter: Parameter, patterns: str) -> tuple[int, int] | None:
    """Return how far a parameter is from the training itself, and from the plain name; None if it means another."""
    *parts, last = (parameter.option or ".".join(parameter.key[1:]) or parameter.name).strip("-+=").split(".")
    plain = re.sub(r"[\W_]", "", last).lower()
    place = next((place for place, pattern in enumerate(patterns.split()) if re.fullmatch(pattern, plain)), None)
    if place is None or parameter.type not in _NUMBERS or parameter.flag:
        return None
    return 2 * len(parts) - any(map(_TRAINING.match, parts)), place


def find_parameter(job: Job, name: str, where: str, kind: Kind | None = None) -> Parameter:
    """Return the parameter of that name or meaning; raise DeclarationError if it is missing or a variable sets it."""
    if (parameter := meant(job.declared, name)) is None:
        if opposite := next((each for each in job.declared if each.off and identifier(each.off) == name), None):
            raise DeclarationError(f"{where}: {job.id} gets {opposite.off} by {opposite.name}=false: set that")
        expected = one_of(name, (each.name for each in job.declared)) if job.declared else "it has none"
        spelled = f"{{{identifier(name)}: --{name}}}"
        hint = f"; if its command line takes it, say so under jobs.{job.id}: options: {spelled}"
        hint = hint if kind and kind.has_options else ""
        raise DeclarationError(f"{where}: {job.id} has no parameter {name!r}: {expected}{hint}")
    if parameter.variable is not None:
        problem = f"{where}: {job.id} takes {name} from the environment variable {parameter.variable}: set that instead"
        raise DeclarationError(problem)
    return parameter


def check_value(parameter: Parameter, value: Any, where: str) -> Any:
    """Return a value from YAML as the parameter takes it, or raise an error."""
    if value is None and parameter.default is None and not parameter.required:
        return None
    value = storable(value)
    if parameter.repeated and isinstance(value, str | int | float):
        value = [value]
    if not _has_type(value, parameter.type):
        text = "a value that JSON cannot hold" if value is MISSING else describe(value)
        hint = "; put it in quotes" if parameter.type == "str" and not isinstance(value, list | dict) else ""
        raise DeclarationError(f"{where}: expected {_TYPES[parameter.type][0]}, found {text}{hint}")
    if parameter.type == "float" and not parameter.key:  # in a configuration file 1 may mean 1 or 1.0
        value = float(value)
    _check_flag(parameter, value, where)
    _check_repeated(parameter, value, where)
    values = value if parameter.type == "list" else [value]
    if parameter.choices is not None and not all(each in parameter.choices for each in values):
        choices = ", ".join(map(str, parameter.choices))
        raise DeclarationError(f"{where}: expected one of {choices}, found {describe(value)}")
    check_minimum(parameter.name, value, where)
    return value


def _check_flag(parameter: Parameter, value: Any, where: str) -> None:
    """Raise an error for a value of a flag that no option of the script leads to."""
    if not parameter.flag or value == parameter.default:
        return
    if parameter.type == "int":
        if value < (parameter.default or 0):
            raise DeclarationError(f"{where}: {parameter.option} only counts up, from {parameter.default or 0}")
        return
    if value and parameter.option == parameter.off:
        raise DeclarationError(f"{where}: {parameter.option} can only switch it off, and nothing can switch it on")
    if not value and parameter.off is None and (parameter.default or parameter.unread):
        default = "its default is true" if parameter.default else "its default is not in the source"
        raise DeclarationError(f"{where}: {parameter.option} can only switch it on, and {default}: leave it out")


def _check_repeated(parameter: Parameter, value: Any, where: str) -> None:
    """Raise an error for values that a repeated option cannot lead to, because the default stays."""
    default = parameter.default if isinstance(parameter.default, list) else []
    if parameter.repeated == "adding" and value[: len(default)] != default:
        raise DeclarationError(f"{where}: {parameter.option} only adds to its default, {default}: begin with that")
    if parameter.repeated and default and not value:
        raise DeclarationError(f"{where}: {parameter.option} cannot be empty: its default is {default}")


def _has_type(value: Any, expected: Type) -> bool:
    if value is MISSING or (value is None and expected != "any"):
        return False
    if isinstance(value, bool):
        return expected in {"bool", "any"}
    return isinstance(value, _TYPES[expected][1])


def check_minimum(name: str, value: Any, where: str) -> None:
    """Raise an error for fewer than one epoch or two folds."""
    number = int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else value
    if (least := MINIMUM.get(name)) is not None and isinstance(number, int | float) and number < least:
        raise DeclarationError(f"{where}: expected a whole number of at least {least}, found {value}")


def convert_text(parameter: Parameter, text: str, where: str, kind: Kind) -> Any:
    """Return the value that a text stands for; an option without a type gets the text itself."""
    if text.lower() in {"none", "null"} and parameter.default is None and not parameter.required:
        return None
    is_one = parameter.repeated and not text.lstrip().startswith("[")
    expected = "int" if parameter.key and parameter.type == "float" and _INTEGER.fullmatch(text) else parameter.type
    value = [text] if is_one else _converted(expected, text, where, kind)
    if value is MISSING:
        raise DeclarationError(f"{where}: expected {_TYPES[parameter.type][0]}, found {describe(text)}")
    if parameter.choices is not None and value not in parameter.choices:
        value = next((choice for choice in parameter.choices if str(choice) == text), value)
    return check_value(parameter, value, where)


def _converted(expected: Type, text: str, where: str, kind: Kind) -> Any:
    if expected == "str" or (expected == "any" and kind.has_options):
        return text
    plain = text.strip()  # of more than what int and float leave out: not of "\x1f"
    if expected == "bool":
        return _BOOLEANS.get(plain.lower(), MISSING)
    if expected == "int":
        return int(plain) if _INTEGER.fullmatch(plain) and abs(int(plain)) < LARGEST_INTEGER else MISSING
    if expected == "float":
        return float(plain) if FLOAT.fullmatch(plain) else MISSING
    if expected == "any" and not text.lstrip().startswith(("[", "{")):
        return read_scalar(text)
    return read_document(text, where).plain


def with_value(job: Job, name: str, value: Any, kind: Kind) -> Job:
    """Return the job with a parameter set; None leaves an option out, and another configuration file its old values."""
    given = tuple(other for other in job.given if other != name)
    given += () if value is None and kind.has_options else (name,)
    stale = {each.name for each in job.declared if each.key[:1] == (name,) and value != job.parameters.get(name)}
    values = {other: old for other, old in job.parameters.items() if other not in stale or other in given}
    return msgspec.structs.replace(job, parameters={**values, name: value}, given=given)
