"""Write runs with studies to disk without training, for tests of what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_training.atomic import write_atomically
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.execution.slot import save_outcome
from pytest_training.jobs.model import Gate, Job, Plan, PlannedJob, Study
from pytest_training.jobs.plan_file import save_plan
from pytest_training.records.history import History
from pytest_training.records.run_record import RunRecord, provenance
from pytest_training.records.strict_json import encode

RUN = "20260105-100000-abcd"
FAILED: dict[str, Any] = {"status": Status.FAILED, "cause": "error", "reason": "raised ValueError: no tree"}
PRUNED: dict[str, Any] = {"status": Status.SKIPPED, "cause": "pruned", "reason": "pruned at epoch 2 of 9: 0.71"}
LEFT_OUT: dict[str, Any] = {"status": Status.NOT_RUN, "cause": "needs"}
UNCHANGED: dict[str, Any] = {"status": Status.SKIPPED, "cause": "unchanged"}


def trial(
    name: str, metrics: dict[str, float] | None = None, *, study: str = "forest", seed: int = 0, **fields: Any
) -> Outcome:
    """Return a trial `forest-NAME`; the parts of its name are its parameters."""
    words = name.split("-")
    varied = fields.pop("parameters", dict(zip(words[::2], words[1::2], strict=False)))
    values: dict[str, Any] = {"kind": "function", "title": "", "status": Status.PASSED, "wall_s": 2.0}
    values |= {"parameters": {"epochs": 3, **varied}, "varied": tuple(varied), "metrics": metrics or {}, "seed": seed}
    return Outcome(job_id=f"{study}-{name}", trial_of=study, **(values | fields))


def study_job(
    *gates: Gate, name: str = "forest", metric: str = "", seeds: Sequence[int] = (), trials: Sequence[Outcome] = ()
) -> Job:
    """Return a study's own job as a plan has it."""
    return Job(
        id=name,
        kind="study",
        title="Which forest?",
        source="training/jobs.yaml:2",
        home="",
        root="",
        gates=gates,
        study=Study(metric=metric, seeds=tuple(seeds)),
        needs=tuple(each.job_id for each in trials),
    )


def make_study(
    reports: Path,
    trials: Sequence[Outcome],
    *,
    run_id: str = RUN,
    name: str = "forest",
    seeds: Sequence[int] = (),
    **fields: Any,
) -> RunFolder:
    """Write the folder of a finished run with one study; its outcomes are in the history."""
    folder = RunFolder(reports, run_id)
    own = Outcome(job_id=name, kind="study", title="Which forest?", status=Status.PASSED, **fields)
    planned = [
        PlannedJob(
            job=Job(
                id=each.job_id,
                kind=each.kind,
                source="training/train_forest.py",
                home="",
                root="",
                trial_of=each.trial_of,
                varied=each.varied,
                seed=each.seed if seeds else None,
            ),
            expected_s=None,
            expected_from="unknown",
        )
        for each in trials
    ]
    study = PlannedJob(job=study_job(name=name, seeds=seeds, trials=trials), expected_s=None, expected_from="unknown")
    jobs = (*planned, study)
    for each in (*trials, own):
        save_outcome(folder, each)
    save_plan(Plan(run_id=run_id, seed=0, workers=1, threads=1, jobs=jobs), folder.plan)
    record = RunRecord(run_id=run_id, started="2026-01-05T10:00:00+00:00", ended="", seed=0, workers=1, exit_code=0)
    write_atomically(folder.record, encode(record))
    History(reports / "history.sqlite").add(record, [*trials, own], provenance(reports))
    return folder
