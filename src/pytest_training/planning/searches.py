"""Searches in a plan: what they need to draw, before anything trains."""

from collections.abc import Sequence
from importlib.util import find_spec

from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import Job


def check_searches(jobs: Sequence[Job], others: Sequence[Job], *, is_resumed: bool) -> None:
    """Raise DeclarationError without Optuna, and for trials that would draw other parameters than before.

    These are trials without their search, and some of its trials unless a run is resumed: it has what they drew.
    """
    searches = {job.id: job.study for job in (*jobs, *others) if job.study and job.study.search}
    places = [study.place for job in jobs if (study := searches.get(job.id))]
    if places and find_spec("optuna") is None:
        raise DeclarationError(
            f"{places[0]}: a search needs Optuna, which is not installed: pip install 'pytest-training[search]'"
        )
    left_out = {job.id for job in others} | {job.trial_of for job in others if not is_resumed}
    for job in (job for job in jobs if job.trial_of in left_out and job.trial_of in searches):
        raise DeclarationError(
            f"{job.id} is selected without all of its search {job.trial_of}, and would draw other parameters than "
            f"before: pytest --training-resume trains what failed again, -k {job.trial_of} all"
        )
