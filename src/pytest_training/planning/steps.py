"""From a request to a plan: each step is a function from one draft to the next, and imports what it alone needs.

pytest's session takes those of PREPARE when it collects, and those of FINISH after it has selected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.execution.folder import ReportsFolder, new_run_id
from pytest_training.jobs.discovery import nothing_below
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.lookup import Lookup
from pytest_training.jobs.model import Dataset, Job, Plan, RunSettings
from pytest_training.limits import LIMITS, Limits
from pytest_training.machine import machine_cores
from pytest_training.planning.parameters import (
    apply_options,
    fill_seeds,
    note_missing,
    refuse_averaging,
    refuse_secrets,
    unreached,
)

if TYPE_CHECKING:
    from pytest_training.planning.plan import EarlierRun
    from pytest_training.records.history import History

UNPLANNED = Plan(run_id="", seed=0, workers=1, threads=1, jobs=())


class Request(Struct, frozen=True, kw_only=True):
    """All that decides which jobs are trained and how, checked as far as possible without the jobs."""

    project: Path
    root: Path  # the folder with the jobs
    reports: Path
    catalogue: Path | None = None
    lookup: Lookup = field(default_factory=Lookup)
    kinds: Kinds = field(default_factory=lambda: KINDS)
    limits: Limits = field(default_factory=lambda: LIMITS)
    seed: int = 0
    epochs: int | None = None
    folds: int | None = None
    settings: tuple[str, ...] = ()  # like `als.epochs=80`; of two for a parameter the later counts
    seeds: str | None = None  # of every job: a number of them, or some, like `0,3,7`
    matrix: tuple[str, ...] = ()  # like `forest.trees=10,50`, in place of the catalogue's values of that parameter
    default_limits: dict[str, float] = field(default_factory=dict)  # of jobs that state none, by the limit's key
    resume: str | None = None  # run to resume: its id, or `last`
    skip_unchanged: bool = False
    audited: str = ""  # id, pattern or file of the jobs that an audit trains; empty for no audit
    compare: str | None = None  # what the run is compared with: `last`, a run, a branch or a commit
    max_regression: tuple[str, ...] = ()
    """Rules like `0.02`, `roc_auc=0.02` or `mae=5%`; of two for a metric the later counts."""
    plan_file: Path | None = None  # where the plan is written too
    run_settings: RunSettings = field(default_factory=RunSettings)
    smoke: bool = False
    shard: tuple[int, int] | None = None  # its number, from 1 on, and how many there are


class Draft(Struct, frozen=True, kw_only=True):
    """A plan in the making."""

    request: Request
    is_dry: bool = False  # True if nothing will be trained
    jobs: tuple[Job, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    earlier: EarlierRun | None = None  # the run that this one resumes
    others: tuple[Job, ...] = ()  # jobs that are not selected
    selected: tuple[str, ...] | None = None  # ids of the selected jobs; None for all
    workers: int = 1
    plan: Plan = UNPLANNED
    problems: tuple[str, ...] = ()  # sentences for the reports of the run
    history_problems: tuple[str, ...] = ()


Step = Callable[[Draft], Draft]


def advance(draft: Draft, steps: Iterable[Step]) -> Draft:
    """Return the draft after these steps."""
    for step in steps:
        draft = step(draft)
    return draft


def load(draft: Draft) -> Draft:
    """Read the jobs and datasets of the project."""
    request = draft.request
    jobs, datasets = load_jobs(
        request.root, request.project, request.catalogue, request.lookup, kinds=request.kinds, limits=request.limits
    )
    refuse_secrets(jobs, request.settings)
    return replace(draft, jobs=tuple(jobs), datasets=tuple(datasets))


def resume(draft: Draft) -> Draft:
    """Take the jobs of the resumed run, with its parameters and seed."""
    request = draft.request
    if not draft.jobs:
        raise DeclarationError(nothing_below(request.root, request.project, request.lookup.files, kinds=request.kinds))
    if request.resume is None:
        return draft
    from pytest_training.planning.plan import EarlierRun  # noqa: PLC0415  (--list answers at once)

    earlier = EarlierRun.find(request.reports, request.resume)
    jobs, request = earlier.jobs(draft.jobs), replace(request, seed=earlier.plan.seed)
    ids = {job.trial_of or job.id for job in jobs}
    others, problems = (job for job in draft.jobs if job.id not in ids), earlier.other_studies(draft.jobs)
    draft = replace(draft, problems=(*draft.problems, *problems))
    return replace(draft, request=request, jobs=tuple(jobs), others=tuple(others), earlier=earlier)


def studies(draft: Draft) -> Draft:
    """Put the trials of each study, and its own job, in the place of the job that it trains."""
    request, jobs = draft.request, draft.jobs
    if not (request.seeds or request.matrix or any(job.study for job in (*jobs, *draft.others))):
        return draft
    from pytest_training.planning.studies import expand_all, with_options  # noqa: PLC0415  (only studies need it)

    if draft.earlier is None:  # else the jobs are those that the resumed run has made
        jobs = tuple(with_options(jobs, seeds=request.seeds, matrix=request.matrix, kinds=request.kinds))
        return replace(draft, jobs=tuple(expand_all(jobs, request.seed, request.kinds)))
    others = expand_all(draft.others, request.seed, request.kinds, [job.id for job in jobs])
    return replace(draft, others=tuple(others))


def smoke(draft: Draft) -> Draft:
    """Make every job brief, and leave its gates unjudged."""
    if not draft.request.smoke:
        return draft
    from pytest_training.planning.smoke import brief  # noqa: PLC0415  (only a smoke run needs it)

    return replace(draft, jobs=tuple(brief(job, draft.request.kinds[job.kind]) for job in draft.jobs))


def set_parameters(draft: Draft) -> Draft:
    """Give the jobs the request's parameters and limits."""
    request = draft.request
    epochs, folds, settings, kinds = request.epochs, request.folds, request.settings, request.kinds
    jobs = apply_options(draft.jobs, epochs=epochs, folds=folds, settings=settings, kinds=kinds)
    jobs = note_missing(fill_seeds(jobs, request.seed, kinds))
    limited = (replace(job, limits={**request.default_limits, **job.limits}) for job in jobs)
    return replace(draft, jobs=tuple(limited))


