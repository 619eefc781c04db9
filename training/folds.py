"""Own who is fitted on and who is held out: divisions into folds, and the seed of everything drawn."""

from __future__ import annotations

import numpy as np
from arrays import Fold
from cohorts import Cohort
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

INNER_FOLDS = 3


def divisions(cohort: Cohort, *, folds: int, repeats: int, seed: int) -> list[list[Fold]]:
    """Return one division into folds per repeat; raise ValueError if there are too few people."""
    require_people(cohort, folds)
    return [split(cohort, folds, seed_of(seed, repeat)) for repeat in range(repeats)]


def seed_of(seed: int, repeat: int, fold: int = -1) -> int:
    """Return the seed of one fit, or of a repeat's division: no two of any runs are alike by construction."""
    return int(np.random.SeedSequence([seed, repeat, fold + 1]).generate_state(1)[0])


def split(cohort: Cohort, folds: int, seed: int) -> list[Fold]:
    """Return (fit, held out) row positions: stratified by class, one person's rows together."""
    grouped, classified = cohort.person is not None, bool(cohort.classes)
    kind = {
        (False, False): KFold,
        (False, True): StratifiedKFold,
        (True, False): GroupKFold,
        (True, True): StratifiedGroupKFold,
    }[grouped, classified]
    splitter = kind(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(cohort)), cohort.target, cohort.person))


def inner_split(cohort: Cohort, seed: int) -> list[Fold]:
    """Return three folds inside one fold's fit rows, or two for few people; penalty and epochs are chosen by them."""
    return split(cohort, min(INNER_FOLDS, rarest(cohort)), seed)


def rarest(cohort: Cohort) -> int:
    """Return the number of people of the rarest class, or of all people if the target is a number."""
    person = np.arange(len(cohort)) if cohort.person is None else cohort.person
    if not cohort.classes:
        return len(np.unique(person))
    return min(len(np.unique(person[cohort.target == label])) for label in range(len(cohort.classes)))


def require_people(cohort: Cohort, folds: int) -> None:
    """Raise ValueError unless each fold can hold out a person of each class and fit on two."""
    needed, people = max(folds, 4), rarest(cohort)
    if folds < 2:
        message = f"folds={folds}: people can only be held out with 2 folds or more"
        raise ValueError(message)
    if people < needed:
        what = "people of the rarest class" if cohort.classes else "people"
        message = f"{folds} folds need at least {needed} {what}, found {people}: use fewer folds or more data"
        raise ValueError(message)
