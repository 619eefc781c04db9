"""Studies as tables: a row for each trial, or for each combination that has several seeds, the best first.

Console, CSV, JSON, summary and page take a study's order, its best row and the differences from here.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from pytest_training.evaluation.noise import Difference, Mean, mean_interval, plain_mean, welch
from pytest_training.execution.outcome import Cause, Outcome, Shown, Status, shown
from pytest_training.execution.studies import trial_outcome
from pytest_training.jobs.directions import direction, is_side_number
from pytest_training.jobs.model import Job
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.records.strict_json import encode

Direction = Literal["higher", "lower", ""]


class StudyRow(Struct, frozen=True, kw_only=True):
    """A trial, or a combination of parameters with its seeds."""

    id: str  # of the trial; of a combination what the ids of its trials begin with
    status: Status
    cause: Cause | None = None
    reason: str = ""
    optional: bool = False
    parameters: dict[str, Any] = {}  # those that the study varies
    seed: int | None = None  # None for a combination, and where the study sets no seeds
    metrics: dict[str, float] = {}  # of a combination the means over its seeds
    wall_s: float = 0.0  # of a combination the sum
    trials: tuple[str, ...] = ()  # ids of a combination's trials
    is_whole: bool = True  # False for a combination that lacks a seed
    spread: Mean | None = None  # the study's metric over a combination's seeds that passed
    behind: Difference | None = None  # this row's metric less the best row's, where its noise can be judged

    @property
    def shown(self) -> Shown:
        """The status as people see it."""
        return shown(self.status, is_optional=self.optional)

    @property
    def is_ranked(self) -> bool:
        """True if it has trained to its end."""
        return self.is_whole and (self.status == Status.PASSED or self.cause == "unchanged")

    @property
    def is_trained(self) -> bool:
        """True if its metrics are those of whole trainings: of a combination perhaps without some seeds."""
        return self.is_ranked or self.spread is not None


class StudyTable(Struct, frozen=True, kw_only=True):
    """A study with its trials."""

    id: str
    metric: str = ""  # by which rows are ranked; empty if no trial has a metric
    direction: Direction = ""  # which is better; empty if nobody says: rows are as planned
    parameters: tuple[str, ...] = ()  # names of those that the study varies
    metrics: tuple[str, ...] = ()  # names, the study's metric first, ends of intervals and baselines last
    trials: tuple[StudyRow, ...] = ()  # a row for each trial, best first
    rows: tuple[StudyRow, ...] = ()  # with seeds in a matrix a row for each combination, else the trials
    best: StudyRow | None = None  # one of the rows; None for seeds alone, of which none is better than another
    spread: Mean | None = None  # of seeds alone: the metric over those that passed


def studies(run: TrainingRun) -> list[StudyTable]:
    """Return the studies of a run in planned order, with their trials of earlier runs where it resumes one."""
    own, trials = {each.job_id: each for each in run.own_outcomes}, dict[str, list[Outcome]]()
    for outcome in own.values():
        trials.setdefault(outcome.trial_of or "", []).append(outcome)
    jobs = {each.job.id: each.job for each in run.plan.jobs if each.job.study}
    for study in (each for each in run.plan.jobs if each.job.study):
        several = (own.get(name) or trial_outcome(study, name, run.folder) for name in study.job.needs)
        trials[study.job.id] = [each for each in several if each]
    trials.pop("", None)
    return [study_table(name, several, jobs.get(name), own.get(name)) for name, several in trials.items()]


def study_table(
    study_id: str, trials: Sequence[Outcome], job: Job | None = None, outcome: Outcome | None = None
) -> StudyTable:
    """Return the table of a study's trials; `job` and `outcome` are its own, if the run has it."""
    metric, better, chosen = _judgement(trials, job, outcome)
    varied = tuple(dict.fromkeys(name for each in trials for name in each.varied))
    names = dict.fromkeys(name for each in trials for name in each.metrics)
    planned = [_row(each) for each in trials]
    seeds = [row for row in planned if row.seed is not None]
    chosen = "" if seeds and not varied else chosen  # of seeds alone none is better
    ranked = _ranked(planned, metric, better, chosen)
    number = len(job.study.seeds) if job and job.study else 0
    rows = _ranked(_combinations(planned, metric, number), metric, better, chosen) if seeds and varied else ranked
    ready = [row for row in rows if row.is_ranked] or [row for row in rows if row.spread]  # at worst without some seeds
    first = next((row for row in ready[:1] if metric in row.metrics), None)
    passed = [row.metrics for row in seeds if row.is_ranked and not varied]
    has_mean = passed and all(metric in metrics for metrics in passed)
    return StudyTable(
        id=study_id,
        metric=metric,
        direction=better,
        parameters=varied,
        metrics=tuple(sorted(names, key=lambda name: (name != metric, is_side_number(name)))),
        trials=tuple(ranked),
        rows=tuple(_judged(row, first) for row in rows),
        best=first if chosen or (chosen is None and better) else None,
        spread=mean_interval([metrics[metric] for metrics in passed], metric) if has_mean else None,
    )


