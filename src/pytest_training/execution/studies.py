"""The verdict on a study from the outcomes of its trials: means over seeds, or the best trial, and the job's gates."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from pytest_training.evaluation.noise import SPREAD, mean_interval
from pytest_training.evaluation.ranges import Direction
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
    """A passed trial, or a combination's trials in the order of their seeds, with means."""

    trials: Sequence[Outcome] = ()
    metrics: dict[str, float] = {}

    def alone(self, study: Study) -> Outcome | None:
        """Return the trial whose numbers these are, or None for means over seeds: their spread judges noise."""
        return self.trials[0] if self.trials and not study.seeds else None


def judge_study(planned: PlannedJob, folder: RunFolder, *, is_worker: bool) -> dict[str, Any]:
    """Return the fields of the outcome of a study's own job."""
    job, study, now = planned.job, planned.job.study or Study(), utc_now()
    outcomes = {trial_id: trial_outcome(planned, trial_id, folder) for trial_id in job.needs}
    if waiting := next((trial_id for trial_id, outcome in outcomes.items() if outcome is None), None):
        return _failed("needs", not_ended(waiting, is_worker=is_worker))
    trials = [outcome for outcome in outcomes.values() if outcome is not None]
    candidates = _candidates([trial for trial in trials if is_whole(trial)], study)
    whole = [each for each in candidates if len(each.trials) == max(1, len(study.seeds))]
    best, metric = _best(job, study, whole or candidates)
    alone, result = best.alone(study), _result(planned, study, trials, best, metric)
    fields, notes = _verdict(job, study, trials, best, result), [*_notes(study, trials, candidates, metric)]
    if not whole:  # no trial is left, or no combination that has all its seeds
        fields |= _failed("trials", "; ".join(notes))
    if all(trial.status == Status.NOT_RUN for trial in trials):
        fields |= {"status": Status.NOT_RUN, "cause": "needs", "reason": "none of its trials has run", "gates": ()}
    if planned.unchanged and fields["status"] == Status.PASSED:
        since = f"unchanged since run {planned.unchanged.run_id}"
        fields |= {"status": Status.SKIPPED, "cause": "unchanged", "reason": f"{since}, whose metrics these are"}
        notes.insert(0, since)
    return fields | {
        "study": result,
        "metrics": best.metrics,
        "parameters": _shared([trial.parameters for trial in best.trials]),
        "data": tuple({each.name: each for trial in best.trials for each in trial.data}.values()),
        "interval_method": _interval_method(alone, result.seeds),
        "differences": alone.differences if alone else {},
        "notes": (*(notes if whole else ()), *tolerated(fields["gates"])),
        "started": now,
        "ended": now,
    }


def _result(planned: PlannedJob, study: Study, trials: Sequence[Outcome], best: Candidate, metric: str) -> StudyResult:
    """Return what the trials came to; the folder is named where its predictions may judge the noise of a later run."""
    first = best.trials[0].job_id if best.trials else ""
    alone, is_earlier = best.alone(study), first in planned.needed
    has_folder = alone and alone.interval_method and alone.attempts and not is_earlier
    return StudyResult(
        metric=metric,
        direction=_direction(metric, planned.job) or "",
        best=first,
        best_run=planned.needed[first].run_id if is_earlier else "",
        trials=len(trials),
        passed=sum(map(is_whole, trials)),
        pruned=sum(trial.cause == "pruned" for trial in trials),
        seeds=len(best.trials) if study.seeds else 0,
        folder=alone.attempts[-1].folder if alone and has_folder else "",
        wall_s=math.fsum(trial.wall_s for trial in trials),
    )


def is_whole(trial: Outcome) -> bool:
    """Return True if a trial has trained to its end."""
    return trial.status == Status.PASSED or trial.cause == "unchanged"


