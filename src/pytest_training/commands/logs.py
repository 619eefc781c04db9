"""`pytest-training logs JOB`: the log of a job, followed while the job runs."""

from __future__ import annotations

import argparse

from pytest_training.commands.output import remark, say
from pytest_training.errors import TrainingError
from pytest_training.jobs.model import read_plan
from pytest_training.project import Project
from pytest_training.records.recorded_run import find_run, running_run
from pytest_training.reporters.job_log import JobLog
from pytest_training.wording import did_you_mean, listing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("job", metavar="JOB", help="the job's id")


def answer(arguments: argparse.Namespace, project: Project) -> None:
    """Print the log; until the job ends if the run is in progress."""
    running = running_run(project.reports)
    folder = running or find_run(project.reports, "last")
    jobs = {planned.job.id: planned.job for planned in read_plan(folder.plan).jobs}
    job_id = str(arguments.job)
    if job_id not in jobs:
        suggestion = did_you_mean(job_id, jobs)
        raise TrainingError(
            f"run {folder.run_id} has no job {job_id!r}: expected one of {listing(job_id, jobs)}{suggestion}"
        )
    remark(f"log of {job_id} in run {folder.run_id} ({'ended' if running is None else 'running'})")
    for line in JobLog(folder, jobs[job_id], is_followed=running is not None, remark=remark).lines():
        say(line)
