"""How a slot trains a trial of a search: with parameters that are drawn when it starts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pytest_training.errors import FROM_OTHERS
from pytest_training.execution import slot as slots
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.execution.pruning import WatchingLauncher
from pytest_training.execution.readers.findings import readers_of
from pytest_training.execution.search import OptunaSearch
from pytest_training.jobs.directions import direction
from pytest_training.jobs.model import Job, PlannedJob
from pytest_training.jobs.values import with_value
from pytest_training.units import duration
from pytest_training.wording import listing, nearest

if TYPE_CHECKING:
    from pytest_training.execution.slot import Slot

Train = Callable[["Slot", PlannedJob], Outcome]


def train_trial(slot: Slot, planned: PlannedJob, study: Job, train: Train) -> Outcome:
    """Draw a trial's parameters, train it, and let its search learn how it ended."""
    job, kind = planned.job, slot.kinds[planned.job.kind]
    try:
        search = _opened(slot, study)
        drawn = search.draw(job.id)
    except OSError:
        raise
    except FROM_OTHERS as error:  # what Optuna raises, of a journal that something else has changed
        problem = f"its search cannot go on: {type(error).__name__}: {error}"
        return train(slot, replace(planned, job=replace(job, problem=problem)))
    if drawn is None:
        return _left_out(slot, job, study)
    for name, value in drawn.items():
        job = with_value(job, name, value, kind)
    outcome = train(_watching(slot, study, search, job), replace(planned, job=job))
    if lacking := _lacking(outcome, study):
        outcome = slots.save_outcome(slot.folder, lacking)
    search.end(outcome)
    return outcome


def _opened(slot: Slot, study: Job) -> OptunaSearch:
    """Return the search as this slot takes part in it; one object draws all of its trials here."""
    if study.id not in slot.searches:
        name = study.study.metric if study.study else ""
        number = int(re.sub(r"\D", "", slot.name) or 0)
        better, resumed = direction(name, study.gates) or "higher", slot.settings.resumed
        slot.searches[study.id] = OptunaSearch(
            study, slot.folder, better=better, seed=slot.seed, slot=number, resumed=resumed
        )
    search: OptunaSearch = slot.searches[study.id]
    return search


def _watching(slot: Slot, study: Job, search: OptunaSearch, job: Job) -> Slot:
    """Return the slot with a launcher that follows the attempts, if the search prunes."""
    if not (study.study and study.study.search and study.study.search.pruner):
        return slot
    readers = readers_of(slot.kinds[job.kind], slot.readers)
    return replace(slot, launcher=WatchingLauncher(slot.launcher, study.study.metric, search.report, readers))


def _left_out(slot: Slot, job: Job, study: Job) -> Outcome:
    search = study.study.search if study.study else None
    reason = f"not started: the search has taken its time of {duration(search.time_s or 0)}" if search else ""
    left_out = slots.new_outcome(
        job, seed=slot.seed, slot=slot.name, status=Status.SKIPPED, cause="time", reason=reason
    )
    return slots.save_outcome(slot.folder, left_out)


def _lacking(outcome: Outcome, study: Job) -> Outcome | None:
    """Return the outcome as failed if it passed without the metric that the search ranks by."""
    metric = study.study.metric if study.study else ""
    if outcome.status != Status.PASSED or metric in outcome.metrics:
        return None
    near = "".join(f" (did you mean {name!r}?)" for name in nearest(metric, outcome.metrics))
    names = listing(metric, outcome.metrics)
    reason = f"no metric {metric!r}, by which the search ranks its trials{near}; metrics found: {names}"
    return replace(outcome, status=Status.FAILED, cause="result", reason=reason)
