"""Carotid: 126 patients with a narrowed carotid artery, CT angiography and risk factors (Kuhn & Johnson 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cohorts import Cohort, read_table, require

if TYPE_CHECKING:
    from pathlib import Path

IMAGING_FIRST, IMAGING_LAST = "calc_vol", "max_stenosis_by_diameter"


def load(path: Path) -> Cohort:
    """Return every patient with 21 measures of the plaque and eight risk factors."""
    table = read_table(path)
    require(table, ["stroke", "nascet_scale", IMAGING_FIRST, IMAGING_LAST, "age", "male"], path)
    return Cohort(
        features=table.drop(columns="stroke").astype(float),
        target=(table["stroke"] == "yes").to_numpy(int),
        classes=("no stroke", "stroke"),
        who="Patients with a blockage of a carotid artery who had CT angiography and were followed up.",
        limits=(
            "126 patients, about half with a stroke: chosen for the study, so risks are far above any clinic's.",
            "How long patients were followed is not published.",
            "Some measures cannot be right (a proportion of 1.9, a wall 84 mm thick); they are kept as published.",
        ),
    )
