"""Audits a run: compares a job's metrics with those of its twins, and collects what its own process has examined."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from pytest_training.evaluation.examination import unexamined
from pytest_training.evaluation.finding import CHECKS, Examined, Finding, LackingError, make_checks
from pytest_training.execution.attempt.messages import Result
from pytest_training.execution.job_files import read_json
from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.directions import direction
from pytest_training.jobs.model import SCHEMA_VERSION, Job, Value
from pytest_training.records.measures import Measure, measures
from pytest_training.units import number
from pytest_training.wording import listing

if TYPE_CHECKING:
    from pytest_training.records.recorded_run import TrainingRun

FITTED = ("train_{}", "training_{}", "fit_{}", "fitted_{}", "{}_train")  # names of a metric of the people of the fit
FAR, TIMES = 0.2, 2.0  # of a metric up to 1: how far held-out people are behind; of an error: how many times larger
SURELY = 0.15  # of the way from chance to 1, or from an error to 0: from here a metric without interval is no chance
MEASURED = re.compile(r"(^|_)(seconds|secs|s|ms|minutes|duration|elapsed|runtime|walltime|throughput|mb|mib|gb)(_|$)")
"""Names of metrics that differ between two trainings as clocks and memory do."""
SHOWN = 4  # metrics that a sentence names
SIGN = {"higher": 1.0, "lower": -1.0}
CHANCE = {"roc_auc": 0.5, "auc": 0.5, "auroc": 0.5, "r2": 0.0}  # of metrics without a baseline beside them


class JobAudit(Value, frozen=True, kw_only=True):
    """What an audit has found in one job."""

    job_id: str
    findings: tuple[Finding, ...] = ()
    unchecked: dict[str, str] = {}  # by code the reason why it could not be checked
    passed: tuple[str, ...] = ()  # codes of the checks that found nothing
    facts: tuple[str, ...] = ()
    known: tuple[str, ...] = ()  # columns that are no suspects, as the job states


class Audit(Value, frozen=True, kw_only=True):
    """The content of audit.json."""

    run_id: str
    mode: Literal["", "twice", "all"] = "all"
    jobs: tuple[JobAudit, ...] = ()
    checks: dict[str, str] = msgspec.field(default_factory=lambda: dict(CHECKS))
    schema_version: int = SCHEMA_VERSION

    @property
    def findings(self) -> list[tuple[str, Finding]]:
        """Each finding with its job."""
        return [(job.job_id, finding) for job in self.jobs for finding in job.findings]


class Trained(msgspec.Struct, frozen=True):
    """A job's outcome with those of its twins."""

    job: Job
    plain: Outcome
    again: Outcome | None = None
    shuffled: Sequence[Outcome] = ()
    examined: Examined | None = None


def make_audit(run: TrainingRun, outcomes: Mapping[str, Outcome]) -> Audit:
    """Return what the run's jobs and their twins show."""
    jobs, mode = [planned.job for planned in run.plan.jobs], run.settings.audit
    trained = [_trained(run, job, jobs, outcomes) for job in jobs if not (job.twin_of or job.study)]
    ordered = sorted(trained, key=lambda each: each.job.id)
    return Audit(run_id=run.folder.run_id, mode=mode, jobs=tuple(audit_job(each, mode) for each in ordered))


def _trained(run: TrainingRun, job: Job, jobs: Sequence[Job], outcomes: Mapping[str, Outcome]) -> Trained:
    twins = [each for each in jobs if each.twin_of == job.id]
    again = next((outcomes[each.id] for each in twins if not each.shuffle), None)
    result = None
    if again is not None and again.attempts:
        result = read_json(run.folder.job(again.job_id).attempt(again.attempts[-1].number).result, Result)
    shuffled = [outcomes[each.id] for each in twins if each.shuffle]
    return Trained(job, outcomes[job.id], again, shuffled, result.examined if result else None)


