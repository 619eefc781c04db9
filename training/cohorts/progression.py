"""Progression: 442 people with diabetes and how far the disease had gone a year later (Efron 2004)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cohorts import Cohort

COLUMNS = [
    "age_years",
    "sex",  # coded 1 and 2; the source does not say which is which
    "bmi_kg_m2",
    "mean_arterial_mmhg",
    "total_cholesterol",
    "ldl",
    "hdl",
    "cholesterol_over_hdl",
    "log_triglycerides",
    "glucose_mg_dl",
]


def load(features: Path, target: Path) -> Cohort:
    """Return everybody, unscaled, as scikit-learn ships them."""
    table = pd.read_csv(features, sep=r"\s+", header=None, names=COLUMNS, dtype=float)
    measured = pd.read_csv(target, header=None, dtype=float).to_numpy().ravel()
    if len(table) != len(measured):
        message = f"{features} has {len(table)} rows, {target} {len(measured)}: expected as many"
        raise ValueError(message)
    return Cohort(
        features=table,
        target=measured,
        unit="points",
        who="People with diabetes, aged 19 to 79, measured once and rated a year later.",
        limits=(
            "What the points of progression measure was never published, so an error in points cannot be weighed.",
            "Treatment during the year is not known.",
        ),
    )
