"""Gates made of earlier metrics: with `--training-max-regression`, a job may not get much worse."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import Gate, Job, Plan
from pytest_training.planning.steps import Request
from pytest_training.records.comparison import find_earlier, find_place
from pytest_training.records.history import History, Recorded
from pytest_training.records.measures import direction, headline

RULE = r"(?:(?P<metric>[^=]+?)\s*=\s*)?(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)\s*(?P<percent>%?)"


Rules = Mapping[str | None, tuple[float, str]]
"""How much worse a metric may get, as a number or with `%` as a share; the rule for all metrics is under None."""


def with_comparison(plan: Plan, history: History, request: Request) -> tuple[Plan, list[str]]:
    """Return the plan with gates for `--training-max-regression`, and a sentence for each missing one."""
    rules, against = _parse(request.max_regression), request.compare or "last"
    if not rules:
        find_place(history, against, request.project)  # an unknown name is an error before anything trains
        return plan, []
    jobs = [planned.job for planned in plan.jobs]
    # Passed ones only: else the next run would be compared with a regression.
    earlier, words, problem = find_earlier(
        history, [job.id for job in jobs], against, project=request.project, passed_only=True
    )
    declared = [gate for job in jobs for gate in job.gates]
    problems = [f"{problem}; no regression is judged"] if problem else []
    problems += [
        f"--training-max-regression {metric}: not judged: neither a gate nor the name says whether more is better"
        for metric in rules
        if metric is not None and direction(metric, declared) is None
    ]
    missing = [job.id for job in jobs if job.id not in earlier]
    if missing and earlier:
        problems.append(f"no regression is judged without a passed outcome from {words}: {', '.join(missing[:12])}")
    gated = (replace(job, gates=(*job.gates, *_gates(job, earlier.get(job.id), rules))) for job in jobs)
    planned_jobs = (replace(planned, job=job) for planned, job in zip(plan.jobs, gated, strict=True))
    return replace(plan, jobs=tuple(planned_jobs)), problems


def _parse(texts: Sequence[str]) -> Rules:
    """Parse rules like `0.02`, `roc_auc=0.02` and `mae=5%`."""
    rules: dict[str | None, tuple[float, str]] = {}
    for text in texts:
        match = re.fullmatch(RULE, text.strip())
        if match is None:
            raise DeclarationError(
                f"--training-max-regression: expected a number like 0.02, roc_auc=0.02 or mae=5%, found {text!r}"
            )
        rules[match["metric"]] = float(match["number"]), match["percent"]
    return rules


def _gates(job: Job, earlier: Recorded | None, rules: Rules) -> Iterator[Gate]:
    if earlier is None:
        return
    main = headline(earlier.outcome)
    gated = [gate.metric for gate in job.gates] or ([main.name] if main else [])
    for metric in dict.fromkeys([*(gated if None in rules else ()), *(name for name in rules if name is not None)]):
        better, before = direction(metric, job.gates), earlier.outcome.metrics.get(metric)
        if better is None or before is None or not math.isfinite(before):
            continue
        amount, percent = rules.get(metric) or rules[None]
        margin = abs(before) * (amount / 100) if percent else amount
        yield Gate(
            metric=metric,
            operator=">=" if better == "higher" else "<=",
            threshold=before - margin if better == "higher" else before + margin,
            against=f"{before:.4g} in run {earlier.run_id}, at most {amount:g}{' %' if percent else ''} worse",
        )
