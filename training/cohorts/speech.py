"""Speech: 252 people saying a sustained /a/, with and without Parkinson's disease (Sakar 2019)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from cohorts import Cohort, read_table, require

FAMILIES = {
    "sex": r"gender",
    "jitter": r".*Jitter",
    "shimmer": r".*Shimmer",
    "harmonicity": r".*Harmonicity",
    "intensity": r".*Intensity",
    "formants and bandwidths": r"f\d|b\d",
    "glottis": r"GQ_|GNE_|VFER_|IMF_",
    "cepstrum (MFCC)": r".*([Ll]og_energy|MFCC|delta)",
    "wavelets of pitch": r"(Ea|Ed_|Ed2_|Ea2|det_|app_).*",
    "Q-factor wavelets": r"tqwt_",
}


def load(path: Path) -> Cohort:
    """Return one row per person: the mean of three recordings."""
    table = read_table(path)
    require(table, ["gender", "PPE", "DFA", "RPDE", "class"], path)
    features = table.drop(columns="class").astype(float)
    return Cohort(
        features=features,
        target=(table["class"] == "PD").astype(int).to_numpy(),
        classes=("control", "Parkinson's"),
        subgroup={"sex": np.where(features["gender"] == 1, "male", "female")},
        who="Patients of a neurology department in Istanbul, aged 33 to 87, and healthy people of 41 to 82.",
        limits=(
            "57 % of the patients and 36 % of the controls are men, and the model is given the sex.",
            "Patients were already diagnosed and treated: nothing is said about early disease.",
            "One microphone in one room: recordings from a telephone differ.",
        ),
        blocks=families([str(column) for column in features]),
    )


def families(columns: list[str]) -> dict[str, list[str]]:
    """Group the columns by what was measured; the rest are measures of pitch and rhythm."""
    blocks: dict[str, list[str]] = {}
    for column in columns:
        family = next((name for name, form in FAMILIES.items() if re.match(form, column)), "pitch and rhythm")
        blocks.setdefault(family, []).append(column)
    return blocks
