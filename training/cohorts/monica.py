"""MONICA: 6,367 coronary events in Newcastle, Australia, 1985 to 1993, and who survived (WHO)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from arrays import Mask

from cohorts import Cohort, read_table, require

HISTORY = {
    "premi": "earlier_infarction",
    "smstat": "smoking",
    "diabetes": "diabetes",
    "highbp": "high_blood_pressure",
    "hichol": "high_cholesterol",
    "angina": "angina",
    "stroke": "earlier_stroke",
}
LEVELS = {"y": "yes", "n": "no", "nk": "not known", "c": "current", "x": "former"}

NOT_KNOWN_KNOWS = (
    "Survivors could be asked about their history, the dead could not: all 621 people of whom nothing is "
    "known died. So `not known` partly knows the outcome, and `known_history_` metrics are the honest ones."
)


def load(path: Path) -> Cohort:
    """Return every event with what could be known at its onset.

    `hosp` is left out: whether somebody reached a hospital is decided by the event itself, and all who did
    not died.
    """
    table = read_table(path)
    require(table, ["outcome", "sex", "age", "yronset", "hosp", *HISTORY], path)
    features = pd.DataFrame({"age": table["age"].astype(float), "year": table["yronset"] + 1900.0})
    features["male"] = (table["sex"] == "m").astype(float)
    for column, name in HISTORY.items():
        features[name] = table[column].map(LEVELS)  # "not known" is a level of its own, never imputed
    return Cohort(
        features=features,
        target=(table["outcome"] == "dead").astype(int).to_numpy(),
        classes=("survived", "died"),
        subgroup={"sex": np.where(table["sex"] == "m", "male", "female")},
        who="People aged 35 to 69 with a coronary event, from the register of Newcastle, Australia.",
        limits=(
            NOT_KNOWN_KNOWS,
            "Treatment of the 1980s: survival has improved since.",
        ),
    )


def history_known(cohort: Cohort) -> Mask:
    """Return which people have an answer to every question about their history."""
    return (cohort.features[list(HISTORY.values())] != "not known").all(axis=1).to_numpy()
