"""Studies as tables: a row for each trial, or for each combination that has several seeds, the best first.

Console, CSV, JSON, summary and page take a study's order, its best row and the differences from here.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from pytest_training.evaluation.noise import Difference, Mean, mean_interval, plain_mean, welch
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Cause, Outcome, Status
from pytest_training.execution.slot import read_outcome
from pytest_training.jobs.directions import direction, is_side_number
from pytest_training.jobs.model import PlannedJob
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.records.strict_json import encode

Direction = Literal["higher", "lower", ""]


class StudyRow(Struct, frozen=True, kw_only=True):
    """A trial, or a combination of parameters with its seeds."""

    id: str  # of the trial; of a combination what the ids of its trials begin with
    status: Status
    cause: Cause | None = None
    reason: str = ""
    parameters: dict[str, Any] = {}  # those that the study varies
    seed: int | None = None  # None for a combination, and where the study sets no seeds
    metrics: dict[str, float] = {}  # of a combination the means over its seeds
    wall_s: float = 0.0  # of a combination the sum
    trials: tuple[str, ...] = ()  # ids of a combination's trials
    spread: Mean | None = None  # the study's metric over a combination's seeds that passed
    behind: Difference | None = None  # this row's metric less the best row's, where its noise can be judged

    @property
    def is_ranked(self) -> bool:
        """True if its metrics are those of a whole training."""
        return self.status == Status.PASSED or self.cause == "unchanged"

    @property
    def seeds(self) -> int:
        """Number of seeds that passed, of a combination."""
        return self.spread.number if self.spread else 0


class StudyTable(Struct, frozen=True, kw_only=True):
    """A study with its trials."""

    id: str
    title: str = ""
    metric: str = ""  # by which rows are ranked; empty if no trial has a metric
    direction: Direction = ""  # which is better; empty if nobody says: rows are as planned
    parameters: tuple[str, ...] = ()  # names of those that the study varies
    metrics: tuple[str, ...] = ()  # names, the study's metric first, ends of intervals and baselines last
    trials: tuple[StudyRow, ...] = ()  # a row for each trial, best first
    rows: tuple[StudyRow, ...] = ()  # with seeds in a matrix a row for each combination, else the trials
    best: StudyRow | None = None  # one of the rows; None for seeds alone, of which none is better than another
    spread: Mean | None = None  # of seeds alone: the metric over those that passed
    outcome: Outcome | None = None  # the study's own: its verdict

    @property
    def has_seeds(self) -> bool:
        """True if the study sets seeds."""
        return any(row.seed is not None for row in self.trials)


def studies(run: TrainingRun) -> list[StudyTable]:
    """Return the studies of a run in planned order, with their trials of earlier runs where it resumes one."""
    own = {outcome.job_id: outcome for outcome in run.own_outcomes}
    planned = {each.job.id: each for each in run.plan.jobs}
    named = [outcome.trial_of or "" for outcome in own.values()]
    ids = dict.fromkeys([*filter(None, named), *(each.job.id for each in planned.values() if each.job.study)])
    tables = []
    for study_id in ids:
        study, trials = planned.get(study_id), [each for each in own.values() if each.trial_of == study_id]
        trials = _with_earlier(trials, study, run.folder) if study else trials
        seeded = any(planned[each.job_id].job.seed is not None for each in trials if each.job_id in planned)
        seeded = bool(study and study.job.study and study.job.study.seeds) or seeded
        tables.append(study_table(study_id, trials, study=study, outcome=own.get(study_id), has_seeds=seeded))
    return tables


def study_table(
    study_id: str,
    trials: Sequence[Outcome],
    *,
    study: PlannedJob | None = None,
    outcome: Outcome | None = None,
    has_seeds: bool = False,
) -> StudyTable:
    """Return the table of a study's trials; `study` and `outcome` are its own job's, if the run has it."""
    metric, better = _ranking(trials, study, outcome)
    varied = tuple(dict.fromkeys(name for each in trials for name in each.varied))
    names = dict.fromkeys(name for each in trials for name in each.metrics)
    ranked = _ranked([_row(each, varied, has_seeds=has_seeds) for each in trials], metric, better)
    is_crossed = has_seeds and bool(varied)
    rows = _judged(_ranked(_combinations(ranked, metric), metric, better) if is_crossed else ranked, metric)
    numbers = [row.metrics[metric] for row in ranked if row.is_ranked and metric in row.metrics]
    is_chosen = better and (varied or not has_seeds)
    return StudyTable(
        id=study_id,
        title=study.job.title if study else outcome.title if outcome else "",
        metric=metric,
        direction=better,
        parameters=varied,
        metrics=tuple(sorted(names, key=lambda name: (name != metric, is_side_number(name)))),
        trials=tuple(ranked),
        rows=tuple(rows),
        best=next((row for row in rows if is_chosen and row.is_ranked and metric in row.metrics), None),
        spread=mean_interval(numbers) if has_seeds and not varied and numbers else None,
        outcome=outcome,
    )


def _with_earlier(trials: list[Outcome], study: PlannedJob, folder: RunFolder) -> list[Outcome]:
    """Return the trials in planned order, with those that an earlier run has trained."""
    by_id = {each.job_id: each for each in trials}
    for trial_id, needed in study.needed.items():
        earlier = read_outcome(RunFolder(folder.reports, needed.run_id), trial_id) if trial_id not in by_id else None
        by_id |= {trial_id: earlier} if earlier else {}
    order = dict.fromkeys([*study.job.needs, *by_id])
    return [by_id[trial_id] for trial_id in order if trial_id in by_id]


def _ranking(trials: Sequence[Outcome], study: PlannedJob | None, outcome: Outcome | None) -> tuple[str, Direction]:
    """Return the metric that ranks the trials, and which is better: as the study was judged, else as it is declared."""
    if outcome and outcome.study and outcome.study.metric:
        return outcome.study.metric, outcome.study.direction
    gates = study.job.gates if study else ()
    stated = study.job.study.metric if study and study.job.study else ""
    measured = [name for each in trials for name in each.metrics]
    metric = stated or next(iter([*(gate.metric for gate in gates), *measured]), "")
    return metric, direction(metric, gates) or ""


def _row(outcome: Outcome, varied: Iterable[str], *, has_seeds: bool) -> StudyRow:
    return StudyRow(
        id=outcome.job_id,
        status=outcome.status,
        cause=outcome.cause,
        reason=outcome.reason,
        parameters={name: outcome.parameters[name] for name in varied if name in outcome.parameters},
        seed=outcome.seed if has_seeds else None,
        metrics={name: value for name, value in outcome.metrics.items() if math.isfinite(value)},
        wall_s=outcome.wall_s,
    )


def _ranked(rows: Iterable[StudyRow], metric: str, better: Direction) -> list[StudyRow]:
    """Return whole trainings first, then pruned ones and combinations that lack a seed, then the others; stable."""
    sign = {"higher": -1, "lower": 1, "": 0}[better]

    def place(row: StudyRow) -> tuple[int, float]:
        if metric in row.metrics and (row.is_ranked or row.spread or row.cause == "pruned"):
            return int(not row.is_ranked), sign * row.metrics[metric]
        return 2, not row.is_ranked

    return sorted(rows, key=place)


def _combinations(trials: Iterable[StudyRow], metric: str) -> list[StudyRow]:
    """Return a row for each combination of parameters."""
    by_parameters: dict[bytes, list[StudyRow]] = {}
    for row in trials:
        by_parameters.setdefault(encode(row.parameters), []).append(row)
    return [_combination(sorted(rows, key=lambda row: row.seed or 0), metric) for rows in by_parameters.values()]


def _combination(trials: Sequence[StudyRow], metric: str) -> StudyRow:
    """Return the row of trials that differ in their seeds alone: with the status of the worst."""
    worst, first = min(trials, key=lambda row: row.status.rank), trials[0]
    ranked = [row for row in trials if row.is_ranked]
    names = dict.fromkeys(name for row in ranked for name in row.metrics)
    numbers = {name: [row.metrics[name] for row in ranked if name in row.metrics] for name in names}
    return replace(
        first,
        id=first.id.removesuffix(f"-seed-{first.seed}"),
        status=worst.status,
        cause=worst.cause,
        reason=worst.reason,
        seed=None,
        metrics={name: plain_mean(several) for name, several in numbers.items()},
        wall_s=math.fsum(row.wall_s for row in trials),
        trials=tuple(row.id for row in trials),
        spread=mean_interval(numbers[metric]) if metric in numbers else None,
    )


def _judged(rows: Sequence[StudyRow], metric: str) -> list[StudyRow]:
    """Return the rows with their differences to the first one, where both have several seeds."""
    first = rows[0].spread if rows and metric in rows[0].metrics else None
    return [
        replace(row, behind=welch(row.spread, first)) if first and row.spread and index else row
        for index, row in enumerate(rows)
    ]
