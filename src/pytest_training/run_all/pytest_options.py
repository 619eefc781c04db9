"""A plugin for `pytest -p`: options for flags of `run_all_training.py`; option_values.py reads those that find jobs."""

import pytest

from pytest_training.jobs.model import Job
from pytest_training.options import REGISTRY
from pytest_training.run_all.arguments import flags
from pytest_training.run_all.selection import FURTHER, checked_ids, with_flags


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
    option, ids = config.option, [job.id for job in jobs]
    only = checked_ids(option.training_job or ids, ids, "--training-job")
    jobs[:] = [job for job in jobs if job.id in only]
    jobs[:] = with_flags(jobs, config.stash[REGISTRY].kinds, option.training_argument, option.training_retries)
