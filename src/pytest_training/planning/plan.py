"""The plan: the selected jobs, their data and expected durations, in the order in which they start.

From earlier runs it has the parameters of a resumed one, and the outcomes of jobs that are needed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from msgspec import Struct
from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.execution import job_files, slot
from pytest_training.execution.data import plan_dataset
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.needs import bad_place, needed_outcome
from pytest_training.execution.outcome import Status
from pytest_training.jobs.model import Dataset, Job, NeededOutcome, Plan, PlannedDataset, PlannedJob, Source, Study
from pytest_training.jobs.order import find_circle, simulate, start_order
from pytest_training.jobs.plan_file import read_plan
from pytest_training.planning.fingerprint import EarlierPasses
from pytest_training.planning.studies import as_trained
from pytest_training.records import recorded_run, run_record
from pytest_training.wording import one_of

KEYWORD = re.compile(r"(?!(and|or|not)$)[\w:+\-.\[\]\\/]+")  # a name that `-k` takes


def make_plan(  # noqa: PLR0913  (each is one field of the plan)
    jobs: Sequence[Job],
    datasets: Sequence[Dataset],
    *,
    run_id: str,
    seed: int,
    workers: int,
    threads: int,
    measured: Mapping[str, float],
    saved: Mapping[str, float] | None = None,
) -> Plan:
    """Return the plan; `measured` gives expected seconds from history, `saved` those from durations.json, by job id."""
    declared, needs = {dataset.name: dataset for dataset in datasets}, {job.id: job.needs for job in jobs}
    jobs = [_with_declared_data(job, declared) for job in jobs]
    used = dict.fromkeys(name for job in jobs for name in job.data)
    if circle := find_circle(needs):
        raise DeclarationError(f"needs go round in a circle: {' needs '.join(circle)}")
    datasets_by_name = {name: plan_dataset(declared[name]) for name in used}
    planned = {job.id: _planned(job, datasets_by_name, measured, saved or {}) for job in jobs}
    expected = {job_id: item.expected_s for job_id, item in planned.items()}
    order = start_order(list(expected), expected, needs, workers=workers)
    seconds = {job_id: expected_s for job_id, expected_s in expected.items() if expected_s is not None}
    is_known = len(seconds) == len(expected)
    return Plan(
        run_id=run_id,
        seed=seed,
        workers=workers,
        threads=threads,
        jobs=tuple(planned[job_id] for job_id in order),
        datasets=tuple(declared[name] for name in used),
        makespan_s=simulate(order, seconds, needs, workers=workers) if is_known else None,
        lower_bound_s=max(sum(seconds.values()) / workers, *seconds.values(), 0.0) if is_known else None,
    )


def of_siblings(jobs: Iterable[Job], measured: Mapping[str, float]) -> dict[str, float]:
    """Return the mean seconds of a study's trials for those that were never measured, or have drawn nothing yet."""
    trials = [job for job in jobs if job.trial_of]
    several: dict[str | None, list[float]] = {}
    for job in (job for job in trials if job.id in measured):
        several.setdefault(job.trial_of, []).append(measured[job.id])
    unknown = [job for job in trials if job.id not in measured or not job.parameters.keys() >= {*job.varied}]
    return {job.id: fmean(several[job.trial_of]) for job in unknown if job.trial_of in several}


def _with_declared_data(job: Job, declared: Mapping[str, Dataset]) -> Job:
    """Return the job; one that uses a dataset without a declaration has a problem, and the others are trained."""
    if not (unknown := next((name for name in job.data if name not in declared), None)):
        return job
    expected = one_of(unknown, declared) if declared else "expected a declaration, found none at all"
    problem = (
        f"{job.source}: {job.id} uses the dataset {unknown!r}, which the catalogue does not declare "
        f"under `data:`: {expected}"
    )
    return replace(job, data=tuple(name for name in job.data if name in declared), problem=job.problem or problem)


def _planned(
    job: Job, datasets: Mapping[str, PlannedDataset], measured: Mapping[str, float], saved: Mapping[str, float]
) -> PlannedJob:
    places: dict[Source, float | None] = {"history": measured.get(job.id), "durations.json": saved.get(job.id)}
    places |= {"catalogue": job.expected_s, "unknown": None}
    source = next(place for place, expected_s in places.items() if expected_s is not None or place == "unknown")
    used = tuple(datasets[name] for name in job.data)
    return PlannedJob(job=job, expected_s=places[source], expected_from=source, datasets=used)