def select(draft: Draft) -> Draft:
    """Keep the selected jobs, in the order of the selection."""
    if draft.selected is None:
        return draft
    by_id = {job.id: job for job in draft.jobs}
    jobs = tuple(by_id.pop(job_id) for job_id in draft.selected)
    return replace(draft, jobs=jobs, others=(*draft.others, *by_id.values()))


def searches(draft: Draft) -> Draft:
    """Check that the selected searches and their trials can draw parameters."""
    if draft.is_dry or not any(job.trial_of or job.study for job in draft.jobs):
        return draft
    from pytest_training.planning.searches import check_searches  # noqa: PLC0415  (as above)

    check_searches(draft.jobs, draft.others, is_resumed=draft.earlier is not None)
    return draft


def note_unreached(draft: Draft) -> Draft:
    """Name the selected jobs that an option for parameters does not reach; raise where a study sets its own."""
    request = draft.request
    places = {job.id: job.study.place for job in (*draft.others, *draft.jobs) if job.study}
    sentences = unreached(draft.jobs, places, epochs=request.epochs, folds=request.folds, settings=request.settings)
    judged = {job.id for job in draft.jobs if job.study}
    refuse_averaging((*draft.jobs, *(job for job in draft.others if job.trial_of in judged)), request.settings)
    return replace(draft, problems=(*draft.problems, *sentences))