def audit_job(trained: Trained, mode: str) -> JobAudit:
    """Return what a job and its twins show."""
    of_metrics = OF_METRICS if mode == "all" else {"A15": twice_the_same}
    lacking = Examined(unchecked=dict.fromkeys(of_metrics, _why(trained.plain, trained.job.id)))
    compared = make_checks(of_metrics, trained) if trained.plain.metrics else lacking
    why = f"a {trained.job.kind} job has no run.predictions"
    if trained.again is None or not trained.again.metrics:
        why = _why(trained.again, f"{trained.job.id}-again")
    examined = (trained.examined or unexamined(why)) if mode == "all" else Examined()
    findings = sorted([*compared.findings, *examined.findings], key=lambda each: each.code)
    unchecked = dict(sorted((compared.unchecked | examined.unchecked).items()))
    silent = {*unchecked, *(each.code for each in findings)}
    asked = CHECKS if mode == "all" else of_metrics
    return JobAudit(
        job_id=trained.job.id,
        findings=tuple(findings),
        unchecked=unchecked,
        passed=tuple(code for code in asked if code not in silent),
        facts=examined.facts,
        known=examined.known,
    )


def _why(outcome: Outcome | None, job_id: str) -> str:
    """Return why a training has no metrics."""
    return f"{job_id} has no metrics: {outcome.reason or outcome.status}" if outcome else f"{job_id} was not selected"


def worse_than_dummy(trained: Trained) -> str | None:
    """Compare each metric with its baseline."""
    dummies = {each.name: each.baseline for each in measures(trained.plain) if each.baseline is not None}
    if not (pairs := list(_pairs(trained, dummies))):
        raise LackingError("no metric has a baseline beside it, like baseline_roc_auc; run.predictions adds it")
    worse = [words for words, value, dummy, sign in pairs if sign * value < sign * dummy]
    return f"worse than the dummy, which knows the target alone: {_listed(worse)}" if worse else None


def fitted_far_better(trained: Trained) -> str | None:
    """Compare the metrics of the people of the fit with those of people who were held out."""
    metrics = trained.plain.metrics
    fitted = {name: metrics[each] for name in metrics for form in FITTED if (each := form.format(name)) in metrics}
    if not (pairs := list(_pairs(trained, fitted))):
        what = "no metric is of the people of the fit, like train_roc_auc"
        raise LackingError(f"{what}; run.predictions(…, name='train') adds it")
    far = [words for words, value, fit, sign in pairs if (fit - value > FAR if sign > 0 else value > TIMES * fit)]
    return f"far better on the people of the fit than on others: {_listed(far)}" if far else None


def _pairs(trained: Trained, others: Mapping[str, float]) -> Iterator[tuple[str, float, float, float]]:
    """Yield each metric with the other value of its name: both in words, both values, 1 if more is better, else -1."""
    for name, other in others.items():
        value, better = trained.plain.metrics[name], direction(name, trained.job.gates)
        if better:
            yield f"{name} {number(value)} against {number(other)}", value, other, SIGN[better]


def _listed(words: Sequence[str]) -> str:
    return listing("", words, limit=SHOWN)


class Shuffled(msgspec.Struct, frozen=True):
    """The headline of a job and those of its trainings with a shuffled target, with a sign: more is better."""

    main: Measure
    sign: float
    values: Sequence[float]
    sure: Sequence[float | None]  # the worse ends of their intervals

    @property
    def words(self) -> str:
        """The headline on shuffled targets."""
        return ", ".join(number(self.sign * value) for value in self.values)

    @property
    def is_predicted(self) -> bool | None:
        """True if shuffled targets are predicted; None if the metric's chance level is unknown."""
        if (chance := _chance(self.main)) is None:
            return None
        from_here = self.sign * chance + SURELY * abs(1.0 - chance if self.sign > 0 else chance)
        ends = zip(self.values, self.sure, strict=True)
        return all(value > from_here if end is None else end > self.sign * chance for value, end in ends)


