"""The verdict on a study from the outcomes of its trials: means over seeds, or the best trial, and the job's gates."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from pytest_training.evaluation.noise import SPREAD, mean_interval
from pytest_training.execution.folder import RunFolder, utc_now
from pytest_training.execution.judge import judge_numbers, tolerated
from pytest_training.execution.needs import not_ended
from pytest_training.execution.outcome import Outcome, Status, StudyResult
from pytest_training.execution.slot import read_outcome
from pytest_training.jobs.directions import direction
from pytest_training.jobs.model import Job, PlannedJob, Study
from pytest_training.wording import listing, one_of

MOST_NAMED = 6


class Candidate(Struct, frozen=True):
    """A trial; or a combination of parameters with its seeds, the first one first."""

    trials: Sequence[Outcome]  # those that passed
    metrics: dict[str, float]
    is_whole: bool = True  # False if a seed is missing


def judge_study(planned: PlannedJob, folder: RunFolder, *, is_worker: bool) -> dict[str, Any]:
    """Return the fields of the outcome of a study's own job."""
    started, job, study = utc_now(), planned.job, planned.job.study or Study()
    outcomes = {trial_id: trial_outcome(planned, trial_id, folder) for trial_id in job.needs}
    if waiting := next((trial_id for trial_id, outcome in outcomes.items() if outcome is None), None):
        return _failed("needs", not_ended(waiting, is_worker=is_worker))
    trials = [outcome for outcome in outcomes.values() if outcome is not None]
    candidates = _candidates(trials, study)
    whole = [each for each in candidates if each.is_whole]
    fields: dict[str, Any] = {"started": started, "ended": utc_now(), "notes": tuple(_notes(job, study, trials))}
    if not candidates and all(trial.status == Status.NOT_RUN for trial in trials):
        return fields | {"status": Status.NOT_RUN, "cause": "needs", "reason": "none of its trials has run"}
    best, metric = _best(job, study, whole or candidates)
    several = best.trials if best else []
    number = len(several) if study.seeds else 0
    first = several[0].job_id if several else ""
    fields |= {
        "study": StudyResult(
            metric=metric,
            direction=direction(metric, job.gates) or "",
            best=first,
            best_run=planned.needed[first].run_id if first in planned.needed else "",
            trials=len(trials),
            passed=sum(map(is_whole, trials)),
            pruned=sum(trial.cause == "pruned" for trial in trials),
            seeds=number,
        ),
        "metrics": best.metrics if best else {},
        "parameters": _shared_parameters(several) if several else {},
        "data": tuple({each.name: each for trial in several for each in trial.data}.values()),
        "interval_method": f"Student's t over {number} seeds, 95 %" if number > 1 else "",
    }
    verdict = _verdict(job, study, trials, best, metric)
    fields["notes"] += tolerated(verdict["gates"])
    return fields | verdict | ({} if whole else _failed("trials", _lacking(study, trials)))


def is_whole(trial: Outcome) -> bool:
    """Return True if a trial's metrics are those of a whole training."""
    return trial.status == Status.PASSED or trial.cause == "unchanged"