def order(draft: Draft) -> Draft:
    """Plan the jobs in the order in which they start, the longest first."""
    from pytest_training.planning.plan import make_plan, of_siblings  # noqa: PLC0415  (only a run needs it)

    measured = (history := _history(draft)).expected(draft.jobs)
    measured |= {job.id: measured[job.twin_of] for job in draft.jobs if job.twin_of in measured}
    measured |= of_siblings(draft.jobs, measured)
    saved, problems = _saved_durations(draft, measured)
    plan = make_plan(
        draft.jobs,
        draft.datasets,
        run_id=new_run_id(),
        seed=draft.request.seed,
        workers=draft.workers,
        threads=max(1, machine_cores() // draft.workers),
        measured=measured,
        saved=saved,
    )
    others = () if draft.request.smoke else tuple(job.id for job in draft.others if not job.trial_of)
    plan = replace(plan, loading_s=_loading_s(draft), smoke=draft.request.smoke, others=others)
    return _noting(history, replace(draft, plan=plan, problems=(*draft.problems, *problems)))


def _loading_s(draft: Draft) -> float | None:
    """Return how long the last run's server imported what the jobs import, or None if it did not."""
    from pytest_training.execution.job_files import read_json  # noqa: PLC0415  (as above)
    from pytest_training.records.run_record import RunRecord  # noqa: PLC0415  (as above)

    last = max(ReportsFolder(draft.request.reports).runs.glob("*/run.json"), default=None)
    record = read_json(last, RunRecord) if last else None
    packages = {name.partition(".")[0] for job in draft.jobs if not job.fresh for name in job.imports}
    return sum(record.loading[name] for name in packages & record.loading.keys()) or None if record else None


def _saved_durations(draft: Draft, measured: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """Return the expected seconds of jobs that the history does not know, and what is wrong with the file."""
    from pytest_training.records.durations import FILE, expected_here, read_durations  # noqa: PLC0415  (as above)

    try:
        durations = read_durations(draft.request.root / FILE)
    except DeclarationError as error:  # the order alone needs it
        return {}, [f"{error}: first runs begin in any order"]
    return expected_here(durations, draft.jobs, measured), []


def fingerprint(draft: Draft) -> Draft:
    """Note each job's fingerprint, and take from the history what is still true of it.

    With `--training-skip-unchanged` that is the outcome of a job, else of a job that is needed but not selected.
    """
    ids, is_skipping = [job.id for job in draft.jobs], draft.request.skip_unchanged
    outside = set() if draft.request.smoke else {needed for job in draft.jobs for needed in job.needs}.difference(ids)
    if draft.is_dry and not is_skipping and not outside:
        return draft
    from pytest_training.planning import fingerprint as steps  # noqa: PLC0415  (as above)
    from pytest_training.planning.plan import with_needs  # noqa: PLC0415  (as above)

    history, jobs = _history(draft), {job.id: job for job in (*draft.others, *draft.jobs)}
    digests = steps.fingerprints(jobs, ids, draft.datasets, seed=draft.request.seed)
    passes = steps.EarlierPasses.read(
        jobs, ids if is_skipping else sorted(outside.intersection(jobs)), digests, history
    )
    plan = steps.with_fingerprints(draft.plan, digests, passes if is_skipping else None)
    return _noting(history, replace(draft, plan=with_needs(plan, jobs, passes, draft.earlier)))


def compare(draft: Draft) -> Draft:
    """Add the earlier outcomes that jobs are compared with; raise DeclarationError for an unknown run."""
    if draft.request.smoke:
        return draft
    from pytest_training.planning.regressions import with_comparison  # noqa: PLC0415  (as above)

    history = _history(draft)
    plan, problems = with_comparison(draft.plan, history, draft.request, is_dry=draft.is_dry)
    return _noting(history, replace(draft, plan=plan, problems=(*draft.problems, *problems)))


def _history(draft: Draft) -> History:
    from pytest_training.records.history import History  # noqa: PLC0415  (as above)

    return History(ReportsFolder(draft.request.reports).history)


def _noting(history: History, draft: Draft) -> Draft:
    return replace(draft, history_problems=(*draft.history_problems, *history.problems))


def twins(draft: Draft) -> Draft:
    """Add the further trainings of an audit."""
    if not draft.request.audited:
        return draft
    from pytest_training.planning.twins import add_twins, audited  # noqa: PLC0415  (only an audit needs it)

    request = draft.request
    option = "--training-audit" if request.run_settings.audit == "all" else "--training-twice"
    chosen = audited(draft.jobs, request.audited, option)
    ids = {job.id for job in chosen}
    others = [job for job in draft.jobs if job.id not in ids]
    searches = [job.id for job in others if job.study and job.study.search]
    left_out = [f"{option}: trials of {job_id}, a search, are left out" for job_id in searches]
    jobs = add_twins(chosen, {job.id for job in draft.jobs}, request.run_settings.audit, request.kinds)
    return replace(draft, jobs=tuple(jobs), others=(*draft.others, *others), problems=(*draft.problems, *left_out))


def shard(draft: Draft) -> Draft:
    """Keep the jobs of one shard; none of them needs another one."""
    if draft.request.shard is None:
        return draft
    from pytest_training.planning.shards import own_shard  # noqa: PLC0415  (few runs need it)

    return replace(draft, jobs=own_shard(draft.jobs, draft.request.root, *draft.request.shard))


PREPARE: tuple[Step, ...] = (resume, smoke, studies, set_parameters, twins, shard)
FINISH: tuple[Step, ...] = (select, searches, note_unreached, order, fingerprint, compare)
PLAN: tuple[Step, ...] = (load, *PREPARE, *FINISH)