def _chance(main: Measure) -> float | None:
    """Return the metric of a model that knows nothing, or None if it is unknown."""
    known = (value for end, value in CHANCE.items() if f"_{main.name}".endswith(f"_{end}"))
    return main.baseline if main.baseline is not None else next(known, None)


def _shuffled(trained: Trained) -> Shuffled:
    """Return the headline with those of shuffled targets, or raise LackingError."""
    of_fit = {form.format(name) for form in FITTED for name in trained.plain.metrics}
    others = [each for each in measures(trained.plain) if each.name not in of_fit]
    if not (directed := [each for each in others if direction(each.name, trained.job.gates)]):
        raise LackingError("no metric says by its name or its gate whether more is better")
    if not trained.shuffled:
        raise LackingError("no training with a shuffled target: train calls no run.target(y), or it was not selected")
    main = next((each for each in directed if _chance(each) is not None), directed[0])
    if missing := [outcome for outcome in trained.shuffled if main.name not in outcome.metrics]:
        raise LackingError(_why(missing[0], missing[0].job_id))
    if all(outcome.metrics == trained.plain.metrics for outcome in trained.shuffled):
        raise LackingError("a shuffled target changes no metric: train does not use what run.target returns")
    sign = SIGN[direction(main.name, trained.job.gates) or "higher"]
    ends = [outcome.metrics.get(f"{main.name}_{'low' if sign > 0 else 'high'}") for outcome in trained.shuffled]
    values = [sign * outcome.metrics[main.name] for outcome in trained.shuffled]
    return Shuffled(main, sign, values, [None if each is None else sign * each for each in ends])


def no_better_than_shuffled(trained: Trained) -> str | None:
    """Compare the headline with those of shuffled targets."""
    if (shuffled := _shuffled(trained)).is_predicted:
        return None  # the same fault has a code of its own
    main, values = shuffled.main, shuffled.values
    end = main.low if shuffled.sign > 0 else main.high
    # Without an interval the spread of the shuffled ones says how much is chance.
    chance = max(values) + (max(values) - min(values)) if end is None else sum(values) / len(values)
    if shuffled.sign * (main.value if end is None else end) > chance:
        return None
    interval = f" ({main.interval})" if main.interval else ""
    return f"{main.name} {number(main.value)}{interval} is no better than with a shuffled target: {shuffled.words}"


def shuffled_predicted(trained: Trained) -> str | None:
    """Return a finding if a shuffled target is predicted."""
    name = (shuffled := _shuffled(trained)).main.name
    if (chance := _chance(shuffled.main)) is None:
        raise LackingError(f"nobody knows what {name} is by chance: a metric baseline_{name} would say it")
    said = f"{name} is {shuffled.words} with a shuffled target, {number(chance)} is chance"
    return f"{said}: people who are held out later take part in a choice or a fit" if shuffled.is_predicted else None


def twice_the_same(trained: Trained) -> str | None:
    """Compare the metrics of two trainings with one seed to the last bit."""
    if trained.again is None or not trained.again.metrics:
        raise LackingError(_why(trained.again, f"{trained.job.id}-again"))
    first, second = trained.plain.metrics, trained.again.metrics
    names = [name for name in dict.fromkeys([*first, *second]) if not MEASURED.search(name)]
    differ = [name for name in names if first.get(name) != second.get(name)]
    other = [f"{name} {first.get(name, 'nothing')} and {second.get(name, 'nothing')}" for name in differ]
    count = f"{len(other)} of {len(names)} metrics"
    return f"two trainings with one seed differ in {count}: {_listed(other)}" if other else None


OF_METRICS = {
    "A08": worse_than_dummy,
    "A09": no_better_than_shuffled,
    "A10": shuffled_predicted,
    "A11": fitted_far_better,
    "A15": twice_the_same,
}
