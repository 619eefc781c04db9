"""Breast: 569 biopsied masses, 30 measures of their cell nuclei (Wisconsin Diagnostic, Street 1993)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cohorts import Cohort

MEASURES = [
    *("radius", "texture", "perimeter", "area", "smoothness", "compactness"),
    *("concavity", "concave_points", "symmetry", "fractal_dimension"),
]
NAMES = [f"{kind}_{measure}" for kind in ("mean", "error", "worst") for measure in MEASURES]


def load(path: Path) -> Cohort:
    """Return every mass, as scikit-learn ships them: a first line of counts, and 0 for malignant."""
    table = pd.read_csv(path, skiprows=1, header=None, names=[*NAMES, "benign"])
    return Cohort(
        features=table[NAMES],
        target=1 - table["benign"].to_numpy(int),
        classes=("benign", "malignant"),
        who="Women with a breast mass that was biopsied by fine needle in Wisconsin, about 1990.",
        limits=(
            "The nuclei were outlined by hand by one group; other software measures otherwise.",
            "Masses that were biopsied: the share of cancers is far above that of screening.",
        ),
    )