def _judgement(
    trials: Sequence[Outcome], job: Job | None, outcome: Outcome | None
) -> tuple[str, Direction, str | None]:
    """Return the metric that ranks trials, which is better, and the best one's id, or None before the verdict."""
    if outcome and outcome.study and outcome.study.metric:
        return outcome.study.metric, outcome.study.direction, outcome.study.best
    gates = job.gates if job else ()
    names = [*(gate.metric for gate in gates), *(name for each in trials for name in each.metrics)]
    metric = (job and job.study and job.study.metric) or next(iter(names), "")
    return metric, direction(metric, gates) or "", None


def _row(outcome: Outcome) -> StudyRow:
    is_seed = "seed" not in outcome.varied and outcome.job_id.endswith(f"-seed-{outcome.seed}")
    return StudyRow(
        **{name: getattr(outcome, name) for name in ("status", "cause", "reason", "optional", "wall_s")},
        id=outcome.job_id,
        parameters={name: outcome.parameters[name] for name in outcome.varied if name in outcome.parameters},
        seed=outcome.seed if is_seed else None,
        metrics={name: value for name, value in outcome.metrics.items() if math.isfinite(value)},
    )


def _ranked(rows: Iterable[StudyRow], metric: str, better: Direction, chosen: str | None) -> list[StudyRow]:
    """Return whole trainings first, then pruned ones and combinations that lack a seed, then the others; stable."""
    sign = {"higher": -1, "lower": 1, "": 0}[better]

    def place(row: StudyRow) -> tuple[int, float]:
        if chosen in {row.id, *row.trials}:
            return -1, 0.0
        if metric in row.metrics and (row.is_trained or row.cause == "pruned"):
            return int(not row.is_ranked), sign * row.metrics[metric]
        return 2, not row.is_ranked

    return sorted(rows, key=place)


def _combinations(trials: Iterable[StudyRow], metric: str, seeds: int) -> list[StudyRow]:
    """Return a row for each combination of parameters, which is whole if it has all seeds."""
    by_parameters: dict[bytes, list[StudyRow]] = {}
    for row in trials:
        by_parameters.setdefault(encode(row.parameters), []).append(row)
    return [_combination(several, metric, seeds) for several in by_parameters.values()]


def _combination(trials: Sequence[StudyRow], metric: str, seeds: int) -> StudyRow:
    """Return the row of trials that differ in their seeds alone, with the status of the worst."""
    worst, passed = min(trials, key=lambda row: row.status.rank), [row.metrics for row in trials if row.is_ranked]
    names = [name for name in (passed[0] if passed else ()) if all(name in metrics for metrics in passed)]
    return replace(
        worst,
        id=worst.id.removesuffix(f"-seed-{worst.seed}"),
        seed=None,
        metrics={name: plain_mean([metrics[name] for metrics in passed]) for name in names},
        wall_s=math.fsum(row.wall_s for row in trials),
        trials=tuple(row.id for row in trials),
        is_whole=len(passed) >= max(seeds, len(trials)),
        spread=mean_interval([metrics[metric] for metrics in passed], metric) if metric in names else None,
    )


def _judged(row: StudyRow, first: StudyRow | None) -> StudyRow:
    """Return a row with its difference to the first one, if both have several seeds that change something."""
    if first is None or row is first or not (row.spread and first.spread and max(row.spread.sd, first.spread.sd)):
        return row
    return replace(row, behind=welch(row.spread, first.spread))