def means(trials: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each metric that all trials have, each with its spread and interval over the seeds."""
    names = [name for name in trials[0] if all(name in metrics for metrics in trials)]
    parts = {name + part for name in names for part in SPREAD}
    metrics: dict[str, float] = {}
    for name in (name for name in names if name not in parts):  # an interval of one training is none over seeds
        mean = mean_interval([each[name] for each in trials])
        metrics[name] = mean.value
        if len(trials) > 1:
            numbers = zip(SPREAD, (mean.sd, mean.low, mean.high), strict=True)
            metrics |= {name + part: number for part, number in numbers if math.isfinite(number)}
    return metrics


def trial_outcome(planned: PlannedJob, trial_id: str, folder: RunFolder) -> Outcome | None:
    """Return a trial's outcome in this run, else in the earlier one that the plan names."""
    needed = planned.needed.get(trial_id)
    earlier = RunFolder(folder.reports, needed.run_id) if needed else None
    return read_outcome(folder, trial_id) or (read_outcome(earlier, trial_id) if earlier else None)


def _failed(cause: str, reason: str) -> dict[str, Any]:
    return {"status": Status.FAILED, "cause": cause, "reason": reason}


def _candidates(trials: Sequence[Outcome], study: Study) -> list[Candidate]:
    """Return the trials that passed, or their combinations where each has several seeds."""
    passed = [trial for trial in trials if is_whole(trial)]
    if not study.seeds:
        return [Candidate([trial], trial.metrics) for trial in passed]
    combinations: dict[bytes, list[Outcome]] = {}
    for trial in passed:
        values = {name: trial.parameters.get(name) for name in trial.varied}
        combinations.setdefault(msgspec.json.encode(values), []).append(trial)
    return [
        Candidate(several, means([each.metrics for each in several]), len(several) == len(study.seeds))
        for several in combinations.values()
    ]


def _best(job: Job, study: Study, candidates: Sequence[Candidate]) -> tuple[Candidate | None, str]:
    """Return the best candidate, or None if nobody says which is better, and the metric that decides."""
    names = list(dict.fromkeys(name for each in candidates for name in each.metrics))
    gated = [_plain(gate.metric, names) for gate in job.gates]
    metric = study.metric or next((name for name in gated if name in names), next(iter(names), ""))
    having = [each for each in candidates if metric in each.metrics]
    better = direction(metric, job.gates)
    if len(candidates) == 1:
        return candidates[0], metric
    if not having or better is None:
        return None, metric
    sign = 1 if better == "higher" else -1
    return max(having, key=lambda each: sign * each.metrics[metric]), metric


def _plain(metric: str, names: Sequence[str]) -> str:
    """Return the metric that a gate on the end of an interval stands for, if trials do not have that end."""
    wholes = (metric.removesuffix(part) for part in SPREAD if metric.endswith(part))
    return metric if metric in names else next(wholes, metric)


def _shared_parameters(trials: Sequence[Outcome]) -> dict[str, Any]:
    first, *others = (trial.parameters for trial in trials)
    return {name: value for name, value in first.items() if all(each.get(name) == value for each in others)}


def _verdict(job: Job, study: Study, trials: Sequence[Outcome], best: Candidate | None, metric: str) -> dict[str, Any]:
    """Return status, cause, reason and gates."""
    verdict = judge_numbers(job, best.metrics if best else {}, len(best.trials) if best and study.seeds else 0)
    fields = {name: getattr(verdict, name) for name in ("status", "cause", "reason", "gates")}
    measured = list(dict.fromkeys(name for trial in trials for name in trial.metrics))
    if study.metric and study.metric not in measured:
        return fields | _failed("result", f"no trial has the metric {metric!r}: {one_of(metric, measured)}")
    if best is None and (study.metric or job.gates):
        reason = f"no best trial: neither a gate nor the name of {metric!r} says whether more is better"
        return fields | _failed("result", reason)
    return fields


def _lacking(study: Study, trials: Sequence[Outcome]) -> str:
    """Say which trials are missing."""
    lacking = [trial.job_id for trial in trials if not is_whole(trial)]
    number = study.size if study.seeds else len(trials)
    which = listing("", lacking, limit=MOST_NAMED) if lacking else "they are not selected"
    return f"{number - sum(map(is_whole, trials))} of {number} trials did not pass: {which}"


def _notes(job: Job, study: Study, trials: Sequence[Outcome]) -> list[str]:
    pruned = sum(trial.cause == "pruned" for trial in trials)
    failed = [trial.job_id for trial in trials if not is_whole(trial) and trial.cause != "pruned"]
    passed = [trial.metrics for trial in trials if is_whole(trial)]
    notes = []
    if failed:
        notes.append(f"{len(failed)} of {len(trials)} trials did not pass: {listing('', failed, limit=MOST_NAMED)}")
    if pruned:
        notes.append(f"{pruned} of {len(trials)} trials were pruned")
    if (left_out := study.size - len(job.needs)) > 0:
        notes.append(f"{left_out} of {study.size} trials are not judged: they are not selected")
    if study.seeds and len(passed) > 1 and passed[0] and all(each == passed[0] for each in passed):
        notes.append(f"all {len(passed)} trials have equal metrics: does the job use its seed?")
    return notes
