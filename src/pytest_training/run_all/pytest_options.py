"""A plugin for `pytest -p`: options that only the flags of `run_all_training.py` need."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_training.jobs.model import Job
from pytest_training.option_values import SEARCH, read_search
from pytest_training.options import REGISTRY
from pytest_training.run_all.arguments import flags
from pytest_training.run_all.pytest_command import FURTHER
from pytest_training.run_all.selection import checked_ids, with_flags


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("run_all_training.py")
    for flag, option in FURTHER.items():
        _, text, how = flags()[flag]
        group.addoption(option, help=text, **how)
    group.addoption(
        "--training-job", action="append", metavar="ID", help="train the job with exactly this id (may be repeated)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Complete the search for jobs; the workers of xdist search for none."""
    if hasattr(config, "workerinput"):
        return
    search, option = read_search(config), config.option
    files = replace(search.files, limit=option.training_limit)
    config.stash[SEARCH] = replace(
        search, files=files, overrides=option.training_overrides, optional=option.training_optional
    )


def pytest_training_jobs(config: pytest.Config, jobs: list[Job]) -> None:
    """Change the jobs as the options ask for."""
    option, ids = config.option, [job.id for job in jobs]
    only = checked_ids(option.training_job or ids, ids, "--training-job")
    jobs[:] = [job for job in jobs if job.id in only]
    jobs[:] = with_flags(jobs, config.stash[REGISTRY].kinds, option.training_argument, option.training_retries)
