"""The outcomes of the jobs that a job needs, also for places such as `{needs.teacher.folder}`."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.job_files import read_json
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.jobs.kinds.protocol import Call, Command
from pytest_training.jobs.model import Job, NeededOutcome, PlannedJob
from pytest_training.wording import one_of

Needed = Mapping[str, NeededOutcome]
Start = TypeVar("Start", Call, Command, Call | Command)
PLACE = re.compile(r"\{needs\.([^{}]*)\}")


def needed_outcome(folder: RunFolder, job_id: str) -> NeededOutcome | None:
    """Return what a job, or a study's best trial, left in a run if it passed and the folder still exists, else None."""
    outcome = read_json(folder.job(job_id).outcome, Outcome)
    if outcome is not None and outcome.status == Status.PASSED and outcome.study:
        best = RunFolder(folder.reports, outcome.study.best_run or folder.run_id)
        left = needed_outcome(best, outcome.study.best) if outcome.study.best else None
        return msgspec.structs.replace(left, run_id=folder.run_id, metrics=outcome.metrics) if left else None
    if outcome is None or outcome.status != Status.PASSED or not outcome.attempts:
        return None
    place = folder.job(job_id).attempt(outcome.attempts[-1].number).artifacts
    if not place.is_dir():
        return None
    prefix = f"{place.relative_to(folder.path).as_posix()}/"
    names = tuple(name.removeprefix(prefix) for name in outcome.artifacts)
    return NeededOutcome(run_id=folder.run_id, path=str(place), metrics=outcome.metrics, artifacts=names)


def unmet(planned: PlannedJob, folder: RunFolder, *, is_worker: bool) -> tuple[Status, str] | None:
    """Return the status and reason of a job that cannot run for want of a needed one, or None if it can."""
    if planned.unmet is not None:
        return Status.FAILED, planned.unmet
    for job_id in planned.job.needs if not planned.job.study else ():
        if job_id in planned.needed:
            continue
        if (outcome := read_json(folder.job(job_id).outcome, Outcome)) is None:
            return Status.FAILED, not_ended(job_id, is_worker=is_worker)
        if outcome.status != Status.PASSED and outcome.cause != "unchanged":
            return Status.NOT_RUN, f"needs {job_id}, which did not pass in this run"
    return None


def needs_attempt(planned: PlannedJob, folder: RunFolder) -> bool:
    """Return False if a job's outcome needs no attempt."""
    return not (
        planned.unchanged or planned.job.problem or planned.job.study or unmet(planned, folder, is_worker=False)
    )


def not_ended(job_id: str, *, is_worker: bool) -> str:
    """Say why a needed job has not ended before the one that needs it."""
    reason = "xdist keeps to needs only without ordinary tests and --dist"
    reason = reason if is_worker else "another plugin has changed the order"
    return f"needs {job_id}, which has not ended: {reason}"


def gather(planned: PlannedJob, folder: RunFolder) -> dict[str, NeededOutcome]:
    """Return the outcome of each needed job, of this run or of the earlier one that the plan names."""
    outcomes = {job_id: planned.needed.get(job_id) or needed_outcome(folder, job_id) for job_id in planned.job.needs}
    return {job_id: each for job_id, each in outcomes.items() if each is not None}


def with_places(job: Job, needed: Needed) -> Job:
    """Return the job with places such as `{needs.teacher.folder}` filled in in its parameters."""
    parameters = {name: _filled(each, needed) for name, each in job.parameters.items()}
    return msgspec.structs.replace(job, parameters=parameters) if job.needs else job


def start_with_places(start: Start, needed: Needed) -> Start:
    """Return what executes a job, these places filled in; raise DeclarationError for a metric that is missing."""
    if isinstance(start, Call):
        return start
    return msgspec.structs.replace(start, argv=tuple(_filled(each, needed) for each in start.argv))


def bad_place(job: Job) -> str | None:
    """Return why a place like `{needs.teacher.folder}` in the job's texts cannot be filled in, or None if all can."""
    texts = [*job.command, *job.arguments, *(each for each in job.parameters.values() if isinstance(each, str))]
    for name in (match for text in texts for match in PLACE.findall(text)):
        if not any(name == f"{each}.folder" or name.startswith(f"{each}.metrics.") for each in job.needs):
            places = [f"{{needs.{each}.{what}}}" for each in job.needs for what in ("folder", "metrics.NAME")]
            place = f"{{needs.{name}}}"
            return f"{job.source}: {job.id}: no needed job fills {place}: {one_of(place, places)}"
    return None


def _filled(value: Any, needed: Needed) -> Any:
    """Return a text with its places filled in, in one pass; another value as it is."""
    return PLACE.sub(lambda match: _place(match, needed), value) if isinstance(value, str) else value


def _place(match: re.Match[str], needed: Needed) -> str:
    for job_id, each in needed.items():
        if match[1] == f"{job_id}.folder":
            return each.path
        if match[1].startswith(f"{job_id}.metrics."):
            metric = match[1].removeprefix(f"{job_id}.metrics.")
            if metric not in each.metrics:
                raise DeclarationError(f"{match[0]}: {job_id} has no metric {metric!r}: {one_of(metric, each.metrics)}")
            return repr(each.metrics[metric])
    raise DeclarationError(f"{match[0]}: the job that it needs left no folder, or has no best trial")
