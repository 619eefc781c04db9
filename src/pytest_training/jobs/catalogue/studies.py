"""`matrix:`, `seeds:`, `search:` and `metric:` of a job in `jobs.yaml`: in which trials it is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pytest_training.errors import DeclarationError, Mistakes
from pytest_training.jobs.catalogue.document import Entry
from pytest_training.jobs.directions import direction
from pytest_training.jobs.kinds.protocol import Kind
from pytest_training.jobs.model import Job, Parameter, Search, Space, Study
from pytest_training.jobs.trials import MOST_TRIALS, in_id
from pytest_training.jobs.values import check_value, find_parameter, meant
from pytest_training.units import parse_duration
from pytest_training.wording import one_of

if TYPE_CHECKING:
    from pytest_training.jobs.catalogue.declarations import Declaration

LARGEST_MATRIX = 1000
MOST_SEEDS = 1000
LARGEST_SEED = 10**18 - 1
SAMPLERS = ("tpe", "random", "grid", "cmaes")
PRUNERS = ("none", "median", "asha", "hyperband")
SEEDS = "a number of seeds or a list of seeds, like 5 or [0, 3, 7]"
SPACE = "a list of values, or a mapping of low and high"
_NUMBERS = ("int", "float", "any")


def read_matrix(entry: Entry) -> dict[str, list[Entry]]:
    """Return the values of each parameter."""
    matrix = {name: values.items("a list of values") for name, values in entry.mapping().items()}
    for empty in (entry.value[name] for name, values in matrix.items() if not values):
        raise empty.error("expected at least one value, found an empty list")
    if (jobs := math.prod(map(len, matrix.values()))) > LARGEST_MATRIX:
        raise entry.error(f"expected at most {LARGEST_MATRIX} combinations, found {jobs} or more")
    return matrix


def checked_seeds(entry: Entry) -> Entry:
    """Return the entry if it is a number or a list of seeds."""
    read_seeds(entry.plain, entry.where)
    return entry


def read_seeds(value: Any, where: str) -> Study:
    """Return a study of these seeds, or of so many; raise DeclarationError if they are none."""
    if type(value) is int and 1 <= value <= MOST_SEEDS:
        return Study(seed_count=value)
    seeds: list[Any] = value if isinstance(value, list) and 0 < len(value) <= MOST_SEEDS else [None]
    if not all(type(seed) is int and 0 <= seed <= LARGEST_SEED for seed in seeds):
        raise DeclarationError(f"{where}: expected {SEEDS} (at most {MOST_SEEDS}), found {value!r}")
    for seed in (seed for place, seed in enumerate(seeds) if seed in seeds[:place]):
        raise DeclarationError(f"{where}: the seed {seed} stands there twice: leave one")
    return Study(seeds=tuple(seeds))


def checked_search(entry: Entry) -> Entry:
    """Return the entry if all that it says of a search can be true, apart from the job's parameters."""
    entries = entry.mapping(allowed=("trials", "metric", "parameters", "sampler", "pruner", "time"))
    mistakes = Mistakes()
    readers: dict[str, Callable[[Entry], object]] = {"trials": _trials, "metric": Entry.text, "time": _seconds}
    readers |= {"sampler": _sampler, "pruner": _pruner}
    for key, below in entries.items():
        with mistakes:
            readers.get(key, Entry.mapping)(below)
    for key in ("trials", "parameters"):
        with mistakes:
            if not (key in entries and entries[key].value):
                raise entry.error(
                    f"expected {key}:, like {{trials: 60, parameters: {{lr: {{low: 0.001, high: 0.1}}}}}}"
                )
    mistakes.check()
    return entry


def _trials(entry: Entry) -> int:
    return entry.whole(minimum=1, maximum=MOST_TRIALS)


def _seconds(entry: Entry) -> float:
    return parse_duration(entry.plain, entry.where)


def _sampler(entry: Entry) -> str:
    return _named(entry, SAMPLERS)


def _pruner(entry: Entry) -> str:
    return _named(entry, PRUNERS)


def _named(entry: Entry, names: Sequence[str]) -> str:
    if entry.plain not in names:
        raise entry.error(f"found {entry.plain!r}: {one_of(str(entry.plain), names)}")
    return entry.text()


def searched(entry: Entry | None) -> Mapping[str, Entry]:
    """Return the entries of the parameters that a checked `search:` sets, by name."""
    return entry.value["parameters"].value if entry else {}


def values_of(space: Entry) -> list[Any]:
    """Return values that show the type of a parameter, which a command's source does not."""
    ends = space.value if isinstance(space.value, dict) else {}
    below = space.value if isinstance(space.value, list) else [ends[key] for key in ("low", "high") if key in ends]
    return [each.plain for each in below] or [None]


