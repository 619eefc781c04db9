"""What a reader wants first: what needs attention, what changed, which is best; a few lines of each, with links."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pytest_training.execution.outcome import Outcome, Shown, Status
from pytest_training.records.comparison import Comparison
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.reporters.console import sentence
from pytest_training.reporters.html.results import Result, by_metric
from pytest_training.text import one_line
from pytest_training.units import number
from pytest_training.wording import counted


class Line(NamedTuple):
    """A line and its subject."""

    text: str
    result: Result | None = None
    status: Shown | None = None
    tone: str = ""  # of a change: `better`, `worse`
    others: int = 0  # other jobs of which the same is true


class Overview(NamedTuple):
    """Three lists of lines."""

    attention: list[Line]
    changes: list[Line]
    best: list[Line]
    unchanged: str  # jobs that are in no line of changes, counted
    has_other_data: bool  # True if jobs that are ranked used different data


def overview(run: TrainingRun, listed: Sequence[Result]) -> Overview:
    """Return the first lines of the page."""
    best = [*_best(listed)]
    judged = _changed(listed, "worse", is_judged=True)  # else it may be noise: a rule on regressions would fail the job
    return Overview(
        attention=[*_unlucky(listed), *_broken_trials(run, listed), *judged, *_stale(listed)],
        changes=[*_changed(listed, "better"), *_changed(listed, "worse"), *_others(listed)],
        best=best,
        unchanged=_unchanged(run.comparison),
        has_other_data=any("highest" in line.text or "lowest" in line.text for line in best),
    )


def _unlucky(listed: Iterable[Result]) -> Iterator[Line]:
    """Yield jobs of this run that did not pass; of several with the same reason the first."""
    reasons: dict[tuple[str, str], list[Result]] = {}
    for each in listed:
        if each.job and each.outcome.status not in {Status.PASSED, Status.SKIPPED}:
            reasons.setdefault((each.outcome.shown, each.outcome.reason), []).append(each)
    for several in reasons.values():
        first = several[0]
        yield Line(sentence(first.outcome), first, first.outcome.shown, others=len(several) - 1)


def _broken_trials(run: TrainingRun, listed: Iterable[Result]) -> Iterator[Line]:
    """Yield studies that have a verdict although trials failed."""
    broken: dict[str | None, list[Outcome]] = {}
    for outcome in run.own_outcomes:
        if outcome.status == Status.FAILED:
            broken.setdefault(outcome.trial_of, []).append(outcome)
    for each in listed:
        if each.job and each.outcome.status == Status.PASSED and (trials := broken.get(each.outcome.job_id)):
            yield Line(f"{counted(len(trials), 'trial')} failed: {sentence(trials[0])}", each, Status.FAILED)


def _stale(listed: Iterable[Result]) -> Iterator[Line]:
    """Yield jobs that did not pass when an earlier run trained them last."""
    for each in listed:
        if each.recorded and not each.outcome.status.is_good and not each.outcome.optional:
            yield Line(f"not trained in this run; before: {sentence(each.outcome)}", each, each.outcome.shown)


def _changed(listed: Iterable[Result], tone: str, *, is_judged: bool = False) -> Iterator[Line]:
    """Yield jobs that passed, with a metric that got better or worse; with `is_judged` only beyond noise."""
    for each in listed:
        compared = each.job.comparison if each.job and each.outcome.status.is_good else None
        changes = [each for each in compared.listed if each.tone == tone] if compared else []
        for change in [each for each in changes if each.difference or not is_judged][:1]:
            yield Line(f"{one_line(change.metric, 60)} {change.words()}", each, tone=tone)


def _others(listed: Iterable[Result]) -> Iterator[Line]:
    """Yield jobs that passed and did not before, or the other way round, or of which only parameters changed."""
    for each in listed:
        compared = each.job.comparison if each.job else None
        if compared and compared.status:
            yield Line("; ".join([" → ".join(compared.status), *compared.remarks]), each, each.outcome.shown)
        elif compared and compared.parameters and all(change.tone == "chance" for change in compared.changes):
            names = one_line(f"other parameters: {', '.join(compared.parameters)}", 100)
            yield Line("; ".join(filter(None, [names, compared.unlisted])), each)


def _unchanged(comparison: Comparison) -> str:
    """Return how many jobs are as before, within noise, or new."""
    quiet = Counter("within noise" if job.is_notable else "the same" for job in comparison.jobs if not job.is_loud)
    counts = {**quiet, "trained for the first time": len(comparison.missing)}
    return ", ".join(f"{counted(count, 'job')} {word}" for word, count in counts.items() if count)


def _best(listed: Sequence[Result]) -> Iterator[Line]:
    """Yield the verdict of each study, then the best of the jobs that share a metric."""
    yield from (Line(each.study_line, each, each.outcome.shown) for each in listed if each.study_line)
    for name, several in by_metric(listed).items():
        ready = [each for each in several if each.outcome.status.is_good and each.measure]
        if len(ready) > 1 and (better := ready[0].direction):
            data = {tuple(sorted(used.name for used in each.outcome.data)) for each in ready}
            word = f"best {name}" if len(data) == 1 else f"{'highest' if better == 'higher' else 'lowest'} {name}"
            values = [each.measure for each in ready if each.measure]
            interval = f" ({values[0].interval})" if values[0].interval else ""
            second = f"next {one_line(ready[1].outcome.job_id, 40)} {number(values[1].value)}"
            found = f"{number(values[0].value)}{interval}; {second}"
            yield Line(f"{one_line(word, 80)} of {counted(len(ready), 'job')}: {found}", ready[0])
