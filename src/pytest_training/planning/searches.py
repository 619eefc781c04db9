"""Searches in a plan: what they need to draw, before anything trains."""

from collections.abc import Iterable
from importlib.util import find_spec

from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import Job


def check_searches(jobs: Iterable[Job], others: Iterable[Job], *, is_dry: bool) -> list[Job]:
    """Return the selected jobs; a trial without its search has a problem. Raise DeclarationError without Optuna."""
    jobs, left_out = list(jobs), {job.id for job in others if job.study and job.study.search}
    places = [job.study.place for job in jobs if job.study and job.study.search]
    if places and not is_dry and find_spec("optuna") is None:
        raise DeclarationError(
            f"{places[0]}: a search needs Optuna, which is not installed: pip install 'pytest-training[search]'"
        )
    return [_left_alone(job) if job.trial_of in left_out else job for job in jobs]


def _left_alone(job: Job) -> Job:
    search = job.trial_of
    problem = f"its search {search} draws its parameters and is not selected: select {search} too, or --training-resume"
    return replace(job, problem=problem)
