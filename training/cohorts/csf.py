"""CSF: proteins in the spinal fluid of 333 people, and the established markers (Craig-Schapiro 2011)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cohorts import Cohort, read_table, require

MARKERS = ["age", "male", "tau", "p_tau", "Ab_42", "e2_alleles", "e4_alleles"]
"""The established markers: age, sex, tau, phosphorylated tau, amyloid beta 42 and APOE alleles."""


def load(path: Path) -> Cohort:
    """Return everybody with every measurement: the panel, the established markers, age and sex."""
    table = read_table(path)
    require(table, ["age", "male", "tau", "p_tau", "Ab_42", "Genotype", "Class"], path)
    features = table.drop(columns=["Class", "Genotype"]).astype(float)
    genotype = table["Genotype"].astype(str)
    features["e2_alleles"] = genotype.str.count("E2").astype(float)  # protective
    features["e4_alleles"] = genotype.str.count("E4").astype(float)  # each copy about triples the risk
    return Cohort(
        features=features,
        target=(table["Class"] == "Impaired").astype(int).to_numpy(),
        classes=("control", "impaired"),
        subgroup={"sex": np.where(features["male"] == 1, "male", "female")},
        who="Volunteers of memory studies in St. Louis: cognitively healthy, or with mild impairment.",
        limits=(
            "Age and proteins come transformed, without units: values of a laboratory report do not fit.",
            "The clinical rating that defines impairment is no proof of Alzheimer's disease.",
            "One centre; assays drift between laboratories.",
        ),
    )
