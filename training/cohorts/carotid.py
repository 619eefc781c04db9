"""Carotid: 126 patients with a narrowed carotid artery, CT angiography and risk factors (Kuhn & Johnson 2019)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cohorts import Cohort, read_table, require

SIZES = [
    *("calc_vol", "calc_vol_prop", "matx_vol", "matx_vol_prop", "lrnc_vol", "lrnc_vol_prop", "wall_vol"),
    *("max_calc_area", "max_calc_area_prop", "max_matx_area", "max_matx_area_prop", "max_lrnc_area"),
    *("max_lrnc_area_prop", "max_dilation_by_area", "max_max_wall_thickness", "max_remodeling_ratio"),
    *("max_stenosis_by_area", "max_wall_area", "max_stenosis_by_diameter"),
]
"""Measures of the plaque: calcium (calc), matrix (matx), lipid-rich necrotic core (lrnc); all above zero."""


def load(path: Path) -> Cohort:
    """Return every patient with 20 measures of the plaque and eight risk factors."""
    table = read_table(path)
    require(table, ["stroke", "nascet_scale", *SIZES, "age", "male"], path)
    return Cohort(
        features=table.drop(columns="stroke").astype(float),
        target=(table["stroke"] == "yes").astype(int).to_numpy(),
        classes=("no stroke", "stroke"),
        subgroup={"sex": np.where(table["male"] == 1, "male", "female")},
        who="Patients with a blockage of a carotid artery who had CT angiography and were followed up.",
        limits=(
            "126 patients, about half with a stroke: chosen for the study, so risks are far above any clinic's.",
            "How long patients were followed is not published.",
            "Some measures cannot be right (a proportion of 1.9, a wall 84 mm thick); they are kept as published.",
        ),
    )
