"""The latest result of every job: of this run, or of an earlier one where this run did not train the job."""

import functools
import math
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.directions import direction
from pytest_training.jobs.model import Gate
from pytest_training.records.comparison import Change
from pytest_training.records.history import History, Recorded
from pytest_training.records.measures import Measure, measures, whole
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.reporters.html.environment import anchor
from pytest_training.reporters.html.job_view import JobView
from pytest_training.reporters.studies import trial_counts, verdict


class Result(Struct, frozen=True, dict=True):
    """A job's latest outcome."""

    outcome: Outcome
    job: JobView | None = None  # None if an earlier run trained it
    recorded: Recorded | None = None  # that run's
    link: str = ""  # to the job's section, on this page or on that run's
    rank: int | None = None  # among all results, the better the higher; results of a metric stand together

    @functools.cached_property
    def measure(self) -> Measure | None:
        """The headline, of a study over seeds with its interval."""
        first = next(iter(self.job.measures if self.job else measures(self.outcome)), None)
        table = self.job.study.table if self.job and self.job.study else None
        spread = table and (table.spread or (table.best and table.best.spread))
        if first and spread and table and first.name == table.metric and not first.interval:
            return replace(first, low=spread.low, high=spread.high) if math.isfinite(spread.low) else first
        return first

    @property
    def direction(self) -> str:
        """Which values of the headline are better; empty if its direction is unknown."""
        if self.measure is None:
            return ""
        study = self.outcome.study
        if study and study.metric == self.measure.name:
            return study.direction
        return direction(self.measure.name, [each.gate for each in self.outcome.gates]) or ""

    @property
    def gates(self) -> list[Gate]:
        """The gates on the headline or on the ends of its interval."""
        gates = (each.gate for each in self.outcome.gates)
        return [
            gate for gate in gates if self.measure and whole(gate.metric, self.outcome.metrics) == self.measure.name
        ]

    @property
    def change(self) -> Change | None:
        """How the headline differs from the run that this one is compared with."""
        changes = self.job.comparison.changes if self.job and self.job.comparison else ()
        return next((each for each in changes if self.measure and each.metric == self.measure.name), None)

    @property
    def study_line(self) -> str:
        """What the trials came to, in words; nothing for a job that is no study."""
        table = self.job.study.table if self.job and self.job.study else None
        return f"{trial_counts(table)}; {verdict(table)}" if table else ""

    @property
    def has_section(self) -> bool:
        """True if the page of its run has more to say."""
        outcome = self.outcome
        return bool(outcome.attempts or outcome.gates or outcome.metrics or outcome.parameters or outcome.study)


def results(run: TrainingRun, jobs: Sequence[JobView], page_of: Callable[[str], str]) -> list[Result]:
    """Return the result of each job, those that this run did not train last."""
    own = [Result(job.outcome, job) for job in jobs]
    own = [replace(each, link=f"#{anchor(each.outcome.job_id)}") if each.has_section else each for each in own]
    past = History(run.folder.stable.history).recent(run.plan.others, 1, through=run.folder.run_id)
    newest = [(several[0], page_of(several[0].run_id)) for several in past.values() if several]
    links = [page and f"{page}#{anchor(each.outcome.job_id)}" for each, page in newest]
    every = [*own, *(Result(each.outcome, None, each, link) for (each, _), link in zip(newest, links, strict=True))]
    ordered = [each.outcome.job_id for group in by_metric(every).values() for each in group]
    rank_of = {job_id: len(ordered) - number for number, job_id in enumerate(ordered)}
    return [replace(each, rank=rank_of.get(each.outcome.job_id)) for each in every]


def by_metric(listed: Sequence[Result]) -> dict[str, list[Result]]:
    """Return the results that have a headline by its name, the best first; the metric of most jobs comes first."""
    groups: dict[str, list[Result]] = {}
    for each in listed:
        if each.measure:
            groups.setdefault(each.measure.name, []).append(each)
    return {name: _best_first(groups[name]) for name in sorted(groups, key=lambda name: -len(groups[name]))}


def _best_first(several: Sequence[Result]) -> list[Result]:
    sign = {"higher": -1, "lower": 1}.get(several[0].direction, 0)
    return sorted(several, key=lambda each: sign * (each.measure.value if each.measure else 0))