def means(trials: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each metric that all trials have, each with its spread and interval over the seeds."""
    names = [name for name in trials[0] if all(name in metrics for metrics in trials)]
    parts, metrics = {name + part for name in names for part in SPREAD}, dict[str, float]()
    for name in (name for name in names if name not in parts):  # an interval of one training is none over seeds
        mean = mean_interval([each[name] for each in trials], name)
        spread = zip(SPREAD, (mean.sd, mean.low, mean.high), strict=True)
        metrics |= {name: mean.value} | {name + part: number for part, number in spread if math.isfinite(number)}
    return metrics


def trial_outcome(planned: PlannedJob, trial_id: str, folder: RunFolder) -> Outcome | None:
    """Return a trial's outcome in this run, else in the earlier one that the plan names."""
    needed = planned.needed.get(trial_id)
    earlier = RunFolder(folder.reports, needed.run_id) if needed else folder
    return read_outcome(folder, trial_id) or read_outcome(earlier, trial_id)


def _interval_method(alone: Outcome | None, seeds: int) -> str:
    over_seeds = f"Student's t over {seeds} seeds, 95 %" if seeds > 1 else ""
    return alone.interval_method if alone else over_seeds


def _failed(cause: str, reason: str) -> dict[str, Any]:
    return {"status": Status.FAILED, "cause": cause, "reason": reason}


def _candidates(passed: Sequence[Outcome], study: Study) -> list[Candidate]:
    if not study.seeds:
        return [Candidate([trial], trial.metrics) for trial in passed]
    combinations: dict[bytes, list[Outcome]] = {}
    for trial in passed:
        values = [trial.parameters.get(name) for name in trial.varied]
        combinations.setdefault(msgspec.json.encode(values), []).append(trial)
    return [Candidate(several, means([each.metrics for each in several])) for several in combinations.values()]


def _best(job: Job, study: Study, candidates: Sequence[Candidate]) -> tuple[Candidate, str]:
    """Return the best candidate and the metric that decides; the candidate is empty if no direction is known."""
    names = dict.fromkeys(name for each in candidates for name in each.metrics)
    gated = (name for gate in job.gates for name in (gate.metric, *map(gate.metric.removesuffix, SPREAD)))
    metric = study.metric or next((name for name in gated if name in names), next(iter(names), ""))
    better, having = _direction(metric, job), [each for each in candidates if metric in each.metrics]
    if len(candidates) == 1:
        return candidates[0], metric
    if not having or better is None:
        return Candidate(), metric
    return (max if better == "higher" else min)(having, key=lambda each: each.metrics[metric]), metric


def _direction(metric: str, job: Job) -> Direction | None:
    """Return which is better; by the name alone where gates bound a metric on both sides."""
    return direction(metric, job.gates) or direction(metric)


def _shared(several: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the parameters that have the same value in all trials."""
    first = several[0] if several else {}
    return {name: value for name, value in first.items() if all(each.get(name) == value for each in several)}


def _verdict(job: Job, study: Study, trials: Sequence[Outcome], best: Candidate, result: StudyResult) -> dict[str, Any]:
    """Return status, cause, reason and gates."""
    alone = best.alone(study)
    verdict = judge_numbers(job, best.metrics, alone.differences if alone else {}, result.seeds)
    fields = {name: getattr(verdict, name) for name in ("status", "cause", "reason", "gates")}
    measured = list(dict.fromkeys(name for trial in trials for name in trial.metrics))
    if study.metric and study.metric not in measured:
        return fields | _failed("result", f"no trial has the metric {study.metric!r}: {one_of(study.metric, measured)}")
    if study.metric and study.metric not in best.metrics and (best.trials or result.direction):
        return fields | _failed("result", f"trials that passed lack the metric {study.metric!r}, which judges them")
    if fields["cause"] == "result" and (lacking := next(_lacking(job, best, is_seeds=bool(study.seeds)), "")):
        return fields | _failed("result", lacking)
    if not best.trials and (study.metric or job.gates):
        reason = f"no best trial: neither a gate nor the name of {result.metric!r} says whether more is better"
        return fields | _failed("result", reason)
    return fields


def _lacking(job: Job, best: Candidate, *, is_seeds: bool) -> Iterator[str]:
    """Yield why the means lack a gate's metric: seeds lack it, or a single seed has no spread."""
    for name in (gate.metric for gate in job.gates if gate.metric not in best.metrics):
        lacking = [trial.job_id for trial in best.trials if name not in trial.metrics]
        if 0 < len(lacking) < len(best.trials):
            yield f"{name!r}, which a gate needs, is lacking in {listing('', lacking, limit=MOST_NAMED)}"
        elif len(best.trials) == 1 and is_seeds and {*map(name.removesuffix, SPREAD)} & best.metrics.keys():
            yield f"one seed has no {name}, which a gate needs: an interval needs at least two seeds"


def _notes(study: Study, trials: Sequence[Outcome], candidates: Sequence[Candidate], metric: str) -> Iterator[str]:
    passed = [trial for each in candidates for trial in each.trials]
    failed = [trial.job_id for trial in trials if not is_whole(trial) and trial.status != Status.SKIPPED]
    if failed:
        yield f"{len(failed)} of {len(trials)} trials did not pass: {listing('', failed, limit=MOST_NAMED)}"
    if early := len(trials) - len(passed) - len(failed):
        yield f"{early} of {len(trials)} trials were pruned or left out"
    if (left_out := study.size - len(trials)) > 0:
        yield f"{left_out} of {study.size} trials are not judged: neither selected nor passed before"
    if metric and (lacking := [trial.job_id for trial in passed if metric not in trial.metrics]):
        yield f"{len(lacking)} of {len(passed)} that passed lack {metric}: {listing('', lacking, limit=MOST_NAMED)}"
    several = [[trial.metrics for trial in each.trials] for each in candidates if len(each.trials) > 1 and each.metrics]
    if several and all(each == metrics[0] for metrics in several for each in metrics):
        yield "trials that differ in their seeds alone have equal metrics: does the job use its seed?"
