"""Which names of parameters mean the same: `--epochs 2` reaches `num_train_epochs` and `trainer.max_epochs`."""

import re
from collections.abc import Iterable

from pytest_training.jobs.model import Parameter, Type

MEANINGS: dict[str, tuple[str, ...]] = {
    "epochs": (
        *("epochs", "numepochs", "nepochs", "maxepochs", "numtrainepochs", "trainepochs", "trainingepochs"),
        *("totalepochs", "nbepochs", "numberofepochs", "epochsnum", "epochnum", "numepoch", "nepoch", "maxepoch"),
        *("totalepoch", "trainepoch", "epochcount", "epochmax", "epoch"),
    ),
    "folds": (
        *("folds", "nfolds", "numfolds", "kfolds", "kfold", "cvfolds", "nsplits", "numsplits", "nfold", "numfold"),
        *("numberoffolds", "cv"),
    ),
    "seed": (
        *("seed", "randomseed", "randomstate", "rngseed", "randseed", "manualseed", "globalseed", "seedeverything"),
        *("seedvalue", "initialseed", "baseseed", "trainseed", "trainingseed", "torchseed", "npseed"),
    ),
    "batch_size": (
        *("batchsize", "trainbatchsize", "perdevicetrainbatchsize", "trainingbatchsize", "batch", "bs", "bsz"),
        *("batchsz", "trainbs", "minibatchsize", "batchsizetrain"),
    ),
    "learning_rate": (
        *("learningrate", "lr", "baselr", "initlr", "initiallr", "lr0", "baselearningrate", "initiallearningrate"),
        *("lrate", "learnrate", "maxlr", "peaklr"),
    ),
}
"""Names of a meaning, the most general first, without case and without what joins their words."""
MEANINGS |= {"batch": MEANINGS["batch_size"], "lr": MEANINGS["learning_rate"]}
_TRAINING = {"train", "training", "trainer", "fit", "hparams", "hyperparameters", "optim", "optimizer", "solver"}
"""Parts of a configuration that are asked first where several have a parameter of one meaning."""
_NUMBERS: tuple[Type, ...] = ("int", "float", "str", "any")


def meant(declared: Iterable[Parameter], name: str) -> Parameter | None:
    """Return the parameter of this name, else the one that means the same; None if none does, or several alike."""
    declared = list(declared)
    exact = re.sub(r"\W", "_", name)
    if own := next((each for each in declared if each.name == exact), None):
        return own
    names = MEANINGS.get(name, ())
    several = [each for each in declared if names and _last(each) in names and each.type in _NUMBERS and not each.flag]
    ranks = [(_distance(each), names.index(_last(each))) for each in several]
    best = [each for each, rank in zip(several, ranks, strict=True) if rank == min(ranks)]
    return best[0] if len(best) == 1 else None


def seed_option(declared: Iterable[Parameter]) -> Parameter | None:
    """Return the option of a script that takes its seed, or None if it has none."""
    return meant((each for each in declared if each.option and not each.flag and each.type in _NUMBERS), "seed")


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _path(parameter: Parameter) -> list[str]:
    return (parameter.option or ".".join(parameter.key[1:]) or parameter.name).strip("-+=").split(".")


def _last(parameter: Parameter) -> str:
    return _plain(_path(parameter)[-1])


def _distance(parameter: Parameter) -> int:
    """Return how far from the training's own settings a parameter stands: 0 for those that stand in no part."""
    parts = _path(parameter)[:-1]
    return 2 * len(parts) - any(part.lower() in _TRAINING for part in parts)
