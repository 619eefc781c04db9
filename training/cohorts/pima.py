"""Pima: 532 women of Pima heritage, tested for diabetes by WHO criteria (Smith 1988)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cohorts import Cohort, read_table, require

NAMES = {
    "npreg": "pregnancies",
    "glu": "glucose_mg_dl",  # plasma glucose two hours into an oral glucose tolerance test
    "bp": "diastolic_mmhg",
    "skin": "triceps_fold_mm",
    "bmi": "bmi_kg_m2",
    "ped": "pedigree",  # diabetes in relatives, weighted by kinship
    "age": "age_years",
}
PUBLISHED_TRAINING = 200
"""The first rows: the published training set (Ripley 1996); the rest is its test set."""

ZERO_IS_MISSING = ["glucose_mg_dl", "diastolic_mmhg", "triceps_fold_mm", "bmi_kg_m2"]


def load(training: Path, test: Path) -> Cohort:
    """Return all women: first those of the published training set, then those of its test set."""
    table = pd.concat([read_table(training), read_table(test)], ignore_index=True)
    require(table, [*NAMES, "type"], training)
    features = table[list(NAMES)].rename(columns=NAMES).astype(float)
    features[ZERO_IS_MISSING] = features[ZERO_IS_MISSING].replace(0.0, np.nan)
    return Cohort(
        features=features,
        target=(table["type"] == "Yes").astype(int).to_numpy(),
        classes=("no diabetes", "diabetes"),
        who="Women of Pima heritage, 21 years or older, living near Phoenix, Arizona, in the 1980s.",
        limits=(
            "One community with one of the highest rates of diabetes ever measured: risks do not carry over.",
            "Women alone, and only those with complete records.",
            "The glucose value is from the test that also serves the diagnosis.",
        ),
    )
