"""Makes gates of earlier metrics: with `--training-max-regression`, a job may not get worse than that."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import Gate, Job, Plan
from pytest_training.planning.request import Request
from pytest_training.records.comparison import find_earlier, find_place
from pytest_training.records.history import History, Recorded
from pytest_training.records.measures import direction, headline

RULE = r"(?:(?P<metric>[^=]+?)\s*=\s*)?(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)\s*(?P<percent>%?)"


@dataclass(frozen=True)
class Allowed:
    """How much worse a metric may get."""

    amount: float
    is_share: bool
    """Whether the amount is a share of the earlier value."""

    def of(self, earlier: float) -> float:
        """Return the amount for an earlier value."""
        return abs(earlier) * self.amount if self.is_share else self.amount

    def __str__(self) -> str:
        return f"{100 * self.amount:g} %" if self.is_share else f"{self.amount:g}"


def read_rules(rules: Sequence[str]) -> dict[str | None, Allowed]:
    """Read rules like `0.02`, `roc_auc=0.02` and `mae=5%`, by metric; the one for all metrics is under None."""
    allowed: dict[str | None, Allowed] = {}
    for rule in rules:
        match = re.fullmatch(RULE, rule.strip())
        if match is None:
            raise DeclarationError(
                f"--training-max-regression: expected a number like 0.02, roc_auc=0.02 or mae=5%, found {rule!r}"
            )
        is_share = bool(match["percent"])
        allowed[match["metric"]] = Allowed(float(match["number"]) / (100 if is_share else 1), is_share)
    return allowed


def with_comparison(plan: Plan, history: History, request: Request) -> tuple[Plan, tuple[str, ...]]:
    """Return the plan with the gates that `--training-max-regression` asks for, and what could not be done, if any."""
    rules, against = read_rules(request.max_regression), request.compare or "last"
    if not rules:
        find_place(history, against, request.project)  # an unknown name is an error before anything trains
        return plan, ()
    jobs = [planned.job for planned in plan.jobs]
    # Passed ones only: else a regression would fail one run and be what the next one is measured by.
    earlier, words, problem = find_earlier(
        history, [job.id for job in jobs], against, project=request.project, passed_only=True
    )
    problems = [f"{problem}; no regression is judged"] if problem else []
    problems += [
        f"--training-max-regression {metric}: not judged: neither a gate nor the name tells whether more is better"
        for metric in unknown_directions(rules, jobs)
    ]
    missing = [job.id for job in jobs if job.id not in earlier]
    if missing and earlier:
        problems.append(
            f"no regression is judged, for want of a passed outcome from {words}: {', '.join(missing[:12])}"
        )
    return with_regression_gates(plan, earlier, rules), tuple(problems)


def with_regression_gates(plan: Plan, earlier: Mapping[str, Recorded], rules: Mapping[str | None, Allowed]) -> Plan:
    """Return the plan whose jobs must also not get worse than their earlier outcomes, by more than is allowed."""
    jobs = tuple(
        msgspec.structs.replace(
            planned,
            job=msgspec.structs.replace(
                planned.job, gates=(*planned.job.gates, *_gates(planned.job, earlier.get(planned.job.id), rules))
            ),
        )
        for planned in plan.jobs
    )
    return msgspec.structs.replace(plan, jobs=jobs)


def _gates(job: Job, earlier: Recorded | None, rules: Mapping[str | None, Allowed]) -> Iterator[Gate]:
    if earlier is None:
        return
    metrics = earlier.outcome.metrics
    main = headline(earlier.outcome)
    everywhere = dict.fromkeys(gate.metric for gate in job.gates) or ({main.name: None} if main else {})
    named = {metric: None for metric in rules if metric is not None}
    for metric in {**(everywhere if None in rules else {}), **named}:
        better = direction(metric, job.gates)
        before = metrics.get(metric)
        if better is None or before is None or not math.isfinite(before):
            continue
        allowed = rules.get(metric) or rules[None]
        margin = allowed.of(before)
        yield Gate(
            metric=metric,
            operator=">=" if better == "higher" else "<=",
            threshold=before - margin if better == "higher" else before + margin,
            against=f"{before:.4g} in run {earlier.run_id}, at most {allowed} worse",
        )


def unknown_directions(rules: Mapping[str | None, Allowed], jobs: Sequence[Job]) -> list[str]:
    """Return the named metrics of which neither a gate nor the name tells whether more is better."""
    gates = [gate for job in jobs for gate in job.gates]
    return [metric for metric in rules if metric is not None and direction(metric, gates) is None]
