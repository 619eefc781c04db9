"""What got better or worse: the outcomes of a run beside those of the last run, a named run, a branch or a commit."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.evaluation.noise import JUDGED_LEVEL, Difference, judged_difference, mean_of_seeds
from pytest_training.execution.attempt.earlier import differences, read_all
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.git import find_commit
from pytest_training.jobs.directions import direction, is_side_number
from pytest_training.jobs.model import Gate
from pytest_training.records.history import COMPARABLE, ENDED, History, Place, Recorded
from pytest_training.records.measures import Measure, measures
from pytest_training.records.strict_json import plain
from pytest_training.units import distinct, number
from pytest_training.wording import listing

Verdict = Literal["better", "worse", "same", "changed", "noise"]
COMMIT = r"[0-9a-f]{4,64}"
MOST_LISTED = 5  # changes of a job in a list of all jobs; runs or branches in a message
SAME = 1e-9  # relative: what the order of floating-point sums may change


class Change(Struct, frozen=True):
    """One metric then and now."""

    run_id: str  # of the earlier run
    metric: str
    before: float
    now: float
    verdict: Verdict
    difference: Difference | None = None  # what judges the change against noise, if seeds or predictions allow that

    @property
    def arrow(self) -> str:
        """Where the value went, for better or worse."""
        return "=" if self.verdict == "same" else "▲" if self.now > self.before else "▼"

    @property
    def tone(self) -> str:
        """`better`, `worse`, or `chance` for a difference that noise may explain, or that is neither."""
        return self.verdict if self.verdict in {"better", "worse"} else "chance"

    @property
    def judgement(self) -> str:
        """The verdict in words, with what it rests on: `worse, beyond noise`, `worse, not judged against noise`."""
        if self.verdict == "same":
            return ""
        if self.difference is None:
            return f"{self.verdict}, not judged against noise"
        return f"{self.verdict}, beyond noise" if self.difference.is_beyond_noise else "within noise"

    def words(self) -> str:
        """Return the change as one line: `▼ 0.871 → 0.802 (-0.069, -0.09 to -0.05): worse, beyond noise`."""
        before, now = number(self.before), number(self.now)
        if self.verdict == "same":
            return f"= {now}"
        if before == now:
            before, now = distinct(self.before, self.now)
        span = f", {self.difference.low:+.3g} to {self.difference.high:+.3g}" if self.difference else ""
        return f"{self.arrow} {before} → {now} ({self.now - self.before:+.3g}{span}): {self.judgement}"


class JobComparison(Struct, frozen=True):
    """A job beside its earlier outcome."""

    job_id: str
    earlier: Recorded  # the newest that ended
    changes: tuple[Change, ...]
    status: tuple[str, str] | None  # status then and now, where they differ
    parameters: tuple[str, ...]  # names of the parameters that differ
    remarks: tuple[str, ...] = ()  # gates that differ, and the run of the metrics if it is another

    @property
    def differing(self) -> list[Change]:
        """The changes of metrics that are not the same."""
        return [change for change in self.changes if change.verdict != "same"]

    @property
    def is_notable(self) -> bool:
        """True if its status, a parameter or a metric differs."""
        return self.is_loud or bool(self.differing)

    @property
    def is_loud(self) -> bool:
        """True if something changed by more than chance explains."""
        return bool(self.status or self.parameters) or any(change.tone != "chance" for change in self.changes)

    @property
    def listed(self) -> list[Change]:
        """The changes to show: the headline's, and those that are more than chance."""
        return [each for each in self.differing if each is self.changes[0] or each.tone != "chance"][:MOST_LISTED]

    @property
    def unlisted(self) -> str:
        """How many other metrics differ, or that only parameters do, in words, or nothing."""
        number = len(self.differing) - len(self.listed)
        alone = "no metric changed" if self.parameters and not (self.status or self.differing) else ""
        return f"{number} other metric{'s differ' if number > 1 else ' differs'}" if number else alone


class Comparison(Struct, frozen=True):
    """A run beside earlier outcomes."""

    against: str  # in words: `the last run`, `branch main`
    jobs: tuple[JobComparison, ...] = ()
    missing: tuple[str, ...] = ()  # ids of jobs that have no earlier outcome there
    problems: tuple[str, ...] = ()

    @property
    def noise_lines(self) -> list[str]:
        """How the intervals of judged differences come about, a line for each method."""
        jobs: dict[str, dict[str, None]] = {}
        for job in self.jobs:
            for change in job.listed:
                if change.difference:
                    jobs.setdefault(change.difference.method, {})[job.job_id] = None
        level = f"{100 * JUDGED_LEVEL:.0f} %"
        return [f"intervals of differences of {listing('', ids)}: {level}, {method}" for method, ids in jobs.items()]

    def of(self, job_id: str) -> JobComparison | None:
        """Return the comparison of a job."""
        return next((job for job in self.jobs if job.job_id == job_id), None)


def predicted(recorded: Recorded) -> tuple[str, str] | None:
    """Return the run and folder with an outcome's predictions (of a study, its best trial's), or None."""
    outcome = recorded.outcome
    folder = outcome.study.folder if outcome.study else outcome.attempts[-1].folder if outcome.attempts else ""
    return (recorded.run_id, folder) if outcome.interval_method and folder else None


def paired(now: Recorded, earlier: Recorded | None, runs: Path) -> Outcome:
    """Return an outcome with the differences of its predictions to those of an earlier one, if numpy is installed."""
    sides = [each and predicted(each) for each in (now, earlier)]
    if earlier is None or earlier.run_id in now.outcome.differences or not all(sides):
        return now.outcome
    own, other = (str(runs.joinpath(*side)) for side in sides if side)
    with suppress(ModuleNotFoundError):
        return replace(now.outcome, differences=differences(read_all(Path(own)), {earlier.run_id: other}))
    return now.outcome


