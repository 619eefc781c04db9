"""Head injury: 3,121 simulated people with a minor head injury, after Stiell 2001 (R package DAAG).

DAAG documents them as "Minor Head Injury (Simulated) Data", drawn from a logistic regression: not real patients.
"""

from __future__ import annotations

from pathlib import Path

from cohorts import Cohort, read_table, require

TARGET = "clinically.important.brain.injury"
NAMES = {
    "age.65": "age_65_or_older",
    "amnesia.before": "amnesia_over_30_minutes",
    "basal.skull.fracture": "basal_skull_fracture",
    "GCS.decrease": "gcs_falling",  # Glasgow Coma Scale
    "GCS.13": "gcs_13_at_first",
    "GCS.15.2hours": "gcs_below_15_after_2_hours",
    "high.risk": "high_risk_by_clinician",
    "loss.of.consciousness": "loss_of_consciousness",
    "open.skull.fracture": "open_skull_fracture",
    "vomiting": "vomiting",
}


def load(path: Path) -> Cohort:
    """Return everybody with ten findings, each present (1) or not (0)."""
    table = read_table(path)
    require(table, [*NAMES, TARGET], path)
    return Cohort(
        features=table[list(NAMES)].rename(columns=NAMES).astype(float),
        target=table[TARGET].to_numpy(int),
        classes=("no injury", "brain injury"),
        who="Simulated people with a minor head injury, drawn to resemble those of the Canadian CT Head Rule.",
        limits=(
            "Simulated from a logistic regression, so that a logistic regression cannot but fit.",
            "Nothing here says how well it would do in an emergency department.",
        ),
    )