class EarlierRun(Struct, frozen=True):
    """A run in which not every job passed."""

    folder: RunFolder
    plan: Plan

    @classmethod
    def find(cls, reports: Path, name: str) -> EarlierRun:
        """Return the run with this id, the one that begins with it, or for `last` the last one."""
        try:
            folder = recorded_run.find_run(reports, name)
        except DeclarationError as error:
            raise DeclarationError(f"--training-resume: {error}") from None
        try:
            plan = read_plan(folder.plan)
        except DeclarationError as error:
            raise DeclarationError(f"{error}; --training-resume=RUN resumes another run") from None
        if any(planned.job.twin_of for planned in plan.jobs):
            raise DeclarationError(f"--training-resume: run {folder.run_id} is an audit: pytest --training-audit again")
        if plan.smoke:
            raise DeclarationError(f"--training-resume: run {folder.run_id} is a smoke run, and nothing resumes one")
        return cls(folder, plan)

    @property
    def chain(self) -> tuple[str, ...]:
        """Its id, then that of the run that it resumed, and so on: each may have the newest checkpoint of a job."""
        begun = job_files.read_json(self.folder.begun, run_record.BegunRun)
        return (self.folder.run_id, *(begun.resumed if begun else ()))

    def jobs(self, present: Sequence[Job]) -> list[Job]:
        """Return that run's jobs as they are now, with that run's parameters."""
        by_id, jobs = {job.id: job for job in present}, dict[str, list[Job]]()
        for old in (each.job for each in self.plan.jobs):
            if (job_id := old.trial_of or old.id) not in by_id:
                run_id, hint = self.folder.run_id, one_of(job_id, by_id)
                raise DeclarationError(
                    f"--training-resume: run {run_id} trained {job_id!r}, which exists no more: {hint}"
                )
            jobs.setdefault(job_id, []).append(as_trained(old, by_id[job_id]))
        return [job for job_id in by_id for job in jobs.get(job_id, ())]

    def other_studies(self, present: Sequence[Job]) -> list[str]:
        """Return a sentence if the catalogue declares studies otherwise now than in that run."""
        planned = {each.job.id: each.job.study for each in self.plan.jobs if each.job.study}
        ids = [job.id for job in present if job.id in planned and _is_other(planned[job.id], job.study)]
        if not ids:
            return []
        shown, run_id = ", ".join(ids), self.folder.run_id
        problem = (
            f"{shown}: --training-resume trains what run {run_id} had planned; jobs.yaml declares other trials now"
        )
        return [problem]

    def is_done(self, job_id: str) -> bool:
        """Return True if a job passed in that run, or needed no training; of a study also all its trials."""
        outcome = slot.read_outcome(self.folder, job_id)
        is_done = outcome is not None and (outcome.status == Status.PASSED or outcome.cause in {"unchanged", "pruned"})
        trials = (each.job.id for each in self.plan.jobs if each.job.trial_of == job_id)
        return is_done and (not (outcome and outcome.study) or all(map(self.is_done, trials)))

    def trial(self, job_id: str) -> NeededOutcome | None:
        """Return what a trial left there, also one that was pruned."""
        outcome = slot.read_outcome(self.folder, job_id)
        is_pruned = outcome is not None and outcome.cause == "pruned"
        pruned = NeededOutcome(run_id=self.folder.run_id, path=str(self.folder.job(job_id).path)) if is_pruned else None
        return pruned or self.needed(job_id)

    def needed(self, job_id: str) -> NeededOutcome | None:
        """Return what a job left in that run, or in the one that it took the outcome from."""
        unchanged = next((each.unchanged for each in self.plan.jobs if each.job.id == job_id), None)
        folder = RunFolder(self.folder.reports, unchanged.run_id) if unchanged else self.folder
        return needed_outcome(folder, job_id) or next(
            (each.needed[job_id] for each in self.plan.jobs if job_id in each.needed), None
        )


def with_needs(plan: Plan, jobs: Mapping[str, Job], passes: EarlierPasses, earlier: EarlierRun | None) -> Plan:
    """Return the plan with the earlier outcomes that jobs need, and a sentence for each job that lacks one."""
    trained = {planned.job.id for planned in plan.jobs if planned.unchanged is None}
    selected = {planned.job.id for planned in plan.jobs}

    def outcome(job: Job, job_id: str) -> NeededOutcome | None:
        find = (earlier.trial if job.study else earlier.needed) if earlier and job_id not in selected else None
        return (find(job_id) if find else None) or passes.outcome(job_id)

    def complete(planned: PlannedJob) -> PlannedJob:
        job = planned.job
        if problem := bad_place(job):
            planned = replace(planned, job=replace(job, problem=job.problem or problem))
        outcomes = {job_id: outcome(job, job_id) for job_id in job.needs if job_id not in trained}
        missing = {job_id: None for job_id, each in outcomes.items() if each is None and job_id not in selected}
        if job.study and 0 < len(missing) < len(job.needs):  # it is judged without them, and says so
            needs = tuple(job_id for job_id in job.needs if job_id not in missing)
            planned, missing = replace(planned, job=replace(job, needs=needs)), {}
        return replace(
            planned,
            needed={job_id: each for job_id, each in outcomes.items() if each is not None},
            unmet=_sentence(job, list(missing), jobs, passes) if missing and planned.unchanged is None else None,
        )

    return replace(plan, jobs=tuple(map(complete, plan.jobs)))


def _sentence(job: Job, missing: Sequence[str], jobs: Mapping[str, Job], passes: EarlierPasses) -> str:
    """Return why a job cannot be trained, and what selects all that it takes."""
    names = list(dict.fromkeys([job.id, *_all_missing(missing, jobs, passes)]))
    names = [name for name in names if name not in jobs or jobs[name].trial_of not in names]  # `-k` takes both
    hint = f"-k {shlex.quote(' or '.join(names))}" if all(map(KEYWORD.fullmatch, names)) else "select it too"
    verb = "is" if len(missing) == 1 else "are"
    if job.study:
        return f"its {len(missing)} trials are not selected, and none is unchanged since it passed: {hint}"
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


def _is_other(planned: Study, declared: Study | None) -> bool:
    """Return True if the catalogue declares other trials than those planned; an option is not given again."""
    if declared is None or planned.place.startswith("--"):
        return False
    return (declared.size, declared.matrix, declared.search) != (planned.size, planned.matrix, planned.search)
