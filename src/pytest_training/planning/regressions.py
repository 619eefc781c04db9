"""Earlier outcomes in the plan: predictions to compare with, and gates for `--training-max-regression`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.evaluation.noise import EarlierMetric, mean_of_seeds
from pytest_training.evaluation.ranges import ends
from pytest_training.jobs.directions import direction
from pytest_training.jobs.model import Gate, Job, Plan, PlannedJob
from pytest_training.planning.parameters import varied
from pytest_training.planning.steps import Request
from pytest_training.records import comparison, measures
from pytest_training.records.history import PASSED, History, Recorded

RULE = r"(?:(?P<metric>[^=]+?)\s*=\s*)?(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)\s*(?P<percent>%?)"
Rules = Mapping[str | None, tuple[float, str]]
"""How much worse a metric may get, as a number or with `%` as a share; the rule for all metrics is under None."""


def with_comparison(plan: Plan, history: History, request: Request, *, is_dry: bool) -> tuple[Plan, list[str]]:
    """Return the plan with what predictions are compared with, gates for `--training-max-regression`, and problems."""
    rules, against = _parse(request.max_regression), request.compare or "last"
    # An unknown name is an error before anything trains.
    place = comparison.find_place(history, against, request.project)
    ids = {planned.job.id for planned in plan.jobs}
    jobs = [each.job for each in plan.jobs if not each.job.twin_of and each.job.trial_of not in ids]
    newest = {} if is_dry else history.newest([job.id for job in jobs], place=place)
    # Passed ones only: else the next run would be compared with a regression.
    passed = history.newest([job.id for job in jobs], place=place, which=PASSED) if rules else {}

    def complete(planned: PlannedJob) -> PlannedJob:
        job = planned.job
        compared = job.trial_of if job.trial_of in ids else job.id  # whichever trial becomes the best
        several = [each[compared] for each in (newest, passed) if compared in each]
        trained = [each.job for each in plan.jobs if each.job.trial_of == job.id] if job.study else [job]
        gates = (*job.gates, *_gates(job, passed.get(job.id), rules, trained))
        folders = dict(filter(None, map(comparison.predicted, several)))
        return replace(planned, job=replace(job, gates=gates), earlier=folders)

    plan = replace(plan, jobs=tuple(map(complete, plan.jobs)))
    return plan, [*_problems(jobs, passed, rules, place.words), *_idle(plan)] if rules else []


def _idle(plan: Plan) -> Iterator[str]:
    """Yield a sentence for each metric of a gate that every value satisfies, as with `2` where `2%` was meant."""
    gates = {gate.metric: (gate, gate.earlier.value) for each in plan.jobs for gate in each.job.gates if gate.earlier}
    for name, (gate, before) in gates.items():
        low, high = ends(name, [before])
        if not low <= gate.threshold <= high:
            yield f"--training-max-regression: every {name} is {gate.operator} {gate.threshold:.3g}: did you mean '%'?"


def _problems(jobs: Sequence[Job], earlier: Mapping[str, Recorded], rules: Rules, words: str) -> list[str]:
    problem = f"nothing to compare with: the history has no passed outcome of these jobs from {words}"
    problems = [f"{problem}; no regression is judged"] if jobs and not earlier else []
    declared = [gate for job in jobs for gate in job.gates]
    problems += [
        f"--training-max-regression {metric}: not judged: neither a gate nor the name says whether more is better"
        for metric in rules
        if metric is not None and direction(metric, declared) is None
    ]
    if earlier and (missing := [job.id for job in jobs if job.id not in earlier]):
        problems.append(f"no regression is judged without a passed outcome from {words}: {', '.join(missing[:12])}")
    return problems


def _parse(texts: Sequence[str]) -> Rules:
    """Parse rules like `0.02`, `2%`, `roc_auc=0.02` and `mae=5%`."""
    rules: dict[str | None, tuple[float, str]] = {}
    for text in texts:
        if (match := re.fullmatch(RULE, text.strip())) is None:
            problem = f"--training-max-regression: expected a number like 2%, 0.02 or roc_auc=0.02, found {text!r}"
            raise DeclarationError(problem)
        rules[match["metric"]] = float(match["number"]), match["percent"]
    return rules


def _gates(job: Job, earlier: Recorded | None, rules: Rules, trained: Sequence[Job]) -> Iterator[Gate]:
    """Yield a gate for each metric that may not get much worse; of an interval's end it is the metric itself."""
    if earlier is None:
        return
    outcome, metrics = earlier.outcome, earlier.outcome.metrics
    main, seeds = measures.headline(outcome), outcome.study.seeds if outcome.study else 0
    spreads = {f"{name}_sd" for name in metrics} if seeds else set[str]()  # a larger one is no worse metric
    gates = [replace(gate, metric=measures.whole(gate.metric, metrics)) for gate in job.gates]
    gated = [gate.metric for gate in gates if gate.metric not in spreads] or ([main.name] if main else [])
    for metric in dict.fromkeys([*(gated if None in rules else ()), *(name for name in rules if name is not None)]):
        better, before = direction(metric, (*gates, *job.gates)), metrics.get(metric)
        if better is None or before is None or not math.isfinite(before):
            continue
        amount, percent = rules.get(metric) or rules[None]
        margin = abs(before) * (amount / 100) if percent else amount
        others = _others(trained, outcome.parameters)
        more = f" with other parameters ({', '.join(others)})" if others else ""
        yield Gate(
            metric=metric,
            operator=">=" if better == "higher" else "<=",
            threshold=before - margin if better == "higher" else before + margin,
            against=f"{before:.4g} in run {earlier.run_id}{more}, at most {amount:g}{' %' if percent else ''} worse",
            earlier=EarlierMetric(earlier.run_id, before, mean_of_seeds(metrics, metric, seeds)),
        )


def _others(trained: Sequence[Job], before: Mapping[str, Any]) -> list[str]:
    """Return the names of parameters that differ in a job, or in all trials of a study, but those that it sets."""
    several = [{*comparison.other_parameters(job.parameters, before)} for job in trained]
    others = set.intersection(*several) if several else set[str]()
    return sorted(name for name in others if not any(varied(job, name) for job in trained))
