"""Where each job gets the outcomes of the jobs that it needs: this run, an earlier one, or nowhere."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from pytest_training.execution.needs import bad_place
from pytest_training.jobs.model import Job, NeededOutcome, Plan, PlannedJob
from pytest_training.planning.fingerprint import EarlierPasses
from pytest_training.planning.resume import EarlierRun

KEYWORD = re.compile(r"(?!(and|or|not)$)[\w:+\-.\[\]\\/]+")
"""A name that `-k` takes."""


def with_needs(plan: Plan, jobs: Mapping[str, Job], passes: EarlierPasses, earlier: EarlierRun | None) -> Plan:
    """Return the plan with the earlier outcomes that jobs need, and a sentence for each job that lacks one."""
    trained = {planned.job.id for planned in plan.jobs if planned.unchanged is None}
    selected = {planned.job.id for planned in plan.jobs}

    def outcome(job_id: str) -> NeededOutcome | None:
        resumed = earlier.needed(job_id) if earlier and job_id not in selected else None
        return resumed or passes.outcome(job_id)

    def complete(planned: PlannedJob) -> PlannedJob:
        job = planned.job
        if problem := bad_place(job):
            planned = replace(planned, job=replace(job, problem=job.problem or problem))
        outcomes = {job_id: outcome(job_id) for job_id in job.needs if job_id not in trained}
        missing = [job_id for job_id, each in outcomes.items() if each is None and job_id not in selected]
        return replace(
            planned,
            needed={job_id: each for job_id, each in outcomes.items() if each is not None},
            unmet=_sentence(job, missing, jobs, passes) if missing and planned.unchanged is None else None,
        )

    return replace(plan, jobs=tuple(map(complete, plan.jobs)))


def _sentence(job: Job, missing: Sequence[str], jobs: Mapping[str, Job], passes: EarlierPasses) -> str:
    """Return why a job cannot be trained, and what selects all that it takes."""
    names = list(dict.fromkeys([job.id, *_all_missing(missing, jobs, passes)]))
    hint = f"-k {shlex.quote(' or '.join(names))}" if all(map(KEYWORD.fullmatch, names)) else "select it too"
    verb = "is" if len(missing) == 1 else "are"
    changed = [run.run_id for run in map(passes.recorded.get, missing) if run is not None]
    if len(changed) == len(missing):
        since = ", ".join(dict.fromkeys(changed))
        return f"needs {', '.join(missing)}, which {verb} not selected and changed since run {since}: {hint}"
    return f"needs {', '.join(missing)}, which {verb} not selected: {hint}"


def _all_missing(missing: Sequence[str], jobs: Mapping[str, Job], passes: EarlierPasses) -> Iterator[str]:
    """Yield these jobs and those that they need in turn and that have no earlier outcome either."""
    waiting, seen = list(missing), set(missing)
    while waiting:
        job_id = waiting.pop(0)
        yield job_id
        further = [each for each in (jobs[job_id].needs if job_id in jobs else ()) if each not in seen]
        waiting += [each for each in further if passes.outcome(each) is None]
        seen.update(further)
