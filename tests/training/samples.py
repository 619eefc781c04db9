"""Made-up cohorts and predictions that the tests of the medical jobs share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from arrays import Floats
from cohorts import Cohort
from evaluation import OutOfFold

from pytest_training.execution.attempt.run import Run
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.model import Job
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


def make_predictions(cohort: Cohort, predicted: Floats, *, repeats: int = 1, seed: int = 0) -> OutOfFold:
    """Return these predictions as if they had come out of two folds."""
    rows = len(cohort)
    return OutOfFold(
        cohort=cohort,
        predicted=np.tile(predicted, (repeats, *[1] * predicted.ndim)),
        baseline=np.full((repeats, *predicted.shape), cohort.target.mean()),
        fold=np.tile(np.arange(rows) % 2, (repeats, 1)),
        importance=pd.DataFrame({"block": ["signal"], "loss": [0.1]}),
        seed=seed,
    )


def cards(run: Run, job_id: str, metrics: dict[str, float]) -> tuple[str, str]:
    """Return the model card and the checklist of a job that was trained in this process."""
    job = JOBS[job_id]
    outcome = Outcome(
        job_id=job.id, kind=job.kind, title=job.title, status=Status.PASSED, metrics=metrics, data=run.used
    )
    used = {each.name for each in run.used}
    datasets = tuple(each for each in load_jobs(ROOT / "training", ROOT)[1] if each.name in used)
    record = JobRecord(job, outcome, RunFolder(run.folder, "run"), datasets, run.description)
    return model_card(record), checklist(record)
