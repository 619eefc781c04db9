"""What got better or worse: the outcomes of a run beside earlier ones. Says it in data; others show it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_training.execution.outcome import Outcome
from pytest_training.records.history import Recorded
from pytest_training.records.measures import Direction, direction, is_side_number, measures
from pytest_training.records.strict_json import plain
from pytest_training.units import distinct, number

Verdict = Literal["better", "worse", "same", "changed"]

MOST_TOLD = 5  # changes of a job that a list of all jobs shows
SAME = 1e-9  # relative: what the order of floating-point sums may change
MARKS: Mapping[Verdict, str] = {"better": "▲", "worse": "▼", "same": "=", "changed": "≠"}


@dataclass(frozen=True)
class Change:
    """One metric then and now."""

    metric: str
    before: float
    now: float
    better: Direction | None
    verdict: Verdict
    is_within_interval: bool
    """True if the earlier value lies in the interval of the present one: chance alone may explain the difference."""

    @property
    def difference(self) -> float:
        """What was added."""
        return self.now - self.before

    @property
    def tone(self) -> str:
        """How loudly to say it: `better`, `worse`, or `chance` for what chance alone may explain."""
        return "chance" if self.is_within_interval or self.verdict not in {"better", "worse"} else self.verdict

    def words(self) -> str:
        """Say it in one line: `▼ 0.871 → 0.802 (-0.069)`."""
        before, now = number(self.before), number(self.now)
        if before == now and self.verdict != "same":
            before, now = distinct(self.before, self.now)
        if self.verdict == "same":
            return f"= {now}"
        chance = ", within its interval" if self.is_within_interval else ""
        return f"{MARKS[self.verdict]} {before} → {now} ({self.difference:+.3g}{chance})"


@dataclass(frozen=True)
class JobComparison:
    """A job beside its earlier outcome."""

    job_id: str
    earlier: Recorded
    changes: tuple[Change, ...]
    status: tuple[str, str] | None
    """Status then and now, where they differ."""
    parameters: tuple[str, ...]
    """Names of the parameters that differ: then the comparison is not one of code alone."""

    @property
    def verdict(self) -> Verdict:
        """What the first metric, the headline, says."""
        return self.changes[0].verdict if self.changes else "same"

    @property
    def is_notable(self) -> bool:
        """True if there is anything to tell."""
        return self.status is not None or any(change.verdict != "same" for change in self.changes)

    @property
    def is_loud(self) -> bool:
        """True if something changed by more than chance explains."""
        return self.status is not None or any(change.tone in {"better", "worse"} for change in self.changes)

    @property
    def told(self) -> tuple[Change, ...]:
        """The changes to tell: the headline's, and those that are more than chance."""
        differ = [change for change in self.changes if change.verdict != "same"]
        return tuple(change for change in differ if change is self.changes[0] or change.tone != "chance")[:MOST_TOLD]

    @property
    def untold(self) -> int:
        """How many more metrics differ."""
        return sum(change.verdict != "same" for change in self.changes) - len(self.told)


@dataclass(frozen=True)
class Comparison:
    """A run beside what it is compared with."""

    against: str
    """In words: `the last run`, `branch main`."""
    jobs: tuple[JobComparison, ...] = ()
    missing: tuple[str, ...] = ()
    """Ids of jobs that have no earlier outcome there."""
    problems: tuple[str, ...] = ()

    def of(self, job_id: str) -> JobComparison | None:
        """Return the comparison of a job."""
        return next((job for job in self.jobs if job.job_id == job_id), None)


def compare(outcomes: Sequence[Outcome], earlier: Mapping[str, Recorded], *, against: str) -> Comparison:
    """Compare each outcome that has metrics with the earlier one of its job."""
    measured = [outcome for outcome in outcomes if outcome.metrics or outcome.job_id in earlier]
    return Comparison(
        against=against,
        jobs=tuple(_job(each, earlier[each.job_id]) for each in measured if each.job_id in earlier),
        missing=tuple(each.job_id for each in measured if each.job_id not in earlier),
    )


def _job(now: Outcome, earlier: Recorded) -> JobComparison:
    before = earlier.outcome
    return JobComparison(
        job_id=now.job_id,
        earlier=earlier,
        changes=tuple(_changes(now, before)),
        status=(before.status, now.status) if before.status != now.status else None,
        parameters=tuple(_differing(plain(before.parameters), plain(now.parameters))),
    )


def _changes(now: Outcome, before: Outcome) -> Iterable[Change]:
    gates = [result.gate for result in now.gates]
    for measure in measures(now):
        then = before.metrics.get(measure.name)
        if then is None or is_side_number(measure.name):
            continue
        better = direction(measure.name, gates)
        inside = measure.low is not None and measure.high is not None and measure.low <= then <= measure.high
        yield Change(measure.name, then, measure.value, better, _verdict(then, measure.value, better), inside)


def _verdict(before: float, now: float, better: Direction | None) -> Verdict:
    if math.isclose(before, now, rel_tol=SAME, abs_tol=1e-12):
        return "same"
    if better is None:
        return "changed"
    return "better" if (now > before) == (better == "higher") else "worse"


def _differing(before: Mapping[str, object], now: Mapping[str, object]) -> Iterable[str]:
    for name in dict.fromkeys([*before, *now]):
        if before.get(name) != now.get(name) or (name in before) != (name in now):
            yield name