def with_study(job: Job, declared: Declaration, kind: Kind) -> Job:
    """Return the job with the study that its entry declares; raise DeclarationError with all mistakes."""
    parts = {key: each for key in ("matrix", "seeds", "search") if (each := getattr(declared, key))}
    if not parts and not declared.metric:
        return job
    if "search" in parts and len(parts) > 1:
        raise declared.entry.error(f"expected either search or {' and '.join(key for key in parts if key != 'search')}")
    study = Study(metric=declared.metric, place=declared.entry.where)
    if declared.matrix:
        study = replace(study, matrix=_matrix_values(job, declared.matrix, kind))
    if declared.seeds:
        seeds = read_seeds(declared.seeds.plain, declared.seeds.where)
        study = replace(study, seeds=seeds.seeds, seed_count=seeds.seed_count)
        if why := no_seeds(job, study):
            raise declared.seeds.error(why)
    if declared.search:
        study = _with_search(job, study, declared.search, kind)
    if study.size > MOST_TRIALS:
        raise declared.entry.error(f"expected at most {MOST_TRIALS} trials, found {study.size}")
    return replace(job, study=study)


def no_seeds(job: Job, study: Study) -> str:
    """Return why seeds would change nothing in a job, or an empty text if they may."""
    if study.search:
        return "a search has one seed for all its trials"
    if not job.seeded:
        return "`seed: false` leaves its seed to the job"
    option = meant(job.declared, "seed")
    if option and option.name in (*job.given, *study.matrix):
        return f"{option.name} is set to a value of its own: leave one"
    return ""


def _matrix_values(job: Job, matrix: Mapping[str, list[Entry]], kind: Kind) -> dict[str, tuple[Any, ...]]:
    """Return the checked values by the names that the job's source has."""
    values, mistakes = dict[str, tuple[Any, ...]](), Mistakes()
    for name, entries in matrix.items():
        with mistakes:
            parameter = find_parameter(job, name, entries[0].where, kind)
            if parameter.name in values:
                raise entries[0].error(f"{name} is {parameter.name}, which the matrix has too: leave one")
            several = [check_value(parameter, entry.plain, entry.where) for entry in entries]
            check_distinct(parameter.name, several, entries[0].where)
            values[parameter.name] = tuple(several)
    mistakes.check()
    return values


def check_distinct(name: str, values: Sequence[Any], where: str) -> None:
    """Raise DeclarationError if the ids of two trials would be one."""
    texts = [in_id(value) for value in values]
    for text in (text for place, text in enumerate(texts) if text in texts[:place]):
        raise DeclarationError(f"{where}: two trials would be called '{name}-{text}': leave one of the values")


def _with_search(job: Job, study: Study, entry: Entry, kind: Kind) -> Study:
    entries, spaces, mistakes = entry.value, dict[str, Space](), Mistakes()
    for name, below in entries["parameters"].value.items():
        with mistakes:
            parameter = find_parameter(job, name, below.where, kind)
            spaces[parameter.name] = _space(parameter, below)
    metric = entries["metric"].plain if "metric" in entries else study.metric or next(iter(_gated(job)), "")
    with mistakes:
        if not metric:
            raise entry.error("expected metric:, by which the best trial is chosen: the job has no gate")
        if direction(metric, job.gates) is None:
            raise entry.error(
                f"metric {metric!r}: neither a gate nor its name says whether more is better: add a gate, "
                f"like {metric}: '> 0'"
            )
    mistakes.check()
    search = Search(
        trials=entries["trials"].plain,
        parameters=spaces,
        sampler=entries["sampler"].plain if "sampler" in entries else "tpe",
        pruner=entries["pruner"].plain.removeprefix("none") if "pruner" in entries else "",
        time_s=_seconds(entries["time"]) if "time" in entries else None,
    )
    return replace(study, metric=metric, search=search)


def _gated(job: Job) -> list[str]:
    return [gate.metric for gate in job.gates]


def _space(parameter: Parameter, entry: Entry) -> Space:
    """Return the values that a search may give a parameter."""
    if isinstance(entry.value, list) and entry.value:
        values = [check_value(parameter, each.plain, each.where) for each in entry.value]
        return Space(choices=tuple(values))
    if not isinstance(entry.value, dict):
        raise entry.expected(SPACE)
    entries = entry.mapping(allowed=("low", "high", "step", "log"))
    if missing := next((key for key in ("low", "high") if key not in entries), None):
        raise entry.error(f"expected {SPACE}, found no {missing}")
    if parameter.type not in _NUMBERS:
        raise entry.error(f"{parameter.name} takes no numbers: expected a list of values")
    low, high, step = (_bound(parameter, entries[key]) if key in entries else None for key in ("low", "high", "step"))
    is_log = "log" in entries and entries["log"].flag()
    if low is None or high is None or low >= high:
        raise entry.error(f"expected low below high, found {low:g} and {high:g}")
    if is_log and (low <= 0 or step):
        raise entry.error("log: expected low above 0, and no step")
    if step is not None and not 0 < step <= high - low:
        raise entries["step"].error(f"expected a step above 0 and at most {high - low:g}, found {step:g}")
    return Space(low=low, high=high, step=step, log=is_log)


def _bound(parameter: Parameter, entry: Entry) -> float:
    value = check_value(parameter, entry.plain, entry.where)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise entry.expected("a number")
    return value
