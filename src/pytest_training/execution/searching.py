"""How a slot trains a trial of a search: with parameters that are drawn when it starts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pytest_training.errors import FROM_OTHERS
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.execution.pruning import PruningLauncher
from pytest_training.execution.readers.findings import readers_of
from pytest_training.execution.search import OptunaSearch
from pytest_training.execution.slot import new_outcome, save_outcome
from pytest_training.jobs.model import PlannedJob, Study
from pytest_training.jobs.values import with_value
from pytest_training.units import duration
from pytest_training.wording import listing, nearest

if TYPE_CHECKING:
    from pytest_training.execution.slot import Slot


def train_trial(
    slot: Slot, planned: PlannedJob, own: PlannedJob, train: Callable[[Slot, PlannedJob], Outcome]
) -> Outcome:
    """Draw a trial's parameters, train it, and let its search learn how it ended; `own` is the study's own job."""
    job, kind, study = planned.job, slot.kinds[planned.job.kind], own.job.study or Study()
    try:
        if own.job.id not in slot.searches:
            number, resumed = slot.number or int(re.sub(r"\D", "", slot.name) or 0), slot.settings.resumed
            slot.searches[own.job.id] = OptunaSearch(own, slot.folder, seed=slot.seed, slot=number, resumed=resumed)
        search: OptunaSearch = slot.searches[own.job.id]
        drawn = search.draw(job.id)
    except OSError:
        raise
    except FROM_OTHERS as error:  # what Optuna raises, of a journal that something else has changed
        problem = f"its search cannot go on: {type(error).__name__}: {error}"
        return train(slot, replace(planned, job=replace(job, problem=problem)))
    if drawn is None:
        time_s = (study.search.time_s if study.search else None) or 0.0
        reason = f"not started: the search has taken its time of {duration(time_s)}"
        left_out = {"status": Status.SKIPPED, "cause": "time", "reason": reason}
        return save_outcome(slot.folder, new_outcome(job, seed=slot.seed, slot=slot.name, **left_out))
    for name, value in drawn.items():
        job = with_value(job, name, value, kind)
    if study.search and study.search.pruner:
        readers = readers_of(kind, slot.readers)
        slot = replace(slot, launcher=PruningLauncher(slot.launcher, study.metric, search.report, readers))
    outcome = _ranked(train(slot, replace(planned, job=job)), study.metric)
    if outcome.cause == "result":
        save_outcome(slot.folder, outcome)
    try:
        search.end(outcome)
    except FROM_OTHERS as error:  # as above; a run that resumes this one tells it
        note = f"its search has not learned of it: {type(error).__name__}: {error}"
        outcome = save_outcome(slot.folder, replace(outcome, notes=(*outcome.notes, note)))
    return outcome


def _ranked(outcome: Outcome, metric: str) -> Outcome:
    """Return the outcome, failed if it passed without the metric by which the search ranks."""
    if outcome.status != Status.PASSED or metric in outcome.metrics:
        return outcome
    near, names = nearest(metric, outcome.metrics), listing(metric, outcome.metrics)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    reason = f"no metric {metric!r}, by which the search ranks its trials{hint}; metrics found: {names}"
    return replace(outcome, status=Status.FAILED, cause="result", reason=reason)
