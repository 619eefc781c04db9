"""Which names of parameters mean the same: `--epochs 2` reaches `num_train_epochs` and `trainer.max_epochs`."""

import re
from collections.abc import Iterable

from pytest_training.jobs.model import Parameter, Type

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