def compare(
    outcomes: Sequence[Outcome],
    earlier: Mapping[str, Recorded],
    trained: Mapping[str, Recorded] | None = None,
    *,
    against: str,
    problems: tuple[str, ...] = (),
) -> Comparison:
    """Compare each outcome with the earlier one of its job; its metrics with those in `trained`, if that is given."""
    whole = earlier if trained is None else trained
    measured = [outcome for outcome in outcomes if outcome.metrics or outcome.job_id in earlier]
    return Comparison(
        against=against,
        jobs=tuple(_compared(it, earlier[it.job_id], whole.get(it.job_id)) for it in measured if it.job_id in earlier),
        missing=tuple(each.job_id for each in measured if each.job_id not in earlier),
        problems=problems,
    )


def _compared(now: Outcome, earlier: Recorded, trained: Recorded | None) -> JobComparison:
    before, changes = earlier.outcome, tuple(_changes(now, trained)) if trained else ()
    other = {each.run_id for each in changes} - {earlier.run_id}
    status = Status.PASSED if now.status == Status.SKIPPED and now.metrics else now.status  # taken over, unchanged
    return JobComparison(
        job_id=now.job_id,
        earlier=earlier,
        changes=changes,
        status=(before.status, status) if before.status != status else None,
        parameters=() if status == Status.NOT_RUN else other_parameters(now.parameters, before.parameters),
        remarks=(*_other_gates(now, before), *(f"metrics against run {each}" for each in other)),
    )


def _other_gates(now: Outcome, before: Outcome) -> Iterator[str]:
    """Yield which gates differ; an outcome without a result does not show its gates."""
    if all(each.gates or each.status == Status.PASSED for each in (now, before)):
        new, old = (_gates(outcome) for outcome in (now, before))
        for metric in (metric for metric in old | new if old.get(metric) != new.get(metric)):
            was, has = old.get(metric, ""), new.get(metric, "")
            change = f"{was} → {has}" if was and has else f"{was} removed" if was else f"{has} added"
            yield f"gate {metric} {change}"


def _gates(outcome: Outcome) -> dict[str, str]:
    gates: dict[str, str] = {}
    for gate in (result.gate for result in outcome.gates if result.gate.against is None):
        gates[gate.metric] = f"{gates.get(gate.metric, '')} {gate.operator} {gate.threshold:g}".strip()
    return gates


def _changes(now: Outcome, earlier: Recorded) -> Iterable[Change]:
    before, gates = earlier.outcome, [result.gate for result in now.gates]
    pairs = now.differences.get(earlier.run_id, {})
    for measure in measures(now):
        is_spread = now.study is not None and measure.name.endswith("_sd")
        if (then := before.metrics.get(name := measure.name)) is None or is_side_number(name) or is_spread:
            continue
        means = [mean_of_seeds(each.metrics, name, each.study.seeds if each.study else 0) for each in (now, before)]
        judged = judged_difference(measure.value - then, now=means[0], before=means[1], pair=pairs.get(name))
        yield Change(earlier.run_id, name, then, measure.value, _verdict(measure, then, judged, gates), judged)


def _verdict(now: Measure, before: float, judged: Difference | None, gates: Sequence[Gate]) -> Verdict:
    """Return what a change is; only seeds or paired predictions call it noise, as in a gate on regressions."""
    if math.isclose(before, now.value, rel_tol=SAME, abs_tol=1e-12):
        return "same"
    if judged is not None and not judged.is_beyond_noise:
        return "noise"
    better = direction(now.name, gates)
    if better is None:
        return "changed"
    return "better" if (now.value > before) == (better == "higher") else "worse"


def other_parameters(now: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of parameters that differ."""
    old, new = plain(before), plain(now)
    return tuple(name for name in {**old, **new} if old.get(name, ...) != new.get(name, ...))


def find_earlier(
    history: History, job_ids: Sequence[str], name: str, *, project: Path, before: str | None = None
) -> tuple[dict[str, Recorded], dict[str, Recorded], str, str | None]:
    """Return what ended last before run `before` by job id, what has metrics, words for the place, and a problem."""
    place = find_place(history, name, project, before=before)
    earlier, trained = (history.newest(job_ids, place=place, before=before, which=it) for it in (ENDED, COMPARABLE))
    problem = f"nothing to compare with: the history has no outcome of these jobs from {place.words}"
    return earlier, trained, place.words, None if earlier or not job_ids else problem


def find_place(history: History, name: str, project: Path, *, before: str | None = None) -> Place:
    """Return the place of a name in the history, or raise DeclarationError with the names that there are."""
    if name == "last":
        return Place("the last run of each job")
    origins = [origin for origin in history.origins() if origin.run_id != before]
    if name and any(origin.run_id.startswith(name) for origin in origins):
        return Place(f"run {name}", "run_id", name)
    if any(origin.branch == name for origin in origins):
        return Place(f"branch {name}", "branch", name)
    if re.fullmatch(COMMIT, name) and any((origin.commit or "").startswith(name) for origin in origins):
        return Place(f"commit {name}", "commit", name)
    # A checkout in CI has other branches as origin/NAME only.
    if (commit := find_commit(project, name) or find_commit(project, f"origin/{name}")) is None and origins:
        branches = listing(name, [origin.branch for origin in origins if origin.branch], limit=MOST_LISTED)
        runs = listing(name, [origin.run_id for origin in origins], limit=MOST_LISTED)
        raise DeclarationError(
            f"expected last, a run, a branch or a commit to compare with, found {name!r}; "
            f"branches in the history: {branches}; runs: {runs}"
        )
    return Place(f"{name} (commit {commit[:10]})", "commit", commit) if commit else Place(name, "run_id", name)
