"""Made-up cohorts, trainings and cards that the tests of the medical jobs share."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cohorts import Cohort

from pytest_training.execution.attempt.run import Run
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Outcome, Status, with_predicted
from pytest_training.jobs.loading import load_jobs
from pytest_training.reporters.cards.record import JobRecord
from pytest_training.reporters.cards.writing import checklist, model_card

ROOT = Path(__file__).parents[2]
JOBS = {job.id: job for job in load_jobs(ROOT / "training", ROOT)[0]}


def make_cohort(rows: int = 120, *, kind: str = "binary", seed: int = 0, people: int | None = None) -> Cohort:
    """Return a cohort whose first column tells the target, the second nothing; `people` share its rows."""
    random = np.random.default_rng(seed)
    features = pd.DataFrame(random.normal(size=(rows, 2)), columns=["signal", "noise"])
    drive = features["signal"].to_numpy() + random.normal(size=rows)
    target = {
        "binary": (drive > 0).astype(int),
        "classes": np.digitize(drive, [-0.6, 0.6]),
        "number": 10 * drive + 50,
    }[kind]
    classes = {"binary": ("well", "ill"), "classes": ("low", "middle", "high"), "number": ()}[kind]
    person = None if people is None else random.integers(people, size=rows)
    return Cohort(features=features, target=target, classes=classes, person=person)


def train(job: str, run: Run, **parameters: Any) -> dict[str, float]:
    """Train a job in this process and return its metrics as its outcome has them."""
    returned = importlib.import_module(f"train_{job}").train(run, **parameters)
    return with_predicted(returned, run.predicted)


def cards(run: Run, job_id: str, metrics: dict[str, float]) -> tuple[str, str]:
    """Return the model card and the checklist of a job that was trained in this process."""
    job = JOBS[job_id]
    method = "; ".join(dict.fromkeys(each.method for each in run.evaluations.values()))
    outcome = Outcome(
        job_id=job.id,
        kind=job.kind,
        title=job.title,
        status=Status.PASSED,
        metrics=metrics,
        interval_method=method,
        data=run.used,
    )
    used = {each.name for each in run.used}
    datasets = tuple(each for each in load_jobs(ROOT / "training", ROOT)[1] if each.name in used)
    said = run.description, tuple(run.evaluations.values())
    record = JobRecord(job, outcome, RunFolder(run.folder, "run"), datasets, *said)
    return model_card(record), checklist(record)
