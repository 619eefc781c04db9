"""`matrix:`, `seeds:`, `search:` and `metric:` of a job in `jobs.yaml`: the trials in which it is trained."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from pytest_training.errors import DeclarationError, Mistakes
from pytest_training.jobs.catalogue.declarations import Declaration, Readers, read_fields
from pytest_training.jobs.catalogue.document import Entry
from pytest_training.jobs.directions import direction
from pytest_training.jobs.kinds.protocol import Kind
from pytest_training.jobs.model import Job, Parameter, Search, Space, Study
from pytest_training.jobs.trials import MOST_TRIALS, check_distinct, checked
from pytest_training.jobs.values import check_value, find_parameter
from pytest_training.units import parse_duration
from pytest_training.wording import one_of

LARGEST_SEED = 10**18 - 1
SEEDS = "a number of seeds or a list of seeds, like 5 or [0, 3, 7]"
SEARCH = "{trials: 60, parameters: {lr: {low: 0.001, high: 0.1}}}"
EMPTY: tuple[Any, ...] = (None, {}, [])
SPACE = "a list of values, not empty, or a mapping of low and high"
NAMES = {"sampler": ("tpe", "random", "grid"), "pruner": ("none", "median", "asha", "hyperband")}
READERS: Readers = {
    "trials": ("trials", lambda entry: entry.whole(minimum=1, maximum=MOST_TRIALS)),
    "time": ("time_s", lambda entry: parse_duration(entry.plain, entry.where)),
    "sampler": ("sampler", lambda entry: _named(entry, NAMES["sampler"])),
    "pruner": ("pruner", lambda entry: _named(entry, NAMES["pruner"]).removeprefix("none")),
}


def with_study(job: Job, declaration: Declaration, kind: Kind) -> Job:
    """Return the job with the study that its entry declares; raise DeclarationError with all mistakes."""
    if not (declaration.matrix or declaration.seeds or declaration.search or declaration.metric):
        return job
    study, mistakes = Study(metric=declaration.metric, place=declaration.entry.where), Mistakes()
    with mistakes:
        study = replace(study, matrix=_matrix(job, declaration.matrix, kind))
    with mistakes:
        if declaration.seeds:
            seeds = read_seeds(declaration.seeds.plain, declaration.seeds.where)
            study = replace(study, seeds=seeds.seeds, seed_count=seeds.seed_count)
    with mistakes:
        if declaration.search:
            study = _searching(job, study, declaration, kind)
    mistakes.check()
    return checked(job, study, study.place)


def read_seeds(value: Any, where: str) -> Study:
    """Return a study of these seeds, or of so many; raise DeclarationError for another value."""
    if type(value) is int and 1 <= value <= MOST_TRIALS:
        return Study(seed_count=value)
    seeds: list[Any] = value if isinstance(value, list) and value else [None]
    if not all(type(seed) is int and 0 <= seed <= LARGEST_SEED for seed in seeds):
        raise DeclarationError(f"{where}: expected {SEEDS}, found {value!r}")
    check_distinct("seed", seeds, where)
    return Study(seeds=tuple(seeds))


def searched(entry: Entry | None) -> dict[str, list[Any]]:
    """Return values of the parameters that a search sets, which show their types, also of one with mistakes."""
    spaces = entry.plain.get("parameters") if entry and isinstance(entry.plain, dict) else None
    values = {
        name: list(space.values()) if isinstance(space, dict) else space for name, space in (spaces or {}).items()
    }
    return {name: several if isinstance(several, list) and several else [None] for name, several in values.items()}


def _matrix(job: Job, matrix: Mapping[str, list[Entry]], kind: Kind) -> dict[str, tuple[Any, ...]]:
    """Return the checked values by the names that the job's source has."""
    values, mistakes = dict[str, tuple[Any, ...]](), Mistakes()
    for name, entries in matrix.items():
        with mistakes:
            parameter = find_parameter(job, name, entries[0].where, kind)
            if parameter.name in values:
                raise entries[0].error(f"{name} is {parameter.name}, which the matrix has too: leave one")
            several = [check_value(parameter, entry.plain, entry.where) for entry in entries]
            check_distinct(parameter.name, several, entries[0].where.removesuffix("[0]"))
            values[parameter.name] = tuple(several)
    mistakes.check()
    return values


