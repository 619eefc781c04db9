"""An audit finds nothing in the tables of the project's own jobs: where it did, the check was at fault."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_training.evaluation import record
from pytest_training.evaluation.examination import Examination
from pytest_training.execution.attempt.run import Run
from pytest_training.jobs.loading import load_jobs

TRAINING = Path(__file__).parents[2] / "training"


@pytest.mark.slow
def test_the_tables_of_real_people_have_no_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(TRAINING), *sys.path])
    folds, jobs = importlib.import_module("folds"), importlib.import_module("train_baseline_models")
    progression = importlib.import_module("cohorts.progression")
    run = Run(folder=tmp_path, datasets={each.name: each for each in load_jobs(TRAINING, TRAINING.parent)[1]})
    tables: dict[str, Any] = jobs.load_all(run)
    tables["progression"] = progression.load(run.data("progression_measures"), run.data("progression_target"))
    findings = {}
    for name, cohort in tables.items():
        fold = np.zeros(len(cohort), dtype=int)
        for number, (_, held_out) in enumerate(folds.split(cohort, 5, seed=0)):
            fold[held_out] = number
        examination = Examination()
        examination.declare(cohort.target, cohort.person)
        examination.describe(cohort.features, cohort.target, cohort.person, None)
        score = np.full(len(cohort), 0.5)
        made = record.make(cohort.target, score, fold=fold, person=cohort.person, classes=cohort.classes)
        findings[name] = examination.examine([made]).findings
    assert findings == dict.fromkeys(tables, ())
