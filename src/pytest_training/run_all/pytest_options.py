"""A plugin for `pytest -p`: options for flags of `run_all_training.py`; option_values.py reads those that find jobs."""

import pytest

from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import Job
from pytest_training.options import REGISTRY
from pytest_training.run_all.arguments import flags
from pytest_training.run_all.selection import FURTHER, checked_ids, with_flags
from pytest_training.session.training_job import job_of


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("run_all_training.py")
    for flag, option in FURTHER.items():
        _, text, how = flags()[flag]
        group.addoption(option, help=text, **how)
    group.addoption(
        "--training-job", action="append", metavar="ID", help="train the job with exactly this id (may be repeated)"
    )


def pytest_training_jobs(config: pytest.Config, jobs: list[Job]) -> None:
    """Apply the options to the jobs."""
    kinds, option = config.stash[REGISTRY].kinds, config.option
    jobs[:] = with_flags(jobs, kinds, option.training_argument, option.training_retries)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the jobs that are not named: trials have their ids by now."""
    jobs = {item: job for item in items if (job := job_of(item))}
    if (named := config.option.training_job) and jobs:
        try:
            only = checked_ids(named, list(jobs.values()), "--training-job")
        except DeclarationError as error:
            raise pytest.UsageError(str(error)) from None
        left_out = {item: None for item, job in jobs.items() if job.id not in only}
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=list(left_out))