def _searching(job: Job, study: Study, declaration: Declaration, kind: Kind) -> Study:
    entry, mistakes = declaration.search or declaration.entry, Mistakes()
    entries = entry.mapping(allowed=(*READERS, "metric", "parameters"))
    lacking = [key for key in ("trials", "parameters") if key not in entries or entries[key].value in EMPTY]
    if missing := next(iter(lacking), None):
        raise entry.error(f"expected {missing}:, like {SEARCH}")
    fields, spaces = read_fields(entries, READERS, mistakes), dict[str, Space]()
    for name, below in entries["parameters"].mapping().items():
        with mistakes:
            if name in declaration.parameters:
                raise below.error(f"{name} is under parameters too: leave one")
            parameter = find_parameter(job, name, below.where, kind)
            spaces[parameter.name] = space = _space(parameter, below)
            if fields.get("sampler") == "grid" and not (space.choices or space.step or type(space.low) is int):
                raise below.error("sampler grid needs a step here, or a list of values")
    with mistakes:
        most = math.prod(len(space.grid) for space in spaces.values())
        if fields.get("sampler") == "grid" and not mistakes.sentences and fields["trials"] > most:
            raise entries["trials"].error(f"expected at most {most}, the size of the grid, found {fields['trials']}")
    gated = next((gate.metric for gate in job.gates), "")
    with mistakes:
        metric = entries["metric"].text("the name of a metric") if "metric" in entries else study.metric or gated
        if direction(metric, job.gates) is None:
            what = (
                f"neither a gate nor the name of {metric!r} says whether more is better"
                if metric
                else "no gate has one"
            )
            raise entry.error(f"expected metric:, by which the best trial is chosen: {what}")
        study = replace(study, metric=metric)
    mistakes.check()
    return replace(study, search=Search(parameters=spaces, **fields))


def _named(entry: Entry, names: Sequence[str]) -> str:
    if entry.plain not in names:
        raise entry.error(f"no such name {entry.plain!r}: {one_of(str(entry.plain), names)}")
    return str(entry.plain)


def _space(parameter: Parameter, entry: Entry) -> Space:
    """Return the values that a search may give a parameter."""
    if isinstance(entry.value, list) and entry.value:
        choices = tuple(check_value(parameter, each.plain, each.where) for each in entry.value)
        if len({*map(repr, choices)}) < len(choices):
            raise entry.error("a value stands there twice: leave one")
        return Space(choices=choices)
    entries = entry.mapping(allowed=("low", "high", "step", "log")) if isinstance(entry.value, dict) else {}
    if lacking := " and ".join(key for key in ("low", "high") if key not in entries):
        raise entry.error(f"expected {lacking} too: a range has low and high") if entries else entry.expected(SPACE)
    ends = {key: check_value(parameter, entries[key].plain, entries[key].where) for key in entries if key != "log"}
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends.values()):
        raise entry.error(f"{parameter.name} takes no numbers: expected a list of values")
    low, high, step, is_log = ends["low"], ends["high"], ends.get("step"), "log" in entries and entries["log"].flag()
    if low >= high:
        raise entry.error(f"expected low below high, found {low:g} and {high:g}")
    if is_log and (low <= 0 or step):
        raise entry.error("log: expected low above 0, and no step")
    if step is not None and not 0 < step <= high - low:
        raise entry.error(f"expected a step above 0 and at most {high - low:g}, found {step:g}")
    return Space(low=low, high=high, step=step, log=is_log)
